"""The time zone of the display, and its change to and from summer time, told by the central system.

Source: OCPP & California Pricing Requirements, OCPP 1.6 part.
"""

from __future__ import annotations

import re

from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.feature import FeatureProfile
from chargepoint.model.keys import Access, Key
from chargepoint.model.record import Snapshot
from chargepoint.model.records import CONFIGURATION
from chargepoint.model.timebase import Appointment, utc_seconds

from .texts import SOURCE

_OFFSET = re.compile(r"([+-]?)(\d{1,2}):(\d{1,2})", re.ASCII)


def parse_offset(text: str) -> int:
    """Return a zone such as ``-05:30`` in minutes east of UTC. Raises ValueError when it is none."""
    match = _OFFSET.fullmatch(text.strip())
    if match is None or int(match[2]) > 24 or int(match[3]) > 59:
        raise ValueError(f"expected a zone such as +01:00, got {text!r}")
    minutes = 60 * int(match[2]) + int(match[3])
    return -minutes if match[1] == "-" else minutes


def offset_text(minutes: int) -> str:
    """Return minutes east of UTC as ``+01:00``."""
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}:{rest:02d}"


def _instant(text: str) -> str:
    try:
        utc_seconds(text)
    except OverflowError as error:
        raise ValueError(f"not a date-time: {text!r}") from error
    return text


def _zone(name: str, default: int | None, effect: str) -> Key[int]:
    return Key(name, default, parse_offset, offset_text, "zone", "", Access.READ_WRITE, SOURCE, effect)


TIME_OFFSET = _zone("TimeOffset", 0, "zone of the display, and of times of cost messages that have none")
TIME_OFFSET_NEXT_TRANSITION = _zone(
    "TimeOffsetNextTransition", None, "what TimeOffset becomes at NextTimeOffsetTransitionDateTime"
)
NEXT_TIME_OFFSET_TRANSITION_DATE_TIME: Key[str] = Key(
    "NextTimeOffsetTransitionDateTime",
    None,
    _instant,
    str,
    "date-time",
    "",
    Access.READ_WRITE,
    SOURCE,
    "when TimeOffset becomes TimeOffsetNextTransition; it has no value afterwards",
)


class TimeZone(FeatureProfile):
    """Knows the zone, and changes it when its time has come."""

    __slots__ = ("_transition",)

    name = "Core"
    keys = (TIME_OFFSET, NEXT_TIME_OFFSET_TRANSITION_DATE_TIME, TIME_OFFSET_NEXT_TRANSITION)

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self._transition: Appointment | None = None

    @property
    def offset_s(self) -> float:
        """Seconds east of UTC."""
        minutes: int = self.host.setting(TIME_OFFSET)
        return 60.0 * minutes

    def restored(self, snapshot: Snapshot, now_s: float) -> None:
        """What came due in the dark is made up for."""
        self._arm()

    def objection(self, name: str, value: str) -> str | None:
        if name != NEXT_TIME_OFFSET_TRANSITION_DATE_TIME.name:
            return None
        try:
            due_utc_s = utc_seconds(value, self.offset_s)
        except (ValueError, OverflowError):
            return None  # the key says so
        is_past = due_utc_s <= self.host.calendar.utc_s(self.host.timers.charge_s)
        return f"{value} is past" if is_past else None

    def setting_changed(self, name: str, now_s: float) -> None:
        if name in (TIME_OFFSET.name, NEXT_TIME_OFFSET_TRANSITION_DATE_TIME.name):
            self._arm()

    def _arm(self) -> None:
        if self._transition is not None:
            self._transition.cancel()
            self._transition = None
        text = self.host.setting(NEXT_TIME_OFFSET_TRANSITION_DATE_TIME)
        if text is not None:
            self._transition = self.host.calendar.at(utc_seconds(text, self.offset_s), self._change)

    def _change(self, now_s: float) -> None:
        host = self.host
        self._transition = None
        host.settings.unset(NEXT_TIME_OFFSET_TRANSITION_DATE_TIME)
        host.save(CONFIGURATION.name, NEXT_TIME_OFFSET_TRANSITION_DATE_TIME.name, None)
        minutes = host.setting(TIME_OFFSET_NEXT_TRANSITION)
        if minutes is None:
            host.log.warning("the time zone was to change now, but there is no TimeOffsetNextTransition")
            return
        host.settings.set(TIME_OFFSET, minutes)
        host.save(CONFIGURATION.name, TIME_OFFSET.name, {"value": offset_text(minutes)})
        host.setting_changed(TIME_OFFSET.name, now_s)
