"""500 chargers at 10 events a second each, with and without open pages: is any charger late for it, does memory grow?

Usage: ``python -m benchmarks.onlookers [--count 500] [--pages 3] [--window 20] [--rounds 3]``. Every charger samples each
second (a call and its answer) and writes further journal entries up to 10 a second. Windows without and with pages take
turns. A page is an event stream, read by a process of its own: the first of one charger, the others of all. One more is
opened and never read. *Lateness* is how long after its due time a timer of a charger ran, in ms; on a machine that others
use too it is theirs (see ``without_a_core``). What the pages themselves can do to a charger is ``bundle_ms``: CPU of the
longest single look for one of them, while which nothing else runs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.request import urlopen

from benchmarks.processes import waited_s
from chargepoint.model.journal import OfferChanged
from chargepoint.model.timebase import Scheduler, Timer
from chargepoint.runtime.assembly import ChargerPlan
from chargepoint.runtime.charger import Charger
from chargepoint.runtime.control.admission import Admission
from chargepoint.runtime.control.live import Bundle, Follower
from chargepoint.runtime.frontdesk import FrontDesk
from chargepoint.runtime.site import Site
from chargepoint.runtime.store import Durability, Store
from hw.loader import plan_board
from hw.ports import Board

KEYS = {"MeterValueSampleInterval": "1", "HeartbeatInterval": "3600"}
EVENTS_A_S = 10
OF_SAMPLES = 2
"""Events a second that a sample each second makes: the call, and its answer."""

ANSWERS: dict[str, Any] = {
    "BootNotification": {"status": "Accepted", "currentTime": "2026-01-01T00:00:00Z", "interval": 3600},
    "Authorize": {"idTagInfo": {"status": "Accepted"}},
    "StartTransaction": {"idTagInfo": {"status": "Accepted"}, "transactionId": 1},
}


class Echo:
    """A link in memory whose other end answers everything at once."""

    is_held = False

    def __init__(self, charger: Charger) -> None:
        self._charger = charger
        self.is_idle = True

    def start(self) -> None:
        asyncio.get_running_loop().call_soon(self._open)

    def _open(self) -> None:
        self.is_idle = False
        self._charger.on_open("ocpp1.6")

    def stop(self, code: int = 1001, reason: str = "") -> None:
        self.is_idle = True

    def redial(self, code: int = 1000, reason: str = "") -> None: ...
    def drop(self) -> None: ...
    def hold(self, network_down: bool) -> None: ...
    def set_ping_interval(self, interval_s: float) -> None: ...
    def reset_backoff(self) -> None: ...

    def send_text(self, text: str) -> bool:
        frame = json.loads(text)
        if frame[0] == 2:
            answer = json.dumps([3, frame[1], ANSWERS.get(frame[2], {})])
            asyncio.get_running_loop().call_soon(self._charger.on_text, answer)
        return True


class Watch:
    """How late timers run: every one that is taken off the heap is looked at."""

    def __init__(self, site: Site) -> None:
        self.late_ms: list[float] = []
        take_due: Callable[[Scheduler], Timer | None] = Scheduler.take_due

        def taking(scheduler: Scheduler) -> Timer | None:
            timer = take_due(scheduler)
            if timer is not None:
                self.late_ms.append(1000.0 * (site.clock.wire_s() - timer.due_s))
            return timer

        Scheduler.take_due = taking  # type: ignore[method-assign]
        self.bundle_ms: list[float] = []
        bundles = Follower.bundles

        def looking(follower: Follower) -> Iterator[Bundle | None]:
            looks = bundles(follower)
            while True:
                begin_s = time.thread_time()
                try:
                    bundle = next(looks)
                except StopIteration:
                    return
                if bundle is not None:
                    json.dumps(bundle.body)  # once more than needed: writing it belongs to the look
                self.bundle_ms.append(1000.0 * (time.thread_time() - begin_s))
                yield bundle

        Follower.bundles = looking  # type: ignore[method-assign]

    def take(self) -> dict[str, float]:
        found, self.late_ms = sorted(self.late_ms), []
        looks, self.bundle_ms = sorted(self.bundle_ms) or [0.0], []
        return {
            "bundle_p50_ms": round(looks[len(looks) // 2], 2),
            "bundle_max_ms": round(looks[-1], 2),
            "p50_ms": round(found[len(found) // 2], 2),
            "p99_ms": round(found[int(len(found) * 0.99)], 2),
            "max_ms": round(found[-1], 1),
        }


def busy(charger: Charger, site: Site, phase_s: float) -> None:
    """Let a charger write the rest of its events, evenly."""
    timers = site.pump.timers(charger)
    gap_s = 1.0 / (EVENTS_A_S - OF_SAMPLES)

    def write(due_s: float, now_s: float) -> None:
        charger.model.journal.write(now_s, OfferChanged(1, 16.0, "an entry of the benchmark"))
        timers.at(due_s + gap_s, partial(write, due_s + gap_s))

    first_s = site.clock.charge_s() + phase_s * gap_s
    timers.at(first_s, partial(write, first_s))


def page(url: str) -> None:
    """Read a stream as a page does; print what came of it at the end of the stream."""
    got, bundles, gaps, before_s = 0, 0, [0.0], time.monotonic()
    try:
        with urlopen(url) as stream:
            for line in stream:
                got += len(line)
                if line.startswith(b"data: "):
                    json.loads(line[6:])
                    bundles += 1
                    gaps.append(time.monotonic() - before_s)
                    before_s = time.monotonic()
    except (OSError, KeyboardInterrupt):
        pass
    print(json.dumps({"bytes": got, "bundles": bundles, "longest_gap_s": round(max(gaps), 2)}))


async def charge(site: Site, chargers: list[Charger]) -> None:
    def plug(board: Board, now_s: float) -> None:
        hands = board.outlet(1).hands
        assert hands is not None
        hands.plug_in(now_s)

    for charger in chargers:
        charger.act(plug)
        await asyncio.sleep(1.0 / len(chargers))
    await asyncio.sleep(2.0)
    for charger in chargers:
        charger.act(lambda board, now_s: board.readers[0].present("04A1B2C3", now_s))
        await asyncio.sleep(1.0 / len(chargers))
    await asyncio.sleep(8.0)


async def run(count: int, pages: int, window_s: float, rounds: int) -> dict[str, Any]:
    store = Store(None, Durability.RELAXED)
    site = Site(store, seed=1)
    front = FrontDesk(site)
    board = plan_board("ac11-sim")
    chargers = [site.add(ChargerPlan(identity=f"CP{n}", board=board, keys=KEYS, seed=n), Echo) for n in range(count)]
    watch = Watch(site)
    for number, charger in enumerate(chargers):
        front.watch(charger)
        charger.start()
        busy(charger, site, number / count)
    url = await front.listen(Admission(port=0))
    await charge(site, chargers)
    charging = sum(each.model.connector(1).is_charging for each in chargers)
    site.settle_memory()
    found: dict[str, list[dict[str, float]]] = {"without": [], "with": []}
    told: list[dict[str, Any]] = []
    for _round in range(rounds):
        for kind in found:
            readers = [reader(url, number) for number in range(pages)] if kind == "with" else []
            lazy = await unread(url) if kind == "with" else None
            await asyncio.sleep(1.0)
            watch.take()
            begin, cpu, waited, events = (
                site.clock.wire_s(),
                time.process_time(),
                waited_s(os.getpid()),
                front.events.last,
            )
            await asyncio.sleep(window_s)
            took_s = site.clock.wire_s() - begin
            found[kind].append(
                {
                    **watch.take(),
                    "cpu": round((time.process_time() - cpu) / took_s, 3),
                    "without_a_core": round((waited_s(os.getpid()) - waited) / took_s, 3),
                    "events_a_s": round((front.events.last - events) / took_s),
                    "rss_mb": round(my_rss_mb(), 1),
                }
            )
            print(kind, found[kind][-1], flush=True)
            if lazy is not None:
                lazy.close()
            for each in readers:
                each.send_signal(2)
            for each in readers:
                output, _ = await asyncio.to_thread(each.communicate)
                told.append(json.loads(output))
    await front.close()
    await site.close()
    store.close()
    return {"charging": charging, **found, "pages": told}


def reader(url: str, number: int) -> subprocess.Popen[bytes]:
    query = "?charger=CP0" if number == 0 else ""
    words = [sys.executable, "-m", "benchmarks.onlookers", "--read", f"{url}/api/v1/events{query}"]
    return subprocess.Popen(words, stdout=subprocess.PIPE)


async def unread(url: str) -> asyncio.StreamWriter:
    """Open a stream that nobody reads."""
    port = int(url.rpartition(":")[2])
    _reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(b"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    return writer


def my_rss_mb() -> float:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def middle(windows: list[dict[str, float]], name: str) -> float:
    return statistics.median(each[name] for each in windows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--pages", type=int, default=3)
    parser.add_argument("--window", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--read", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        page(options.read)
        return
    found = asyncio.run(run(options.count, options.pages, options.window, options.rounds))
    print(f"{'median of windows':<24}{'without':>10}{'with':>10}{'ratio':>8}")
    for name in found["with"][0]:
        without, with_ = middle(found["without"], name), middle(found["with"], name)
        print(f"{name:<24}{without:>10g}{with_:>10g}{with_ / without if without else 0:>8.2f}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
