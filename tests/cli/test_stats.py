"""`chargepoint stats`: a data directory as table, JSON, CSV and picture."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from chargepoint.cli import group, main
from chargepoint.cli.picture import energy_by_day
from chargepoint.model.outbox import Save
from chargepoint.runtime.store import Durability, Store
from hw.errors import ChargePointError

DAY = {"sessions": 2, "energy_wh": 12_345, "in_use_s": 7200.0, "charging_s": 3600.0}
LATEST = {"sessions": 1, "energy_wh": 1000, "in_use_s": 1800.0, "charging_s": 900.0}
TOTAL = {"sessions": 3, "energy_wh": 13_345, "in_use_s": 9000.0, "charging_s": 4500.0}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """What CP1 was used for on two days, and CP2 never."""
    store = Store(tmp_path / "CP1.sqlite3", Durability.RELAXED)
    store.begin_life()
    totals = {"total": TOTAL, "latest": LATEST, "day": "2026-03-05", "days": 1}
    day = {"day": "2026-03-01", **DAY}
    store.commit([("CP1", Save("usage", "totals", totals)), ("CP1", Save("day", "000", day))])
    store.close()
    other = Store(tmp_path / "CP2.sqlite3", Durability.RELAXED)
    other.commit([("CP2", Save("configuration", "X", {"value": "1"}))])
    other.close()
    return tmp_path


def stats(data: Path, *options: str) -> Result:
    return CliRunner().invoke(group, ["stats", "--data", str(data), *options], catch_exceptions=False)


def test_a_table_for_people(data: Path) -> None:
    assert stats(data).output.splitlines() == [
        "CP1",
        "day         sessions  kWh     hours in use  hours charging",
        "2026-03-01  2         12.345  2.00          1.00",
        "2026-03-05  1         1.000   0.50          0.25",
        "total       3         13.345  2.50          1.25",
        "CP2",
        "day    sessions  kWh    hours in use  hours charging",
        "total  0         0.000  0.00          0.00",
    ]


def test_picture_that_cannot_be_written_is_a_line(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2: the place is the user's."""
    with pytest.raises(SystemExit) as end:
        main(["stats", "--data", str(data), "--picture", str(data / "no" / "x.svg")])
    assert end.value.code == 2
    said = f"Error: --picture: {data}/no/x.svg cannot be written: No such file or directory\n"
    assert capsys.readouterr().err == said


def test_json_and_csv_for_programs(data: Path) -> None:
    told = json.loads(stats(data, "-o", "json", "--id", "CP1").output)
    assert told == [
        {"charger": "CP1", "total": TOTAL, "days": [{"day": "2026-03-01", **DAY}, {"day": "2026-03-05", **LATEST}]}
    ]
    rows = list(csv.DictReader(io.StringIO(stats(data, "-o", "csv").output)))
    assert [(row["charger"], row["day"], row["energy_wh"]) for row in rows] == [
        ("CP1", "2026-03-01", "12345"),
        ("CP1", "2026-03-05", "1000"),
    ]
    assert [row["day"] for row in csv.DictReader(io.StringIO(stats(data, "-o", "csv", "--days", "1").output))] == [
        "2026-03-05"
    ]


def test_a_picture_of_the_energy(data: Path) -> None:
    """A bar for each day with energy, as tall as it says, in the order of the days."""
    picture = data / "energy.svg"
    assert stats(data, "--picture", str(picture)).exit_code == 0
    root = ElementTree.fromstring(picture.read_text("utf-8"))
    bars = [each for each in root.iter("{http://www.w3.org/2000/svg}rect") if each.get("class") == "bar"]
    heights = [float(each.get("height") or 0) for each in bars]
    assert heights[0] / heights[1] == pytest.approx(12.345, rel=0.05)
    titles = [bar[0].text for bar in bars]
    assert titles == ["2026-03-01: 12.345 kWh", "2026-03-05: 1.000 kWh"]
    assert "2 chargers: 3 sessions, 13.3 kWh in all" in picture.read_text("utf-8")


def test_a_picture_of_nothing_is_a_picture() -> None:
    text = energy_by_day("<CP1> & co", {}, 31)
    assert ElementTree.fromstring(text)[0].text == "<CP1> & co"


def test_a_store_in_use_says_whom_to_ask(data: Path) -> None:
    running = Store(data / "CP1.sqlite3", Durability.RELAXED)
    result = stats(data)
    assert result.exit_code == 1
    assert "in use by another process" in result.output
    assert "chargepoint ctl statistics" in result.output
    running.close()


def test_nothing_found_says_where_to_look(tmp_path: Path, data: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = stats(tmp_path / "empty")
    assert (result.exit_code, "no charger was found: see --data" in result.output) == (1, True)
    assert "that begins with 'X'" in stats(data, "--id", "X").output
    with pytest.raises(ChargePointError, match="--data: there is no directory "):
        stats(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
