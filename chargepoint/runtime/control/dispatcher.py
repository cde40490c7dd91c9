"""Where verbs arrive, whoever brings them: finds the charger, judges the arguments, and does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from itertools import islice

from chargepoint.runtime.charger import Charger, Phase
from chargepoint.runtime.clock import RunningClock
from chargepoint.runtime.control.actions import CommandError
from hw.errors import ChargePointError

from . import responses, views
from .commands import COMMANDS, Arguments, Command, NotFoundError
from .responses import Document

AT_ONCE = 50
"""Chargers that are looked at in one go, which takes about 2 ms."""


class CommandDispatcher:
    """Verbs for some chargers on one clock. ``chargers`` is looked at whenever a verb arrives."""

    def __init__(
        self,
        chargers: Mapping[str, Charger],
        clock: RunningClock,
        is_store_failing: Callable[[], bool] = lambda: False,
    ) -> None:
        self.all_chargers = chargers
        """Also those that are only built: a fleet that comes up starts them some at a time."""
        self.clock = clock
        self.is_store_failing = is_store_failing

    @property
    def chargers(self) -> Mapping[str, Charger]:
        """Those that were started: before that there is nothing to see."""
        return {name: each for name, each in self.all_chargers.items() if each.phase is not Phase.BUILT}

    def verb(self, name: str) -> Command:
        """Return a verb. Raises NotFoundError with the nearest one."""
        found = COMMANDS.get(name.replace("_", "-"))
        if found is None:
            near = get_close_matches(name, COMMANDS, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}"
            raise NotFoundError(f"{name!r} is no verb: {hint}")
        return found

    def charger(self, named: str | None) -> Charger:
        """Return the charger whose identity is, or alone begins with, ``named``; None means the only one.

        Raises NotFoundError, with the choices.
        """
        chargers = self.chargers
        if named is not None and named in chargers:
            return chargers[named]
        found = [identity for identity in chargers if named is None or identity.startswith(named)]
        if len(found) == 1:
            return chargers[found[0]]
        choices = ", ".join([*list(found or chargers)[:5], *(["..."] if len(found or chargers) > 5 else [])])
        if not found:
            raise NotFoundError(f"no charger {named!r}: there is {choices}" if chargers else "there is no charger")
        raise NotFoundError(f"which charger? {len(found)} fit: {choices}")

    def summaries(self) -> Iterator[list[responses.Summary]]:
        """Yield every charger in a line, some at a time: whoever has a loop to keep turning lets it turn in between."""
        for some in self._some_at_a_time():
            yield [views.summary(charger, self.clock.charge_s()) for charger in some]

    def energies(self) -> Iterator[list[views.Energy]]:
        """Yield what the meters of every charger show, some at a time, as `summaries`."""
        for some in self._some_at_a_time():
            yield [views.energy(charger, self.clock.charge_s()) for charger in some]

    def _some_at_a_time(self) -> Iterator[list[Charger]]:
        chargers = iter(list(self.chargers.values()))
        while some := list(islice(chargers, AT_ONCE)):
            yield some

    def all_summaries(self) -> responses.Chargers:
        """Return every charger in a line, of as many as a process has on its standard input and output."""
        return responses.Chargers(chargers=[each for some in self.summaries() for each in some])

    def do(self, verb: Command, charger: Charger, told: Arguments) -> Document:
        """Do a verb and return what it tells. Raises CommandError, also when board or store fail at it."""
        try:
            return verb.run(charger, self.clock, told)
        except CommandError:
            raise
        except ChargePointError as error:
            raise CommandError(str(error)) from error
