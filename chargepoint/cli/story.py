"""What a charger does, told in lines: one for each exchange, and one for each thing that happened at the box."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from chargepoint.cli.digest import LONGEST_TEXT, answer, call, request, shown
from chargepoint.model import journal
from chargepoint.model.journal import Entry
from chargepoint.model.tags import short_tag
from chargepoint.model.timebase import utc_text

if TYPE_CHECKING:
    from chargepoint.runtime.central_system import Exchange

Write = Callable[[str, float | None, str], None]
"""Takes a line: the charger, its UTC in s or None, and what is told."""


def line_text(identity: str, utc_s: float | None, text: str) -> str:
    """Return a line as it stands by itself, where no log puts time and charger before it."""
    return f"{identity} {text}" if utc_s is None else f"{clock_text(utc_s)} {identity} {text}"


def clock_text(utc_s: float) -> str:
    """Time of day for people: UTC, to the second."""
    return utc_text(utc_s)[11:19]


class Story:
    """A journal listener that turns what it hears into lines.

    ``utc_s`` maps charge time to the charger's UTC; None where the two clocks are one and the log has it already.
    """

    def __init__(self, write: Write, utc_s: Callable[[str, float], float] | None = None) -> None:
        self._write = write
        self._utc_s = utc_s
        self._sent: dict[str, journal.CallSent] = {}
        """The last call of each charger: one at a time is on its way, and one that is lost with the link has no end."""

    def listen(self, identity: str, now_s: float, entry: Entry) -> None:
        if isinstance(entry, journal.CallSent):
            self._sent[identity] = entry
            return
        text = self._told(identity, entry)
        if text:
            self._write(identity, None if self._utc_s is None else self._utc_s(identity, now_s), text)

    def _told(self, identity: str, entry: Entry) -> str:
        if isinstance(entry, journal.CallAnswered):
            sent = self._sent.get(identity)
            payload = sent.payload if sent is not None and sent.message_id == entry.message_id else "{}"
            told = answer(entry.outcome, is_result=entry.is_result)
            return f"→ {entry.action}{request(entry.action, payload)} ← {told} {entry.took_s * 1000:.0f} ms"
        if isinstance(entry, journal.CallServed):
            told = answer(entry.answer, is_result=entry.is_result)
            return f"← {call(entry.action, entry.payload)} → {told}"
        return _happened(entry)


def exchange_text(exchange: Exchange) -> str:
    """One exchange as the central system saw it; arrows as seen from the charger."""
    told = answer(exchange.answer, is_result=exchange.is_result)
    arrows = ("→", "←") if exchange.is_from_charger else ("←", "→")
    return f"{arrows[0]} {call(exchange.action, exchange.request)} {arrows[1]} {told}"


def _happened(entry: Entry) -> str:
    match entry:
        case journal.LinkChanged(is_open=True):
            return f"connected, {shown(entry.detail, LONGEST_TEXT)}"
        case journal.LinkChanged():
            return f"disconnected: {shown(entry.detail, LONGEST_TEXT)}"
        case journal.TagPresented():
            return f"card {short_tag(entry.tag)}: {entry.verdict}"
        case journal.StatusChanged() if entry.connector:
            error = "" if entry.error_code == "NoError" else f" {entry.error_code}"
            info = f" ({entry.info})" if entry.info else ""
            return f"connector {entry.connector}: {entry.status}{error}{info}"
        case journal.StatusTooShort():
            lasted = f"{entry.status} of {entry.lasted_s:.1f} s"
            return f"connector {entry.connector}: {lasted} not reported: shorter than {entry.minimum_s:g} s"
        case journal.OfferChanged() if entry.limit_a:
            return f"connector {entry.connector}: offers {entry.limit_a:g} A, {entry.reason}"
        case journal.PilotChanged():
            closed = "closed" if entry.is_closed else "open"
            duty = "steady" if entry.duty_percent in (0.0, 100.0) else f"{entry.duty_percent:.1f} %"
            return f"connector {entry.connector}: pilot {entry.state} {duty}, contactor {closed}"
        case journal.WakeUpTried():
            return f"connector {entry.connector}: car does not answer, pilot cut for {entry.cut_s:g} s"
        case journal.CarAsleep():
            return f"connector {entry.connector}: car asleep"
        case journal.FaultChanged():
            word = "raised" if entry.is_active else "cleared"
            return f"connector {entry.connector}: fault {entry.trouble} {word} {entry.info}".rstrip()
        case journal.TransactionStarted():
            return f"connector {entry.connector}: transaction begins at {entry.meter_start_wh} Wh"
        case journal.TransactionEnded():
            return f"connector {entry.connector}: transaction ends, {entry.reason}, {entry.energy_wh / 1000:.3f} kWh"
        case journal.Undelivered():
            return f"UNDELIVERED {entry.action} {entry.key}: {shown(entry.reason, LONGEST_TEXT)}"
        case journal.ReservationEnded():
            where = f"connector {entry.connector}" if entry.connector else "any connector"
            return f"reservation {entry.reservation_id} of {where} ends: {entry.why}"
        case journal.CostShown():
            words = [entry.state, entry.cost, f"({entry.text})" if entry.text else ""]
            return f"connector {entry.connector}: display {' '.join(word for word in words if word)}"
        case journal.ClockSet():
            return f"clock set by {entry.step_s:+.1f} s"
        case journal.FrameRefused():
            return f"frame refused: {shown(entry.reason, LONGEST_TEXT)}"
        case journal.Restarting():
            return f"restarts: {entry.cause}"
    return ""
