"""A day of many chargers on the stepped clock, central system included: CPU seconds.

Usage: ``python -m benchmarks.stepped [--count 200] [--hours 24]``. Each charger has one session of 4 h, samples every 60 s
and a heartbeat every 300 s; nothing is left out: frames are written, read and validated at both ends, and stored. An
*exchange* is a call with its answer and all that led to it. *Plain* is what the ``ocpp`` package takes to write and read
one call, without its answer, socket, timers, physics and store.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

from benchmarks.wire import messages, micros, plain_read, plain_write
from chargepoint.runtime.assembly import ChargerPlan
from chargepoint.runtime.stepped import SteppedSite
from hw.loader import plan_board
from hw.ports import Board

START_UTC_S = 1_767_225_600.0  # 2026-01-01T00:00:00Z
SESSION_S = 4 * 3600.0
SPREAD_S = 300.0
"""Chargers come up, and drivers arrive, within so long."""
KEYS = {"MeterValueSampleInterval": "60"}


def plug_in(board: Board, now_s: float) -> None:
    hands = board.outlet(1).hands
    assert hands is not None
    hands.plug_in(now_s)


def unplug(board: Board, now_s: float) -> None:
    hands = board.outlet(1).hands
    assert hands is not None
    hands.unplug(now_s)


def tap(board: Board, now_s: float) -> None:
    board.readers[0].present("04AABBCCDDEEFF", now_s)


def live(count: int, hours: float) -> SteppedSite:
    """Live a day; sessions begin with the second hour, or at once when there is no time for that."""
    site = SteppedSite(start_utc_s=START_UTC_S, seed=1)
    board = plan_board("ac11-sim")
    gap_s = SPREAD_S / count
    for number in range(count):
        site.add(ChargerPlan(identity=f"CP{number}", board=board, keys=KEYS, seed=number))
        site.run_for(gap_s)
    first_s = 3600.0 if hours * 3600.0 > SESSION_S + 2 * 3600.0 else SPREAD_S + 60.0
    deeds: list[tuple[float, Callable[[Board, float], None]]] = [
        (first_s, plug_in),
        (first_s + 20.0, tap),
        (first_s + SESSION_S, tap),
        (first_s + SESSION_S + 60.0, unplug),
    ]
    due = [(at_s + number * gap_s, number, deed) for at_s, deed in deeds for number in range(count)]
    for due_s, number, deed in sorted(due, key=lambda each: each[:2]):
        if due_s < hours * 3600.0:
            site.run_until_utc(START_UTC_S + due_s)
            site.act(f"CP{number}", deed)
    site.run_until_utc(START_UTC_S + hours * 3600.0)
    return site


def small_sample() -> Any:
    """Return what most of the calls here are like: a MeterValues with one value."""
    sample = messages()[-1]
    del sample.meter_value[0].sampled_value[1:]
    return sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--hours", type=float, default=24.0)
    options = parser.parse_args()
    before_s = time.process_time()
    site = live(options.count, options.hours)
    cpu_s = time.process_time() - before_s
    chargers = site.central.chargers.values()
    exchanges = site.central.exchanges
    sample = small_sample()
    text = plain_write(sample)
    plain_us = micros(lambda: plain_write(sample)) + micros(lambda: plain_read(text))
    found = {
        "chargers": options.count,
        "hours": options.hours,
        "transactions": sum(charger.transactions_started for charger in chargers),
        "energy_kwh": round(sum(charger.energy_wh for charger in chargers) / 1000.0, 1),
        "exchanges": exchanges,
        "cpu_s": round(cpu_s, 2),
        "us_per_exchange": round(1e6 * cpu_s / exchanges, 1),
        "plain_us_for_one_call_alone": round(plain_us, 1),
        "ratio": round(1e6 * cpu_s / exchanges / plain_us, 3),
    }
    for name, value in found.items():
        print(f"{name:<32}{value:>12}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
