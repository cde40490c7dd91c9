"""What encoding, decoding and validating cost here and in the plain ``ocpp`` package, in one run: the ratios hold.

Usage: ``python -m benchmarks.wire``. *Plain* is what `ocpp.v16.ChargePoint` does to a message, without its socket, its
logging and its thread pool: ``asdict``, re-casing of names, JSON, and validation, of what it sends as well. The last
column is our part of it alone: no frame, no JSON parser.
"""

from __future__ import annotations

import json
import timeit
from collections.abc import Callable
from functools import partial
from typing import Any

from ocpp.charge_point import camel_to_snake_case, remove_nones, serialize_as_dict, snake_to_camel_case
from ocpp.messages import Call, _validate_payload, unpack
from ocpp.v16 import call, datatypes, enums

from chargepoint.model import wire

MESSAGE_ID = "0f1b2c3d-89ab-4cde-8f01-23456789abcd"
NOON = "2026-01-15T12:00:00.000Z"


def sample(value: str, measurand: enums.Measurand, unit: enums.UnitOfMeasure, phase: enums.Phase | None = None) -> Any:
    context, location = enums.ReadingContext.sample_periodic, enums.Location.outlet
    return datatypes.SampledValue(value, context, None, measurand, phase, location, unit)


def messages() -> list[Any]:
    """Return a small message, a middling one, and what a three-phase wallbox sends each minute (8 sampled values)."""
    phases = (
        (enums.Phase.l1, enums.Phase.l1_n),
        (enums.Phase.l2, enums.Phase.l2_n),
        (enums.Phase.l3, enums.Phase.l3_n),
    )
    values = [
        sample("1234567", enums.Measurand.energy_active_import_register, enums.UnitOfMeasure.wh),
        sample("11040.0", enums.Measurand.power_active_import, enums.UnitOfMeasure.w),
    ]
    for line, neutral in phases:
        values.append(sample("16.0", enums.Measurand.current_import, enums.UnitOfMeasure.a, line))
        values.append(sample("230.1", enums.Measurand.voltage, enums.UnitOfMeasure.v, neutral))
    no_error, available = enums.ChargePointErrorCode.no_error, enums.ChargePointStatus.available
    return [
        call.Authorize("04A1B2C3D4E5F6"),
        call.StatusNotification(1, no_error, available, NOON),
        call.MeterValues(1, [datatypes.MeterValue(NOON, values)], 17),
    ]


def plain_write(message: Any) -> str:
    payload = remove_nones(snake_to_camel_case(serialize_as_dict(message)))  # type: ignore[no-untyped-call]
    frame = Call(MESSAGE_ID, type(message).__name__, payload)  # type: ignore[no-untyped-call]
    _validate_payload(frame, "1.6")
    text: str = frame.to_json()  # type: ignore[no-untyped-call]
    return text


def plain_read(text: str) -> Any:
    frame = unpack(text)  # type: ignore[no-untyped-call]
    _validate_payload(frame, "1.6")
    return getattr(call, frame.action)(**camel_to_snake_case(frame.payload))  # type: ignore[no-untyped-call]


def our_write(message: Any) -> str:
    return wire.call_frame(MESSAGE_ID, wire.action_of(message), wire.encode_payload(message))


def our_read(text: str) -> object:
    frame = wire.read_frame(text)
    assert isinstance(frame, wire.Call)
    return wire.decode_call(frame.action, frame.payload)


def micros(work: Callable[[], object]) -> float:
    """Return the time of one go in us: the best of five rounds of about 0.1 s, after one to warm the caches."""
    work()
    count = max(1, int(0.1 / timeit.timeit(work, number=3) * 3))
    return min(timeit.repeat(work, number=count, repeat=5)) / count * 1e6


def report(name: str, plain: Callable[[], object], ours: Callable[[], object], payload: Callable[[], object]) -> None:
    plain_us, our_us = micros(plain), micros(ours)
    print(f"{name:<26}{plain_us:>10.1f}{our_us:>10.1f}{our_us / plain_us:>8.3f}{micros(payload):>12.1f}")


def main() -> None:
    print(f"{'':<26}{'plain us':>10}{'here us':>10}{'ratio':>8}{'payload us':>12}")
    for message in messages():
        text, action = our_write(message), wire.action_of(message)
        assert text == plain_write(message)
        encode = partial(wire.encode_payload, message)
        report(f"{action}, write", partial(plain_write, message), partial(our_write, message), encode)
        decode = partial(wire.decode_call, action, json.loads(text)[3])
        report(f"{action}, read", partial(plain_read, text), partial(our_read, text), decode)


if __name__ == "__main__":
    main()
