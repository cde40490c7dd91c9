"""The end of the program: transactions end in order within stated times, or at once.

Everything that charges ends with reason Reboot, which is stored before anything else, so that a process that is killed
meanwhile ends it so at the next start. The pilot goes steady; a contactor opens when its car has left state C, or when the
time for that is over; then the meter is read and the stop is stored with that register. A StopTransaction that does not go
out in the rest of the time is sent after the next start. Nothing is resumed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from ocpp.v16.enums import Reason

from chargepoint.model.chargepoint import ChargePoint

from .charger import Charger, Phase
from .site import Site

LOOK_S = 0.02
AT_A_TIME = 50
"""Chargers whose transactions are ended in one go; between two goes sockets are served and signals taken."""

Step = Callable[[ChargePoint, float], None]


class Urgency(IntEnum):
    """How much time the end of the program has."""

    ORDERLY = 0
    """It ends by itself: cars have all the time that a reset gives them, and the central system may be slow."""
    SIGNALLED = 1
    """SIGINT or SIGTERM: a container is killed 10 s later, and some supervisors wait less."""
    AT_ONCE = 2
    """A second signal."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Wall seconds from the beginning of the end, by which each step is over."""

    ramp_down_s: float
    """Contactors are open."""
    reading_s: float
    """Stops are fixed, with the last register where the meter has not answered."""
    answer_s: float
    """The central system has answered, or is not waited for any more."""
    sockets_s: float
    """Sockets are closed, or cut."""
    end_s: float
    """Everything is stored, and observers are gone."""


LIMITS = {
    Urgency.ORDERLY: Limits(6.5, 7.5, 17.5, 22.5, 30.0),
    Urgency.SIGNALLED: Limits(3.5, 4.5, 4.65, 4.75, 4.9),
    Urgency.AT_ONCE: Limits(0.0, 0.0, 0.0, 0.0, 0.5),
}


class Shutdown:
    """How urgently the program is to end, and since when."""

    def __init__(self) -> None:
        self._urgency = Urgency.ORDERLY
        self._since_s: float | None = None

    def hurry(self, urgency: Urgency) -> None:
        """Let the times of a higher ``urgency`` count, from now on. May be called from any thread."""
        if urgency > self._urgency:
            self._since_s = time.monotonic()
            self._urgency = urgency

    def begin(self) -> None:
        """The end has come. Without effect after `hurry`."""
        if self._since_s is None:
            self._since_s = time.monotonic()

    def left_s(self, limit: Callable[[Limits], float]) -> float:
        """Return the wall seconds that are left for a step, 0.0 when its time is over."""
        now_s = time.monotonic()
        since_s = now_s if self._since_s is None else self._since_s
        return max(0.0, since_s + limit(LIMITS[self._urgency]) - now_s)


async def end(site: Site, shutdown: Shutdown, closings: Sequence[Callable[[], Awaitable[object]]] = ()) -> bool:
    """End every transaction of a site, stop its chargers and store everything, within `LIMITS`.

    ``closings`` are called when the chargers have stopped. Return whether the store has answered: after False its thread
    still runs, and the store must not be closed.
    """
    shutdown.begin()
    await _end_transactions(site, shutdown)
    for charger in site.chargers.values():
        charger.stop()
    await _until(lambda: all(each.link.is_idle for each in site.chargers.values()), site, shutdown, lambda at: at.sockets_s)
    for charger in site.chargers.values():
        charger.link.drop()
    await asyncio.sleep(0)
    storing = asyncio.ensure_future(site.pump.close(shutdown.left_s(lambda at: at.end_s)))
    tasks = [storing, *(asyncio.ensure_future(closing()) for closing in closings)]
    await _until(lambda: all(task.done() for task in tasks), site, shutdown, lambda at: at.end_s)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return not storing.cancelled() and storing.result()


async def _end_transactions(site: Site, shutdown: Shutdown) -> None:
    running = [each for each in site.chargers.values() if each.phase is Phase.RUNNING]
    for first in range(0, len(running), AT_A_TIME):
        _tell(site, running[first : first + AT_A_TIME], lambda model, now_s: model.wind_down(Reason.reboot.value, now_s))
        await asyncio.sleep(0)

    def are_over() -> bool:
        return all(each.phase is not Phase.RUNNING or each.model.is_wound_down for each in running)

    await _until(are_over, site, shutdown, lambda at: at.ramp_down_s)
    _tell(site, running, ChargePoint.end_ramp_down)
    await _until(are_over, site, shutdown, lambda at: at.reading_s)
    _tell(site, running, ChargePoint.settle)
    await _until(are_over, site, shutdown, lambda at: at.answer_s)


def _tell(site: Site, chargers: Sequence[Charger], step: Step) -> None:
    for charger in chargers:
        charger.tell(step)
        charger.step(site.pump.tell_time())


async def _until(
    is_over: Callable[[], bool], site: Site, shutdown: Shutdown, limit: Callable[[Limits], float]
) -> None:
    """Wait for something, or until the time of its step is over. A signal may shorten that meanwhile."""
    while not is_over() and (left_s := shutdown.left_s(limit)):
        await asyncio.sleep(min(LOOK_S, left_s))
        site.pump.tell_time()
