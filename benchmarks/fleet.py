"""Many chargers over sockets: what booting, waiting, sampling and answering cost, here and in the plain client.

Usage: ``python -m benchmarks.fleet [--count 1000] [--only boot,memory,steady,flood,trigger,growth]``; see README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import IO, Any, cast

from benchmarks.processes import cpu_s, rss_kb, waited_s

PROGRAMS = {
    "plain": ["benchmarks.plain_client", "--interval", "{interval}"],
    "here": ["chargepoint", "fleet", "--meter-interval", "{interval}"],
}
STATUS = {"requestedMessage": "StatusNotification", "connectorId": 1}
LEAST_CALL_SHARE = 0.48
"""In a flood each trigger makes the charger call; one that starves its own calls looks cheaper than it is."""
SWIFT_MS = 5.0


class Bench:
    """A sink, one program that dials it, and what they used."""

    def __init__(self, sink: subprocess.Popen[str], program: subprocess.Popen[bytes], count: int) -> None:
        self.sink = sink
        self.pid = program.pid
        self.count = count

    def ask(self, do: str, **options: Any) -> dict[str, Any]:
        cast("IO[str]", self.sink.stdin).write(json.dumps({"do": do, **options}) + "\n")
        cast("IO[str]", self.sink.stdin).flush()
        return cast("dict[str, Any]", json.loads(cast("IO[str]", self.sink.stdout).readline()))

    def booted(self) -> float:
        """Wait until all are accepted; return the CPU seconds it took from the start of the process."""
        found = self.ask("wait", what="booted", count=self.count, timeout_s=240)
        spent_s = cpu_s(self.pid)
        if found["count"] < self.count:
            raise SystemExit(f"only {found['count']} of {self.count} chargers booted")
        self.ask("wait", what="told", count=self.count)
        time.sleep(1.0)
        return spent_s

    def charging(self) -> None:
        """Start a transaction at each."""
        payload = {"connectorId": 1, "idTag": "TAG1"}
        self.ask("call", action="RemoteStartTransaction", payload=payload, rate=200, count=self.count)
        found = self.ask("wait", what="started", count=self.count)
        if found["count"] < self.count:
            raise SystemExit(f"only {found['count']} of {self.count} chargers started")

    def spent(self, do: str, **options: Any) -> dict[str, Any]:
        """Run a command of the sink; return its figures and the CPU seconds of the program for it."""
        self.ask("reset")
        before_s, waited_before_s, sink_before_s = cpu_s(self.pid), waited_s(self.pid), cpu_s(self.sink.pid)
        if do == "sleep":
            time.sleep(options["seconds"])
            figures = self.ask("stats")
        else:
            figures = self.ask(do, **options)
        figures["cpu_s"] = cpu_s(self.pid) - before_s
        figures["sink_cpu_s"] = cpu_s(self.sink.pid) - sink_before_s
        figures["waited_s"] = waited_s(self.pid) - waited_before_s
        return figures


@contextmanager
def bench(program: str, count: int, interval_s: int) -> Iterator[Bench]:
    """Start sink and program, each on a core of its own where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    python = [sys.executable, "-m"]
    sink = subprocess.Popen([*python, "benchmarks.sink"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    os.sched_setaffinity(sink.pid, {cores[-1]})
    port = json.loads(cast("IO[str]", sink.stdout).readline())["port"]
    words = [word.format(interval=interval_s) for word in PROGRAMS[program]]
    command = [*python, *words, "--url", f"ws://127.0.0.1:{port}/ocpp", "--count", str(count)]
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.sched_setaffinity(started.pid, {cores[0]})
    try:
        yield Bench(sink, started, count)
    finally:
        started.terminate()
        started.wait(60)
        cast("IO[str]", sink.stdin).close()
        sink.wait(60)


# --- what is measured -------------------------------------------------------------------------------------------------


def measure_many(program: str, options: argparse.Namespace) -> dict[str, float | None]:
    """Boot one and many; memory in a transaction; CPU while they sample."""
    found: dict[str, float | None] = {}
    with bench(program, 1, options.interval) as one:
        found["boot of 1, CPU s"] = one.booted()
        one.charging()
        time.sleep(2.0)
        base_kb = rss_kb(one.pid)
        found["RSS of 1, MB"] = base_kb / 1024
    with bench(program, options.count, options.interval) as many:
        found[f"boot of {options.count}, CPU s"] = many.booted()
        many.charging()
        time.sleep(min(options.interval, 5))
        if options.count > 1:
            found["RSS a charger, KB"] = (rss_kb(many.pid) - base_kb) / (options.count - 1)
        figures = many.spent("sleep", seconds=options.window)
        found["steady, CPU ms a call"] = 1e3 * figures["cpu_s"] / max(1, figures["calls"])
        found["(steady, calls/s)"] = figures["calls"] / options.window
        found["(steady, s without a core)"] = figures["waited_s"]
    return found


def measure_messages(program: str, options: argparse.Namespace) -> dict[str, float | None]:
    """A flood, TriggerMessage at rising rates, and memory under load, with a hundred chargers."""
    found: dict[str, float | None] = {}
    with bench(program, options.flooded, 3600) as some:
        some.booted()
        some.charging()
        time.sleep(1.0)
        if "flood" in options.only:
            figures = some.spent("flood", action="TriggerMessage", payload=STATUS, seconds=options.flood)
            pairs = figures["calls"] + figures["answers"]
            share = figures["calls"] / pairs
            found["flood, CPU ms a pair"] = 1e3 * figures["cpu_s"] / pairs
            found["(flood, pairs/s)"] = pairs / options.flood
            found["(flood, share of calls)"] = share
            if share < LEAST_CALL_SHARE:
                found["flood, CPU ms a pair"] = None  # it starved its own calls
        if "trigger" in options.only:
            found["TriggerMessage/s, p50 < 5 ms"] = swiftest(some, options.rates)
        if "growth" in options.only:
            some.ask("call", action="TriggerMessage", payload=STATUS, rate=200, count=2000)
            before_kb = rss_kb(some.pid)
            some.ask("call", action="TriggerMessage", payload=STATUS, rate=200, count=int(200 * options.growth))
            found[f"RSS growth in {options.growth:.0f} s, %"] = 100.0 * (rss_kb(some.pid) / before_kb - 1.0)
    return found


def swiftest(some: Bench, rates: list[float]) -> float | None:
    """Return the highest rate at which half of the answers took less than `SWIFT_MS`."""
    best = None
    for rate in rates:
        figures = some.spent("call", action="TriggerMessage", payload=STATUS, rate=rate, count=int(3 * rate))
        print(f"    {rate:.0f}/s: {json.dumps(figures)}", file=sys.stderr)
        if figures["p50_ms"] is None or figures["p50_ms"] >= SWIFT_MS or figures["seconds"] > 4.0:
            break
        best = rate
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="chargers to boot, and to sample")
    parser.add_argument("--interval", type=int, default=10, help="seconds between meter values")
    # Long enough that the start of the cars, which take 15 s to draw their current, is a small part of it.
    parser.add_argument("--window", type=float, default=60.0, help="seconds of sampling that are measured")
    parser.add_argument("--flooded", type=int, default=100, help="chargers for flood, trigger and growth")
    parser.add_argument("--flood", type=float, default=5.0, help="seconds of it")
    parser.add_argument("--rates", default="400,800,1200,1600,2000,2500,3000,3500,4000", help="TriggerMessage/s to try")
    parser.add_argument("--growth", type=float, default=60.0, help="seconds of load between two looks at the memory")
    parser.add_argument("--only", default="boot,flood,trigger,growth", help="what to measure")
    parser.add_argument("--program", action="append", choices=tuple(PROGRAMS), help="default: both")
    options = parser.parse_args()
    options.only = options.only.split(",")
    options.rates = [float(rate) for rate in options.rates.split(",")]
    found: dict[str, dict[str, float | None]] = {}
    with installed():
        measure(options, found)
    report(found)


@contextmanager
def installed() -> Iterator[None]:
    """Let programs start as installed ones do, their modules compiled already, whatever the environment says."""
    with TemporaryDirectory() as place:
        os.environ["PYTHONPYCACHEPREFIX"] = place
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        for program in PROGRAMS:
            with bench(program, 1, 3600) as one:
                one.booted()
        yield


def measure(options: argparse.Namespace, found: dict[str, dict[str, float | None]]) -> None:
    for program in options.program or PROGRAMS:
        found[program] = measure_many(program, options) if "boot" in options.only else {}
        if {"flood", "trigger", "growth"} & set(options.only):
            found[program] |= measure_messages(program, options)


def report(found: dict[str, dict[str, float | None]]) -> None:
    print(f"{'':<32}" + "".join(f"{program:>12}" for program in found) + f"{'ratio':>12}")
    for name in next(iter(found.values())):
        values = [figures.get(name) for figures in found.values()]
        ratio = values[-1] / values[0] if len(values) == 2 and values[0] and values[-1] is not None else None
        cells = "".join(f"{'-' if value is None else f'{value:.3f}':>12}" for value in (*values, ratio))
        print(f"{name:<32}{cells}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
