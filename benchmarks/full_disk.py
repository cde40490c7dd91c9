"""Fill the disk under the store in the middle of a charge, then kill the charger: how much energy is not billed?

    python -m benchmarks.full_disk --folder /mnt/small              # a mounted file system of its own, such as tmpfs

The file system is filled up by a file beside the store while a simulated car takes 22 kW, and the central system falls
silent, so that the messages of the charger pile up in the store. The charger is killed with SIGKILL twelve minutes of its
time later, the file is removed, and the charger starts again. Energy that the meter counted and that no StopTransaction
bills must not exceed one minute at the power of the car. Exit code 0 if so, 1 if not.

    mount -t tmpfs -o size=8m none /mnt/small
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import json
import shutil
import sys
import tempfile
import urllib.request
from pathlib import Path
from random import Random
from typing import Any

from websockets.asyncio.server import serve
from websockets.typing import Subprotocol

from .kills import CONFIGURATION, OUTLET, CentralSystem, launch

SPEED = 30.0
CHARGE_S = 300.0
DARK_S = 720.0


def fill(path: Path) -> int:
    """Write until the file system is full; return how many bytes that took."""
    written = 0
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while True:
                    written += file.write(b"\0" * size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    return written


def connector(port: int) -> dict[str, Any]:
    """Return what the charger says of its connector."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/chargers/CP1/state", timeout=5.0) as answer:
        found: dict[str, Any] = json.load(answer)["connectors"][0]
    return found


async def until(port: int, what: str, wanted: str) -> dict[str, Any]:
    """Wait for the value of a field of the connector, and return the connector."""
    seen: dict[str, Any] = {}
    for _ in range(300):
        with contextlib.suppress(OSError):
            seen = await asyncio.to_thread(connector, port)
            if str(seen[what]) == wanted:
                return seen
        await asyncio.sleep(0.1)
    raise SystemExit(f"no {what} {wanted}: {seen}")


async def run(folder: Path, durability: str, control_port: int) -> bool:
    """Live through it once, and print what came of it."""
    central = CentralSystem(Random(1), 1)
    central.behaves = True
    shutil.rmtree(folder / "chargepoint-data", ignore_errors=True)
    (folder / "board.yaml").write_text("connectors:\n" + OUTLET.format(car="bev_3p32_22"))
    log = Path(tempfile.gettempdir()) / f"full-disk-{durability}.log"  # not on the disk that is full
    log.unlink(missing_ok=True)
    async with serve(central.serve, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")]) as server:
        port = server.sockets[0].getsockname()[1]
        text = CONFIGURATION.format(port=port, durability=durability, speed=SPEED)
        text = text.replace("MeterValueSampleInterval: 30", "MeterValueSampleInterval: 5")
        (folder / "chargepoint.yaml").write_text(text + f"control: {{port: {control_port}}}\n")
        process = await launch(folder, log)
        await until(control_port, "status", "Preparing")
        await central.command("RemoteStartTransaction", {"connectorId": 1, "idTag": "A1"})
        await until(control_port, "status", "Charging")
        await asyncio.sleep(CHARGE_S / SPEED)
        central.is_silent = True
        filled = fill(folder / "filler")
        await asyncio.sleep(DARK_S / SPEED)
        seen = await asyncio.to_thread(connector, control_port)
        process.kill()
        await process.wait()
        (folder / "filler").unlink()
        central.is_silent = False
        process = await launch(folder, log)
        for _ in range(600):
            await asyncio.sleep(0.1)
            if central.ledger.stops:
                break
        process.terminate()
        await process.wait()
    ((begin_wh, end_wh),) = central.ledger.sessions(1)
    assert end_wh is not None
    true_wh = float(seen["meter"]["register_wh"])
    unbilled_wh = true_wh - end_wh
    bound_wh = 22_000 / 60
    is_right = unbilled_wh <= bound_wh
    print(
        f"{durability}: {filled / 1e6:.2f} MB filled; then {seen['status']} ({seen['error_code']}); "
        f"{end_wh - begin_wh} Wh are billed, {unbilled_wh:.0f} Wh are not, at most {bound_wh:.0f} Wh: "
        + ("ok" if is_right else "WRONG")
    )
    return is_right


async def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--control-port", type=int, default=18_080)
    told = parser.parse_args()
    return 0 if all([await run(told.folder, each, told.control_port) for each in ("full", "relaxed")]) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
