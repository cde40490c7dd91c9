"""Why a command was not done, each with the word that every way to the commands uses for it."""

from __future__ import annotations

from hw.errors import ChargePointError


class CommandError(ChargePointError):
    """A command that cannot be done now, or not at this charger; the text says why."""

    kind = "conflict"


class NotFoundError(CommandError):
    """There is no such charger, command or message."""

    kind = "not-found"


class BadArgumentsError(CommandError):
    """Arguments that a command does not take; the text names each and says why."""

    kind = "bad-arguments"


class RealHardwareError(CommandError):
    """Real hardware cannot be operated as a simulated board can."""

    kind = "forbidden"


class TimeLimitError(CommandError):
    """What was waited for did not happen within the time limit; it may still happen later."""

    kind = "timeout"
