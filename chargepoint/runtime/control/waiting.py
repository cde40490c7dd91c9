"""The result of a command that finishes later.

It is driven by the journal of a charger and by its timers, so it needs no event loop: on a stepped clock it finishes within
the step that decides it. `finished` is for those who have a loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from chargepoint.model.journal import Entry
from chargepoint.model.timebase import Alarm, Clock

from .errors import CommandError, TimeLimitError

if TYPE_CHECKING:
    from chargepoint.runtime.charger import Charger

    from .responses import Document


class Waiting:
    """Finishes once: with a document, with a CommandError, or by `cancel`.

    It outlives a restart of the charger. Callbacks run inside a step of the charger: they must not act on it, and must not
    raise.
    """

    def __init__(self, charger: Charger, clock: Clock = Clock.CHARGE) -> None:
        """``clock``: the one on which its time limit runs."""
        self.is_done = False
        self._charger = charger
        self._document: Document | None = None
        self._error: CommandError | None = None
        self._callbacks: list[Callable[[], None]] = []
        self._listener: Callable[[str, float, Entry], None] | None = None
        self._limit = charger.alarm(self._on_limit, clock)
        self._expired: Callable[[], None] = self.cancel
        self._looks: Alarm | None = None

    # --- what it waits for --------------------------------------------------------------------------------------------

    def hear(self, listener: Callable[[Entry], None]) -> None:
        """Call ``listener`` with every journal entry of the charger until this is done."""
        self._listener = lambda _identity, _now_s, entry: listener(entry)
        self._charger.model.journal.listen(self._listener)
        self._charger.on_rebuilt = (*self._charger.on_rebuilt, self._hear_again)

    def _hear_again(self, charger: Charger) -> None:
        assert self._listener is not None
        charger.model.journal.listen(self._listener)

    def look_every(self, period_s: float, look: Callable[[], None]) -> None:
        """Call ``look`` every ``period_s`` of charger time until this is done. It must not raise."""

        def again(_now_s: float) -> None:
            if not self.is_done:
                look()
            if not self.is_done:
                alarm.set_after(period_s)

        self._looks = alarm = self._charger.alarm(again)
        alarm.set_after(period_s)
        self._charger.wake()

    def limit(self, within_s: float | None, what: str) -> None:
        """Fail with TimeLimitError after ``within_s``; None: wait indefinitely. ``what``: what did not happen."""
        if within_s is not None:
            error = TimeLimitError(f"{what} within {within_s:g} s")
            self._after(within_s, lambda: self.fail(error))

    def finish_after(self, delay_s: float, document: Document) -> None:
        """Finish when this time has passed."""
        self._after(delay_s, lambda: self.finish(document))

    def _after(self, delay_s: float, action: Callable[[], None]) -> None:
        self._expired = action
        self._limit.set_after(delay_s)
        self._charger.wake()

    def _on_limit(self, _now_s: float) -> None:
        self._expired()

    # --- how it ends --------------------------------------------------------------------------------------------------

    def finish(self, document: Document) -> None:
        """Set the result; only the first end counts."""
        if not self.is_done:
            self._document = document
            self._end()

    def fail(self, error: CommandError) -> None:
        """Set why there is no result; only the first end counts."""
        if not self.is_done:
            self._error = error
            self._end()

    def cancel(self) -> None:
        """Wait no longer; what was done stays done."""
        self.fail(CommandError("cancelled"))

    def _end(self) -> None:
        self.is_done = True
        self._limit.clear()
        if self._looks is not None:
            self._looks.clear()
        if self._listener is not None:
            self._charger.model.journal.unlisten(self._listener)
            self._charger.on_rebuilt = tuple(each for each in self._charger.on_rebuilt if each != self._hear_again)
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def when_done(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` at the end; at once if that has come."""
        if self.is_done:
            callback()
        else:
            self._callbacks.append(callback)

    def result(self) -> Document:
        """Return the result. Raises CommandError; RuntimeError while there is none."""
        if self._error is not None:
            raise self._error
        if self._document is None:
            raise RuntimeError("not done yet")
        return self._document


async def finished(result: Document | Waiting) -> Document:
    """Return the result of a command when it is there. Raises CommandError; cancelled, it cancels the waiting."""
    if not isinstance(result, Waiting):
        return result
    done = asyncio.Event()
    result.when_done(done.set)
    try:
        await done.wait()
    finally:
        result.cancel()  # without effect on one that is done
    return result.result()
