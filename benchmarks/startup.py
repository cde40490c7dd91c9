"""What a call of the command line costs: CPU of `ctl` and of every `--help`, as a ratio to imports that it cannot avoid.

    .venv/bin/python -m benchmarks.startup

The unit is the CPU of `python -c 'import click, http.client, json'` in the same run. The best of several runs counts, so
that what else the machine does matters little. Exits with 1 when a ratio is above 1.5.
"""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

from chargepoint.cli import COMMANDS

RUNS = 7
LARGEST_RATIO = 1.5
UNIT = ("-c", "import click, http.client, json")
PATIENCE_S = 30.0


def cpu_s(arguments: Sequence[str]) -> float:
    """Return the least CPU time of some runs of Python, user and system, in s."""
    best = float("inf")
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def is_open(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def main() -> int:
    """Measure and print; return the exit code."""
    port = free_port()
    demo = subprocess.Popen(
        [sys.executable, "-m", "chargepoint", "demo", "--control", str(port), "-q"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until_s = time.monotonic() + PATIENCE_S
        while not is_open(port) and time.monotonic() < until_s:
            time.sleep(0.05)
        unit_s = cpu_s(UNIT)
        calls = [(*command, "--help") for command in [(), *((name,) for name in COMMANDS), ("ctl", "fault")]]
        control = ("ctl", "--url", f"http://127.0.0.1:{port}")
        calls += [(*control, "state"), (*control, "queue"), (*control, "plug-in"), (*control, "swipe", "04A1", "--wait")]
        worst = 0.0
        print(f"unit: {unit_s * 1000:.0f} ms of CPU, python {' '.join(UNIT)}")
        for call in calls:
            ratio = cpu_s(("-m", "chargepoint", *call)) / unit_s
            worst = max(worst, ratio)
            print(f"{ratio:5.2f}  chargepoint {' '.join(call)}")
    finally:
        demo.terminate()
        demo.wait()
    return 0 if worst <= LARGEST_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
