"""What a process and its children have used, from ``/proc``: CPU seconds, memory, time spent waiting for a core."""

from __future__ import annotations

import os
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """Return a process and all below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for each in found:
        found += children.get(each, ())
    return found


def _stat(pid: int) -> list[str]:
    """Return the fields after the name, [] for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def cpu_s(pid: int) -> float:
    """User and system seconds of the tree, those of children that have ended included."""
    return sum(sum(map(int, fields[11:15])) for each in tree(pid) if (fields := _stat(each))) / TICK


def rss_kb(pid: int) -> int:
    """Resident memory of the tree in KiB."""
    pages = 0
    for each in tree(pid):
        try:
            pages += int(Path(f"/proc/{each}/statm").read_text().split()[1])
        except OSError:
            continue
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def waited_s(pid: int) -> float:
    """How long its threads could have run but had no core: not small means that the machine was shared."""
    nanoseconds = 0
    for each in tree(pid):
        for schedstat in Path(f"/proc/{each}/task").glob("*/schedstat"):
            try:
                nanoseconds += int(schedstat.read_text().split()[1])
            except OSError:
                continue
    return nanoseconds / 1e9
