"""`doctor`, `backend`, `run --backend` and `run --trace` as people run them."""

from __future__ import annotations

import json
import stat
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ocpp.v16 import call

from chargepoint.cli import group
from tests.cli.shell import chargepoint
from tests.runtime.newcomers import web_server
from tests.wire.independent import Csms

KEY = "0123456789abcdef0123"


def left_in(directory: Path) -> list[str]:
    return [each.name for each in directory.iterdir()]


def frames_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


async def test_doctor_tells_each_hop_and_that_it_is_well(tmp_path: Path) -> None:
    """Exit code 0; nothing is stored, and the password is not told."""
    async with Csms(password="wallbox-0815-geheim") as csms:
        options = ("--id", "CP7", "--password", "wallbox-0815-geheim")
        async with chargepoint("doctor", csms.url, *options, cwd=tmp_path) as doctor:
            assert await doctor.exit_code() == 0, doctor.text
        assert len(csms.all("BootNotification")) == 1
    assert [line.split()[:2] for line in doctor.lines if line.startswith("ok ")] == [
        ["ok", hop] for hop in ("URL", "DNS", "TCP", "HTTP", "subprotocol", "BootNotification")
    ]
    assert f"{csms.url}/CP7" in doctor.text
    assert "The central system can be reached: Accepted" in doctor.text
    assert "geheim" not in doctor.text
    assert left_in(tmp_path) == []


async def test_doctor_sends_nothing_without_boot(tmp_path: Path) -> None:
    """--no-boot: the walk ends at the open WebSocket."""
    async with Csms() as csms:
        async with chargepoint("doctor", csms.url, "--no-boot", cwd=tmp_path) as doctor:
            assert await doctor.exit_code() == 0, doctor.text
        assert csms.heard == []
        assert len(csms.dialogues) == 1


async def test_doctor_takes_the_url_as_an_option_too(tmp_path: Path) -> None:
    """--url, as `run` has it; two different ones are a usage error."""
    async with Csms() as csms, chargepoint("doctor", "--url", csms.url, cwd=tmp_path) as doctor:
        assert await doctor.exit_code() == 0, doctor.text
    async with chargepoint("doctor", "ws://a", "--url", "ws://b", cwd=tmp_path) as doctor:
        assert await doctor.exit_code() == 2
    async with chargepoint("doctor", "--url", "http://a", cwd=tmp_path) as doctor:
        assert await doctor.exit_code() == 2
    assert "http://a" in doctor.text


async def test_doctor_takes_who_we_are_from_the_file(tmp_path: Path) -> None:
    """-c FILE: the same charger as `run` would be."""
    async with Csms() as csms:
        (tmp_path / "cp.yaml").write_text(
            f"identity: A1\ncentral_system: {{url: '{csms.url}'}}\nstation: {{vendor: ACME, model: Wall 11}}\n"
        )
        async with chargepoint("doctor", "-c", "cp.yaml", cwd=tmp_path) as doctor:
            assert await doctor.exit_code() == 0, doctor.text
        boot = csms.all("BootNotification")[0]
        assert (boot["charge_point_vendor"], boot["charge_point_model"]) == ("ACME", "Wall 11")
        assert [each.id for each in csms.dialogues] == ["A1"]
    assert left_in(tmp_path) == ["cp.yaml"]


async def test_doctor_for_programs(tmp_path: Path) -> None:
    """-o json: the verdict and every hop; exit code 3 when one failed."""
    with web_server(404) as port:
        async with chargepoint("doctor", f"ws://127.0.0.1:{port}/ocpp", "-o", "json", cwd=tmp_path) as doctor:
            assert await doctor.exit_code() == 3
    verdict = json.loads(doctor.text)
    assert (verdict["ok"], verdict["failed"]) == (False, "HTTP")
    assert verdict["remedy"] == "check the path, and that the central system knows this identity"
    assert [each["hop"] for each in verdict["hops"]] == ["URL", "DNS", "TCP", "HTTP"]
    assert verdict["hops"][-1]["state"] == "failed"
    assert "HTTP 404" in verdict["hops"][-1]["found"]


async def test_doctor_adds_what_is_known_of_a_back_end(tmp_path: Path) -> None:
    """--backend: what people stumble over there, where a hop failed."""
    with web_server(404) as port:
        arguments = ("doctor", "--backend", "steve", f"ws://127.0.0.1:{port}")
        async with chargepoint(*arguments, cwd=tmp_path) as doctor:
            assert await doctor.exit_code() == 3
        async with chargepoint(*arguments, "-o", "json", cwd=tmp_path) as machine:
            assert await machine.exit_code() == 3
    hint = "Register the charge box on its web page first; an unknown identity is refused."
    assert f"Note: {hint}" in doctor.text
    assert hint in json.loads(machine.text)["hints"]


async def test_doctor_line_by_line(tmp_path: Path) -> None:
    """-o jsonl: one hop a line, as they are passed."""
    with web_server(403) as port:
        async with chargepoint("doctor", f"ws://127.0.0.1:{port}", "-o", "jsonl", cwd=tmp_path) as doctor:
            assert await doctor.exit_code() == 3
    assert [json.loads(line)["hop"] for line in doctor.lines] == ["URL", "DNS", "TCP", "HTTP"]


@pytest.mark.parametrize("output", ["json", "jsonl"])
def test_url_that_cannot_be_dialled_is_a_hop_too(output: str) -> None:
    """Exit code 2, as in `run`; the form is the same."""
    result = CliRunner().invoke(
        group, ["doctor", "ws://CP001:geheim@h/", "-o", output], prog_name="chargepoint", standalone_mode=False
    )
    assert result.return_value == 2
    verdict = json.loads(result.output)
    hop = verdict["hops"][0] if output == "json" else verdict
    assert (hop["hop"], hop["state"], hop["remedy"]) == ("URL", "failed", "set basic_user and password instead")
    assert "geheim" not in result.output


# --- back ends --------------------------------------------------------------------------------------------------------


def test_back_ends_are_listed_and_shown() -> None:
    """Each with its public source and whether it was tried."""
    listed = CliRunner().invoke(group, ["backend", "list", "-o", "json"], standalone_mode=False)
    rows: list[dict[str, Any]] = json.loads(listed.output)
    assert {"steve", "citrineos", "evcc", "ocpp-core", "home-assistant-ocpp"} <= {row["name"] for row in rows}
    for row in rows:
        shown = CliRunner().invoke(group, ["backend", "show", row["name"], "-o", "json"], standalone_mode=False)
        record = json.loads(shown.output)
        assert row.items() <= record.items()
        assert record["source"]


def test_back_end_is_shown_for_people() -> None:
    lines = CliRunner().invoke(group, ["backend", "show", "steve"], standalone_mode=False).output.splitlines()
    assert "url                  ws://localhost:8080/steve/websocket/CentralSystemService/{id}" in lines
    assert "tried                run against SteVe 3.13" in lines
    assert lines[-1].startswith(" " * 21)  # the second note


async def test_run_fleet_and_doctor_dial_a_back_end_by_its_name(tmp_path: Path) -> None:
    """`--backend`: what --url leaves out comes from the preset. The embedded central system is the one at hand."""
    async with chargepoint("csms", "--port", "0", cwd=tmp_path) as csms:
        await csms.says("central system at ws://")
        origin = csms.text.split("central system at ")[1].split("/ocpp")[0]
        backend = ("--backend", "embedded", "--url", origin)
        async with chargepoint("run", *backend, "--speed", 300, "--do", "wait 1 min", cwd=tmp_path) as run:
            assert await run.exit_code() == 0, run.text
        assert f"dials {origin}/ocpp/CP001 without password" in run.text
        async with chargepoint("fleet", *backend, "--count", 2, "--duration", 0.2, cwd=tmp_path) as fleet:
            assert await fleet.exit_code() == 0, fleet.text
        async with chargepoint("doctor", "--backend", "embedded", origin, cwd=tmp_path) as doctor:
            assert await doctor.exit_code() == 0, doctor.text


# --- trace and logs ---------------------------------------------------------------------------------------------------


async def test_run_writes_a_trace_and_tells_no_authorization_key(tmp_path: Path) -> None:
    """`--trace FILE.jsonl` has every frame; an AuthorizationKey stands neither there nor in the log, at -v neither."""
    async with Csms() as csms:
        arguments = ("run", "--url", csms.url, "--speed", 60, "--trace", "t.jsonl", "-v", "--duration", 60)
        async with chargepoint(*arguments, cwd=tmp_path) as run:
            await csms.accepted()
            await csms.call(call.ChangeConfiguration(key="AuthorizationKey", value=KEY))
            await run.says("ChangeConfiguration key=AuthorizationKey value=… →")
            await run.kill()
    frames = frames_in(tmp_path / "t.jsonl")
    assert [each["action"] for each in frames[:2]] == ["BootNotification"] * 2
    assert [each["action"] for each in frames].count("ChangeConfiguration") == 2
    assert all("chargerTime" in each["meta"] for each in frames)
    assert KEY not in run.text + (tmp_path / "t.jsonl").read_text("utf-8")
    assert stat.S_IMODE((tmp_path / "t.jsonl").stat().st_mode) == 0o600


async def test_trace_without_acceleration_has_one_clock(tmp_path: Path) -> None:
    async with Csms() as csms:
        arguments = ("run", "--url", csms.url, "--trace", "t.jsonl", "--duration", "0.5")
        async with chargepoint(*arguments, cwd=tmp_path) as run:
            assert await run.exit_code() == 0, run.text
    frames = frames_in(tmp_path / "t.jsonl")
    assert frames
    assert all("chargerTime" not in each["meta"] for each in frames)


async def test_json_logs_are_one_object_a_line(tmp_path: Path) -> None:
    """`--log-format json`: time, level, logger, charger, message, and the charger's own time where it runs faster; one
    line for each exchange, arrows seen from the charger.
    """
    async with Csms() as csms:
        arguments = ("run", "--url", csms.url, "--speed", 300, "--log-format", "json", "--do", "plug_in; wait 1 min")
        async with chargepoint(*arguments, cwd=tmp_path) as run:
            assert await run.exit_code() == 0, run.text
    entries = [json.loads(line) for line in run.lines]
    assert all({"time", "level", "logger", "message"} <= entry.keys() for entry in entries)
    assert all(entry["charger"] == "CP001" for entry in entries)
    boot = next(each for each in entries if each["message"].startswith("→ BootNotification"))
    assert "← Accepted" in boot["message"]
    assert datetime.fromisoformat(boot["charger_time"]).utcoffset() == timedelta(0)
