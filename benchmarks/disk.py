"""What the store costs: bytes written in an hour of charging with full durability, and the time to load chargers.

    python -m benchmarks.disk                       # 30 s
    python -m benchmarks.disk --hours 8 --folder /mnt/card
    python -m benchmarks.disk --chargers 10000

The charge runs on the stepped clock against the embedded central system, the store is a real file with synced commits.
"Handed over" is what the process gave to write(2) (`wchar` of /proc/self/io), "to the device" is what the kernel counts
for a block device (`write_bytes`; 0 on tmpfs). A commit is one synced transaction of the store.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from chargepoint.model.outbox import Save
from chargepoint.runtime.assembly import ChargerPlan
from chargepoint.runtime.stepped import SteppedSite
from chargepoint.runtime.store import Durability, Store
from hw.loader import plan_board
from hw.ports import Board

START_UTC_S = 1_767_225_600.0


class Counting(Store):
    """A store that counts its commits and their records."""

    commits = 0
    records = 0

    def commit(self, rows: Iterable[tuple[str, Save]]) -> None:
        rows = list(rows)
        self.commits += 1
        self.records += len(rows)
        super().commit(rows)


def io_bytes() -> tuple[int, int]:
    """Return what this process has written so far: handed over, and to a device."""
    found = dict(line.split(": ") for line in Path("/proc/self/io").read_text("ascii").splitlines())
    return int(found["wchar"]), int(found["write_bytes"])


def _start(board: Board, now_s: float) -> None:
    hands = board.outlet(1).hands
    assert hands is not None
    hands.plug_in(now_s)
    board.readers[0].present("A1", now_s)


def charge(folder: Path, hours: float, keeps_board: bool, interval_s: int) -> None:
    """Charge for some hours and print what it cost."""
    store = Counting(folder / f"charge-{keeps_board}-{interval_s}.sqlite3", Durability.FULL)
    site = SteppedSite(store, start_utc_s=START_UTC_S, seed=1)
    keys = {"MeterValueSampleInterval": str(interval_s)}
    site.add(ChargerPlan(identity="CP1", board=plan_board("ac22-sim"), keys=keys, keeps_board=keeps_board, seed=1))
    site.run_for(60.0)
    site.act("CP1", _start)
    site.run_for(60.0)
    assert site.charger("CP1").model.connector(1).is_charging
    before, commits, records, began_s = io_bytes(), store.commits, store.records, time.perf_counter()
    site.run_for(hours * 3600.0)
    handed, device = (now - then for now, then in zip(io_bytes(), before, strict=True))
    board = "board stored" if keeps_board else "as on hardware"
    print(
        f"charge, {board}, samples every {interval_s} s: {(store.commits - commits) / hours:.0f} commits an hour, "
        f"{(store.records - records) / hours:.0f} records, {handed / hours / 1e6:.2f} MB handed over, "
        f"{device / hours / 1e6:.2f} MB to the device; {time.perf_counter() - began_s:.1f} s of wall time"
    )
    site.close()


def load(folder: Path, chargers: int) -> None:
    """Fill a store with chargers as a fleet leaves them, and print what reading one takes."""
    store = Store(folder / "fleet.sqlite3", Durability.RELAXED)
    site = SteppedSite(store, start_utc_s=START_UTC_S, seed=1)
    site.add(ChargerPlan(identity="CP1", board=plan_board("ac22-sim"), seed=1))
    site.run_for(60.0)
    site.act("CP1", _start)
    site.run_for(600.0)
    kept = [Save(kind, key, body) for kind, found in store.load("CP1").items() for key, body in found.items()]
    began_s = time.perf_counter()
    for number in range(chargers):
        store.commit([(f"FLEET{number}", save) for save in kept])
    written_s = time.perf_counter() - began_s
    store.close()
    began_s = time.perf_counter()
    store = Store(folder / "fleet.sqlite3", Durability.RELAXED)
    opened_s = time.perf_counter() - began_s
    began_s = time.perf_counter()
    for number in range(chargers):
        store.load(f"FLEET{number}")
    loaded_s = time.perf_counter() - began_s
    again = SteppedSite(store, start_utc_s=START_UTC_S, seed=1)
    plan = plan_board("ac22-sim")
    began_s = time.perf_counter()
    for number in range(min(chargers, 1000)):
        again.add(ChargerPlan(identity=f"FLEET{number}", board=plan, seed=1))
    started_s = time.perf_counter() - began_s
    print(
        f"{chargers} chargers of {len(kept)} records: opened in {opened_s * 1e3:.0f} ms; a charger "
        f"{loaded_s / chargers * 1e6:.0f} us to load, {started_s / min(chargers, 1000) * 1e6:.0f} us to build and start; "
        f"{written_s / chargers / len(kept) * 1e6:.1f} us to write a record"
    )
    store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--chargers", type=int, default=2000)
    parser.add_argument("--folder", type=Path, help="where the stores lie, such as a mounted SD card")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        for keeps_board in (False, True):
            for interval_s in (60, 10):
                charge(Path(folder), chosen.hours, keeps_board, interval_s)
        load(Path(folder), chosen.chargers)


if __name__ == "__main__":
    main()
