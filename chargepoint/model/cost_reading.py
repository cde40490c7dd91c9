"""Reading what a central system tells of prices and costs: the JSON texts that the California pricing extension sends.

Reading is strict: `Unreadable` for what is no JSON or has a field of the wrong type, `Incomplete` for a missing field
without which nothing can be shown. Fields nobody here knows are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ocpp.v16.enums import ChargePointStatus

from .cost import (
    ChargingPrice,
    Cost,
    DefaultPrice,
    IdlePrice,
    MeterTrigger,
    NextPeriod,
    PriceText,
    TextFormat,
    UserPrice,
)
from .timebase import utc_seconds

LARGEST = Decimal(10) ** 12
"""No amount, energy or power comes near it; more digits are a mistake."""
TAG_LENGTH = 20
"""CiString20Type (OCPP 1.6 7.28)."""

Fields = Mapping[str, Any]


class Unreadable(ValueError):
    """Not JSON, or a field of the wrong type."""


class Incomplete(ValueError):
    """A field is missing."""


def read_user_price(source: str) -> UserPrice:
    """Return what SetUserPrice tells. Raises Unreadable, and Incomplete without an idToken."""
    fields = _object(source)
    tag, text, extra = _text(fields, "idToken"), _text(fields, "priceText"), _texts(fields)
    if tag is not None and len(tag) > TAG_LENGTH:
        raise Unreadable(f"idToken: at most {TAG_LENGTH} characters")
    if not tag:
        raise Incomplete("idToken is missing")
    return UserPrice(tag, text or "", extra, source)


def read_cost(source: str, zone_s: float) -> Cost:
    """Return what RunningCost or FinalCost tells; ``zone_s``: where times without a zone are, in s east of UTC.

    Raises Unreadable, and Incomplete without a transactionId or a cost.
    """
    fields = _object(source)
    transaction_id, amount = _transaction_id(fields), _number(fields, "cost")
    state = _text(fields, "state")
    if state not in (None, "Charging", "Idle"):
        raise Unreadable(f"state: {state}")
    coming = _child(fields, "nextPeriod")
    next_period = None
    if coming is not None:
        at_utc_s = _instant(coming, "atTime", zone_s)
        if at_utc_s is None:
            raise Unreadable("nextPeriod: no atTime")
        next_period = NextPeriod(at_utc_s, _charging(coming), _idle(coming))
    cost = Cost(
        transaction_id=transaction_id or 0,
        amount=amount or Decimal(0),
        at_utc_s=_instant(fields, "timestamp", zone_s),
        meter_wh=_whole(fields, "meterValue"),
        is_idle=state == "Idle",
        charging=_charging(fields),
        idle=_idle(fields),
        next_period=next_period,
        trigger=_trigger(fields, zone_s),
        text=_text(fields, "priceText") or "",
        extra=_texts(fields),
        qr_code=_text(fields, "qrCodeText") or "",
        source=source,
        zone_s=zone_s,
    )
    for name, value in (("transactionId", transaction_id), ("cost", amount)):
        if value is None:
            raise Incomplete(f"{name} is missing")
    return cost


def read_default_price(source: str) -> DefaultPrice:
    """Return a default price. Raises Unreadable, and Incomplete without a priceText."""
    fields = _object(source)
    text, offline_text, charging = _text(fields, "priceText"), _text(fields, "priceTextOffline"), _charging(fields)
    if offline_text == "":
        raise Unreadable("priceTextOffline is empty")
    if not text:
        raise Incomplete("priceText is missing")
    return DefaultPrice(text, offline_text, charging, source)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)


def _object(source: str) -> Fields:
    try:
        found = _DECODER.decode(source)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise Unreadable(f"not JSON: {error}") from error
    if type(found) is not dict:
        raise Unreadable("not a JSON object")
    return found


def _child(fields: Fields, name: str) -> Fields | None:
    if name not in fields:
        return None
    if type(fields[name]) is not dict:
        raise Unreadable(f"{name}: not an object")
    found: Fields = fields[name]
    return found


def _text(fields: Fields, name: str) -> str | None:
    if name not in fields:
        return None
    found = fields[name]
    if type(found) is not str:
        raise Unreadable(f"{name}: not a text")
    try:
        found.encode()
    except UnicodeEncodeError as error:
        raise Unreadable(f"{name}: half of a surrogate pair is no character") from error
    return found


def _number(fields: Fields, name: str) -> Decimal | None:
    if name not in fields:
        return None
    found = fields[name]
    if type(found) not in (int, Decimal) or not -LARGEST < found < LARGEST:
        raise Unreadable(f"{name}: not a number")
    return Decimal(found)


def _whole(fields: Fields, name: str) -> int | None:
    """A whole number: 3.0 is one, as JSON Schema has it."""
    found = _number(fields, name)
    if found is not None and found != found.to_integral_value():
        raise Unreadable(f"{name}: not a whole number")
    return None if found is None else int(found)


def _transaction_id(fields: Fields) -> int | None:
    """Any integer is one (OCPP 1.6, erratum 3.54), and some write it as a text."""
    found = fields.get("transactionId", 0)
    if type(found) is str and found.removeprefix("-").isdecimal() and found.isascii() and len(found) <= TAG_LENGTH:
        return int(found)
    if type(found) is not int:
        raise Unreadable("transactionId: not an integer")
    return found if "transactionId" in fields else None


def _instant(fields: Fields, name: str, zone_s: float) -> float | None:
    text = _text(fields, name)
    try:
        return None if text is None else utc_seconds(text, zone_s)
    except (ValueError, OverflowError) as error:
        raise Unreadable(f"{name}: {error}") from error


def _charging(fields: Fields) -> ChargingPrice | None:
    price = _child(fields, "chargingPrice")
    if price is None:
        return None
    return ChargingPrice(_number(price, "kWhPrice"), _number(price, "hourPrice"), _number(price, "flatFee"))


def _idle(fields: Fields) -> IdlePrice | None:
    price = _child(fields, "idlePrice")
    return None if price is None else IdlePrice(_whole(price, "graceMinutes"), _number(price, "hourPrice"))


def _texts(fields: Fields) -> tuple[PriceText, ...]:
    found = fields.get("priceTextExtra", [])
    if type(found) is not list or any(type(each) is not dict for each in found):
        raise Unreadable("priceTextExtra: not a list of objects")
    return tuple(_price_text(each) for each in found)


def _price_text(fields: Fields) -> PriceText:
    content, language = _text(fields, "content"), _text(fields, "language")
    if not content or not language:
        raise Unreadable("priceTextExtra: content and language are needed")
    try:
        return PriceText(content, language, TextFormat(_text(fields, "format") or TextFormat.UTF8))
    except ValueError as error:
        raise Unreadable(f"priceTextExtra: {error}") from error


def _trigger(fields: Fields, zone_s: float) -> MeterTrigger:
    """A trigger that cannot be is left out, and told in ``faults``: it must not cost the driver the display."""
    wanted = _child(fields, "triggerMeterValue")
    if wanted is None:
        return MeterTrigger()
    energy_kwh, power_kw = _number(wanted, "atEnergykWh"), _number(wanted, "atPowerkW")
    names = wanted.get("atCPStatus", [])
    if type(names) is not list or any(type(name) is not str for name in names):
        raise Unreadable("atCPStatus: not a list of texts")
    known = {status.value for status in ChargePointStatus}
    faults = [f"atCPStatus {name!r}" for name in names if name not in known]
    at_utc_s, text = None, _text(wanted, "atTime")
    if text is not None:
        try:
            at_utc_s = utc_seconds(text, zone_s)
        except (ValueError, OverflowError):
            faults.append(f"atTime {text!r}")
    return MeterTrigger(
        at_utc_s,
        None if energy_kwh is None else energy_kwh * 1000,
        None if power_kw is None else power_kw * 1000,
        frozenset(ChargePointStatus(name) for name in names if name in known),
        tuple(faults),
    )
