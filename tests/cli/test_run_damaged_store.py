"""`chargepoint run` on a store that is damaged: the box comes up and says what is lost, or names the way out."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.cli.shell import chargepoint
from tests.cli.test_run import configuration
from tests.wire.independent import Csms

CHARGE = "plug_in; swipe A1; wait_until 50 Wh; swipe A1; unplug"


async def test_damaged_store_is_reported_at_the_start_and_at_the_end(tmp_path: Path) -> None:
    """[D] A record in which a byte has changed and a page that is overwritten: a charge goes on, the last lines name what
    was lost, and the damaged file is still there."""
    async with Csms() as csms:
        run_it = ("run", "-c", configuration(tmp_path, csms.url), "--do", CHARGE)
        async with chargepoint(*run_it, cwd=tmp_path) as run:
            assert await run.exit_code() == 0, run.text
        path = tmp_path / "chargepoint-data" / "CP001.sqlite3"
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("UPDATE record SET body = replace(body, 'sessions', 'sessionz') WHERE kind = 'usage'")
        data = bytearray(path.read_bytes())
        data[0:100] = bytes(100)
        path.write_bytes(data)
        async with chargepoint(*run_it, cwd=tmp_path) as run:
            assert await run.exit_code() == 0, run.text
        assert len(csms.all("StopTransaction")) == 2
        assert csms.problems == []
    for lost in ("usage/totals is damaged (its checksum is wrong): the totals", "whatever stood on its damaged pages"):
        told = [line for line in run.lines if lost in line]
        assert len(told) >= 2, run.text
        assert "the store had lost at the start" in told[-1]
    (kept,) = path.parent.glob("CP001.sqlite3.damaged-*")
    assert kept.read_bytes() == bytes(data)


async def test_file_that_is_no_store_names_the_way_out(tmp_path: Path) -> None:
    """[D] Exit code 2, and what to move where."""
    directory = tmp_path / "chargepoint-data"
    directory.mkdir()
    (directory / "CP001.sqlite3").write_text("a diary, and longer than a header" * 200)
    url = "ws://127.0.0.1:9"
    async with chargepoint("run", "-c", configuration(tmp_path, url), "--do", CHARGE, cwd=tmp_path) as run:
        assert await run.exit_code() == 2
    assert "file is not a database" in run.text
    assert "move CP001.sqlite3, and CP001.sqlite3-wal if it is there, out of" in run.text
    assert "Traceback" not in run.text
