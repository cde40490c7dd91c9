"""The local authorization list: applied, looked up, stored, held in memory; beside a plain list, in one run.

Usage: ``python -m benchmarks.local_list [--entries 10000]``. The list comes as a central system sends it, a full message
and differential ones of 500 entries each. *Plain* reads a message as `ocpp.v16.ChargePoint` does (jsonschema, re-casing of
names), puts it into a dict of dicts as JSON gives them, and keeps that dict as one JSON file, written and synced whole.
"""

from __future__ import annotations

import argparse
import json
import os
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import profiles
from benchmarks.wire import plain_read
from chargepoint.model import wire
from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.feature import Roster
from chargepoint.model.outbox import TrySave
from chargepoint.model.session import Later
from chargepoint.model.timebase import Calendar, Scheduler, Timers
from chargepoint.runtime.store import Store

START_UTC_S = 1_767_225_600.0  # 2026-01-01T00:00:00Z
PART = 500
"""SendLocalListMaxLength."""
LOOKUPS = 10_000


def frame(version: int, kind: str, entries: list[dict[str, Any]]) -> str:
    payload = {"listVersion": version, "updateType": kind, "localAuthorizationList": entries}
    return json.dumps([2, f"list-{version}", "SendLocalList", payload])


def frames(tags: list[str], is_rich: bool) -> list[str]:
    """Return the messages that build a list; a rich entry has a group, one of a hundred, and an expiry date of its own."""
    entries: list[dict[str, Any]] = []
    for number, tag in enumerate(tags):
        info: dict[str, Any] = {"status": "Accepted"}
        if is_rich:
            day, minute = divmod(number, 1440)
            info["parentIdTag"] = f"GROUP{number % 100:04}"
            info["expiryDate"] = f"2027-01-{day % 28 + 1:02}T{minute // 60:02}:{minute % 60:02}:00Z"
        entries.append({"idTag": tag, "idTagInfo": info})
    parts = [entries[start : start + PART] for start in range(0, len(entries), PART)]
    return [frame(n, "Differential" if n > 1 else "Full", part) for n, part in enumerate(parts, 1)]


def charger(kept: Any = None) -> ChargePoint:
    """A charger without outlets, board and link: what is left has a list."""
    timers = Timers(Scheduler())
    model = ChargePoint(
        "CP1", (), Roster(profiles.select()), timers=timers, calendar=Calendar(timers, START_UTC_S), rng=Random(1)
    )
    model.start(kept or {}, 0.0)
    model.take_effects()
    return model


def take(model: ChargePoint, text: str, keep: Callable[[list[Any]], None] | None = None) -> None:
    """Let a charger take one message, from text to what it stores."""
    call = wire.read_frame(text)
    assert isinstance(call, wire.Call)
    response = model.serve(wire.decode_call(call.action, call.payload), 0.0)
    assert isinstance(response, Later), response  # the answer waits for the store
    for effect in model.take_effects():
        if isinstance(effect, TrySave):
            if keep is not None:
                keep([("CP1", save) for save in effect.saves])
            model.on_stored(effect.ref, True, 0.0)
    model.take_effects()


Plain = dict[str, dict[str, Any]]


def plain_take(held: Plain, text: str, path: Path | None = None) -> None:
    request = plain_read(text)
    if request.update_type == "Full":
        held.clear()
    for entry in request.local_authorization_list:
        held[entry["id_tag"].lower()] = entry["id_tag_info"]
    if path is not None:
        with path.open("w", encoding="utf-8") as file:
            json.dump(held, file)
            file.flush()
            os.fsync(file.fileno())


def best(work: Callable[[], object], rounds: int = 5) -> float:
    """Return the seconds of one go: the best of some."""
    times = []
    for _ in range(rounds):
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    return min(times)


def built(texts: list[str]) -> ChargePoint:
    model = charger()
    for text in texts:
        take(model, text)
    return model


def plain_built(texts: list[str]) -> Plain:
    held: Plain = {}
    for text in texts:
        plain_take(held, text)
    return held


def held_bytes(build: Callable[[], object]) -> int:
    """Return what stays allocated when something has been built."""
    build()
    tracemalloc.start()
    kept = build()
    size, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return size


def report(name: str, plain: float, ours: float, unit: str) -> None:
    print(f"{name:<44}{plain:>10.2f}{ours:>10.2f} {unit:<4}{ours / plain:>8.3f}")


def in_memory(texts: list[str], kind: str) -> None:
    count = PART * len(texts)
    report(f"{kind}: applied, us an entry", *(best(partial(f, texts)) / count * 1e6 for f in (plain_built, built)), "us")
    empty, plain_empty = held_bytes(lambda: built([])), held_bytes(lambda: plain_built([]))
    plain, ours = held_bytes(lambda: plain_built(texts)) - plain_empty, held_bytes(lambda: built(texts)) - empty
    report(f"{kind}: held, bytes an entry", plain / count, ours / count, "B")


def lookups(texts: list[str], tags: list[str]) -> None:
    model, held = built(texts), plain_built(texts)
    asked = Random(2).choices(tags, k=LOOKUPS)

    def plain() -> None:
        for tag in asked:
            assert held.get(tag.lower())

    def ours() -> None:
        for tag in asked:
            assert model.listed(tag)

    report("looked up, us", best(plain) / LOOKUPS * 1e6, best(ours) / LOOKUPS * 1e6, "us")


def on_disk(texts: list[str], tags: list[str], folder: Path) -> None:
    """What it takes until the list is on the disk, synced, and until a charger that starts has it again."""
    store, path = Store(folder / "store.db"), folder / "list.json"
    model, held = charger(), {}
    start = perf_counter()
    for text in texts:
        plain_take(held, text, path)
    middle = perf_counter()
    for text in texts:
        take(model, text, store.commit)
    end = perf_counter()
    report("applied and stored, ms", (middle - start) * 1e3, (end - middle) * 1e3, "ms")
    changes = [
        frame(1000 + n, "Differential", [{"idTag": tag, "idTagInfo": {"status": "Blocked"}}])
        for n, tag in enumerate(tags[:20])
    ]
    rest = iter(changes)
    plain_s = best(lambda: plain_take(held, next(rest), path), 20)
    rest = iter(changes)
    our_s = best(lambda: take(model, next(rest), store.commit), 20)
    report("one entry changed and stored, ms", plain_s * 1e3, our_s * 1e3, "ms")
    again_s = best(lambda: charger(store.load("CP1")))
    report("read again at start, ms", best(lambda: json.loads(path.read_text("utf-8"))) * 1e3, again_s * 1e3, "ms")
    found = charger(store.load("CP1"))
    assert all(found.listed(tag) == model.listed(tag) for tag in tags)
    store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=10_000, help=f"at most 10000; rounded down to parts of {PART}")
    count = max(1, parser.parse_args().entries // PART) * PART
    tags = [f"04{number:012X}" for number in Random(1).sample(range(2**40), count)]
    lean, rich = frames(tags, is_rich=False), frames(tags, is_rich=True)
    print(f"{f'{count} entries':<44}{'plain':>10}{'here':>10}{'':<5}{'ratio':>8}")
    in_memory(lean, "status only")
    in_memory(rich, "with group and expiry")
    lookups(rich, tags)
    with TemporaryDirectory() as folder:
        on_disk(rich, tags, Path(folder))


if __name__ == "__main__":
    main()
