"""Messages of OCPP in a few words, for logs and tables: what is in them, without secrets and with cards shortened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chargepoint.model.tags import short_tag
from chargepoint.runtime.secrecy import masked_member, masked_text

LONGEST_VALUE = 80
"""Characters of a value that are shown; `--trace` has all of them."""
LONGEST_TEXT = 300
"""Characters of an error description that are shown."""


def call(action: str, payload: str) -> str:
    """Return a request in a few words; what cannot be read as one is shown as it came."""
    return f"{shown(action)}{request(action, payload)}" if action else shown(payload, LONGEST_TEXT)


def request(action: str, content: str | Mapping[str, Any]) -> str:
    """Return the payload of a call, a JSON text or an object, in a few words behind a blank; "" for an empty one."""
    payload = _loaded(content)
    if not payload:
        return ""
    if action in ("StartTransaction", "StopTransaction"):
        meter = payload.get("meterStart", payload.get("meterStop"))
        parts = [_outlet(payload)] if "connectorId" in payload else []
        if "transactionId" in payload:  # a queued StopTransaction gets it when it is sent
            parts.append(f"tx={shown(payload['transactionId'])}")
        if "idTag" in payload:
            parts.append(f"tag={_short(payload['idTag'], 'idTag')}")
        parts += [f"meter={shown(meter)}", shown(payload.get("reason", ""))]
        return " " + " ".join(part for part in parts if part)
    if action == "MeterValues":
        return f" {_outlet(payload)} {_values(payload)}"
    if action == "StatusNotification":
        error = payload.get("errorCode", "NoError")
        told = f" {_outlet(payload)} {shown(payload.get('status'))}"
        return told if error == "NoError" else f"{told} {shown(error)}"
    data = _loaded(str(payload.get("data", ""))) if action == "DataTransfer" else {}
    if data:  # an object in a text, as most vendors have it; cards stand in there too
        return f" {shown(payload.get('messageId') or payload.get('vendorId'))}{_words(data)}"
    return _words(payload)


def _outlet(payload: dict[str, Any]) -> str:
    return f"#{shown(payload.get('connectorId'))}"


def _words(payload: dict[str, Any]) -> str:
    """Return the first members that are no objects or arrays; only what is shown of them is masked."""
    names = [key for key, value in payload.items() if not isinstance(value, dict | list)][:4]
    words = [f"{shown(key)}={_short(masked_member(payload, key), key)}" for key in names]
    return " " + " ".join(words) if words else ""


def shown(value: Any, longest: int = LONGEST_VALUE) -> str:
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
    return ", ".join(f"{shown(each.get('value'))} {shown(each.get('unit', ''))}".strip() for each in values[:3])


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def answer(text: str, *, is_result: bool) -> str:
    """Return the payload of a CALLRESULT, or a CALLERROR, in a few words."""
    if not is_result:
        return shown(text, LONGEST_TEXT)
    payload = _loaded(text)
    info = payload.get("idTagInfo")
    status = payload.get("status") or (info.get("status") if isinstance(info, dict) else None)
    words = [shown(status or "ok")]
    if "transactionId" in payload:
        words.append(f"tx={shown(payload['transactionId'])}")
    return " ".join(words)


def _loaded(content: str | Mapping[str, Any]) -> dict[str, Any]:
    try:
        payload = json.loads(content) if isinstance(content, str) else content
    except (ValueError, RecursionError):
        return {}
    return payload if isinstance(payload, dict) else {}
