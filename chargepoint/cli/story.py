"""What a charger does, told in lines: one for each exchange, and one for each thing that happened at the box."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from chargepoint.model import journal
from chargepoint.model.authorization import short_tag
from chargepoint.model.journal import Entry
from chargepoint.model.timebase import utc_text
from chargepoint.runtime.central_system import Exchange
from chargepoint.runtime.secrecy import masked_member, masked_text

LONGEST_VALUE = 80
"""Characters of a value that are shown; `--trace` has all of them."""
LONGEST_TEXT = 300
"""Characters of an error description that are shown."""
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
            request = sent.payload if sent is not None and sent.message_id == entry.message_id else "{}"
            answer = _answer(entry.outcome, is_result=entry.is_result)
            return f"→ {entry.action}{_request(entry.action, request)} ← {answer} {entry.took_s * 1000:.0f} ms"
        if isinstance(entry, journal.CallServed):
            answer = _answer(entry.answer, is_result=entry.is_result)
            return f"← {_call(entry.action, entry.payload)} → {answer}"
        return _happened(entry)


def exchange_text(exchange: Exchange) -> str:
    """One exchange as the central system saw it; arrows as seen from the charger."""
    answer = _answer(exchange.answer, is_result=exchange.is_result)
    arrows = ("→", "←") if exchange.is_from_charger else ("←", "→")
    return f"{arrows[0]} {_call(exchange.action, exchange.request)} {arrows[1]} {answer}"


def _happened(entry: Entry) -> str:
    match entry:
        case journal.LinkChanged(is_open=True):
            return f"connected, {_shown(entry.detail, LONGEST_TEXT)}"
        case journal.LinkChanged():
            return f"disconnected: {_shown(entry.detail, LONGEST_TEXT)}"
        case journal.TagPresented():
            return f"card {short_tag(entry.tag)}: {entry.verdict}"
        case journal.StatusChanged() if entry.connector:
            error = "" if entry.error_code == "NoError" else f" {entry.error_code}"
            info = f" ({entry.info})" if entry.info else ""
            return f"connector {entry.connector}: {entry.status}{error}{info}"
        case journal.OfferChanged() if entry.limit_a:
            return f"connector {entry.connector}: offers {entry.limit_a:g} A, {entry.reason}"
        case journal.PilotChanged():
            closed = "closed" if entry.is_closed else "open"
            duty = "steady" if entry.duty_percent in (0.0, 100.0) else f"{entry.duty_percent:.1f} %"
            return f"connector {entry.connector}: pilot {entry.state} {duty}, contactor {closed}"
        case journal.FaultChanged():
            word = "raised" if entry.is_active else "cleared"
            return f"connector {entry.connector}: fault {entry.trouble} {word} {entry.info}".rstrip()
        case journal.TransactionStarted():
            return f"connector {entry.connector}: transaction begins at {entry.meter_start_wh} Wh"
        case journal.TransactionEnded():
            return f"connector {entry.connector}: transaction ends, {entry.reason}, {entry.energy_wh / 1000:.3f} kWh"
        case journal.Undelivered():
            return f"UNDELIVERED {entry.action} {entry.key}: {_shown(entry.reason, LONGEST_TEXT)}"
        case journal.ReservationEnded():
            where = f"connector {entry.connector}" if entry.connector else "any connector"
            return f"reservation {entry.reservation_id} of {where} ends: {entry.why}"
        case journal.CostShown():
            words = [entry.state, entry.cost, f"({entry.text})" if entry.text else ""]
            return f"connector {entry.connector}: display {' '.join(word for word in words if word)}"
        case journal.ClockSet():
            return f"clock set by {entry.step_s:+.1f} s"
        case journal.FrameRefused():
            return f"frame refused: {_shown(entry.reason, LONGEST_TEXT)}"
        case journal.Restarting():
            return f"restarts: {entry.cause}"
    return ""


def _call(action: str, payload: str) -> str:
    """Return a request; what cannot be read as one is shown as it came."""
    return f"{_shown(action)}{_request(action, payload)}" if action else _shown(payload, LONGEST_TEXT)


def _request(action: str, text: str) -> str:
    payload = _loaded(text)
    if not payload:
        return ""
    if action in ("StartTransaction", "StopTransaction"):
        meter = payload.get("meterStart", payload.get("meterStop"))
        parts = [_outlet(payload) if "connectorId" in payload else f"tx={_shown(payload.get('transactionId'))}"]
        if "idTag" in payload:
            parts.append(f"tag={_short(payload['idTag'], 'idTag')}")
        parts += [f"meter={_shown(meter)}", _shown(payload.get("reason", ""))]
        return " " + " ".join(part for part in parts if part)
    if action == "MeterValues":
        return f" {_outlet(payload)} {_values(payload)}"
    if action == "StatusNotification":
        error = payload.get("errorCode", "NoError")
        told = f" {_outlet(payload)} {_shown(payload.get('status'))}"
        return told if error == "NoError" else f"{told} {_shown(error)}"
    data = _loaded(str(payload.get("data", ""))) if action == "DataTransfer" else {}
    if data:  # an object in a text, as most vendors have it; cards stand in there too
        return f" {_shown(payload.get('messageId') or payload.get('vendorId'))}{_words(data)}"
    return _words(payload)


def _outlet(payload: dict[str, Any]) -> str:
    return f"#{_shown(payload.get('connectorId'))}"


def _words(payload: dict[str, Any]) -> str:
    """Return the first members that are no objects or arrays; only what is shown of them is masked."""
    shown = [key for key, value in payload.items() if not isinstance(value, dict | list)][:4]
    words = [f"{_shown(key)}={_short(masked_member(payload, key), key)}" for key in shown]
    return " " + " ".join(words) if words else ""


def _shown(value: Any, longest: int = LONGEST_VALUE) -> str:
    """Return what came from outside on one line: masked, and cut."""
    return _cut(masked_text(str(value)), longest)


def _short(value: Any, key: str) -> str:
    is_tag = key in ("idTag", "parentIdTag", "idToken")
    return _cut(short_tag(str(value)) if is_tag else str(value), LONGEST_VALUE)


def _cut(text: str, longest: int) -> str:
    text = text if len(text) <= longest else f"{text[:longest]}…"
    return text if text.isprintable() else json.dumps(text, ensure_ascii=False)[1:-1]


def _values(payload: dict[str, Any]) -> str:
    """Return the first values of the last sample that are not those of one phase."""
    samples = _objects(payload.get("meterValue"))[-1:]
    values = [each for sample in samples for each in _objects(sample.get("sampledValue")) if "phase" not in each]
    return ", ".join(f"{_shown(each.get('value'))} {_shown(each.get('unit', ''))}".strip() for each in values[:3])


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _answer(text: str, *, is_result: bool) -> str:
    if not is_result:
        return _shown(text, LONGEST_TEXT)
    payload = _loaded(text)
    info = payload.get("idTagInfo")
    status = payload.get("status") or (info.get("status") if isinstance(info, dict) else None)
    words = [_shown(status or "ok")]
    if "transactionId" in payload:
        words.append(f"tx={_shown(payload['transactionId'])}")
    return " ".join(words)


def _loaded(text: str) -> dict[str, Any]:
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return payload if isinstance(payload, dict) else {}
