"""`chargepoint run` in a process of its own against a central system of other people's code."""

from __future__ import annotations

import signal
import socket
import ssl
from pathlib import Path

import pytest
import trustme
from ocpp.v16 import call_result

from tests.cli.shell import chargepoint
from tests.wire.independent import Csms, until


def configuration(directory: Path, url: str, more: str = "", speed: int = 300, interval: int = 60) -> Path:
    path = directory / "box.yaml"
    path.write_text(
        f"central_system:\n  url: {url}\n{more}"
        f"clock: {{speed: {speed}}}\n"
        "timing: {reconnect_minimum: 50 ms, reconnect_random: 10 ms}\n"
        f"keys: {{MeterValueSampleInterval: {interval}, MeterValuesSampledData: Energy.Active.Import.Register}}\n"
    )
    return path


async def test_script_is_done_and_what_it_caused_is_told(tmp_path: Path) -> None:
    """`--do`: what people do, in one line; it ends by itself with 0 when all is done and told."""
    script = "plug_in; swipe 04A1B2C3; wait_until 200 Wh; swipe 04A1B2C3; unplug"
    async with Csms() as csms:
        options = ("--url", csms.url, "--speed", 300, "--ca-file", "no.pem")
        async with chargepoint("run", *options, "--do", script, cwd=tmp_path) as run:
            assert await run.exit_code() == 0, run.text
        stop = await csms.expect("StopTransaction")
        assert stop["meter_stop"] >= 200
    own_clock = "; speed x300: the second time of a line is the charger's own clock"
    assert f"dials {csms.url}/CP001 without password{own_clock}" in run.lines[1]
    assert "ca_file no.pem has no effect" in run.lines[0]
    assert "transaction begins at" in run.text
    assert "04A1B2C3" not in run.text  # cards are shortened before they are logged
    assert (tmp_path / "chargepoint-data" / "CP001.sqlite3").exists()
    assert csms.problems == []


@pytest.mark.parametrize(("speed", "durability"), [(300, "relaxed"), (20, "full")])
async def test_killed_in_a_transaction_it_tells_one_stop_and_carries_on(
    tmp_path: Path, speed: int, durability: str
) -> None:
    """6.49 Reason PowerLoss: complete loss of power; 3.7.1: what was stored is told, once, after the next start."""
    async with Csms() as csms:
        box = configuration(tmp_path, csms.url, speed=speed, interval=speed // 5)
        run_it = ("run", "-c", box, "--durability", durability, "--do")
        async with chargepoint(*run_it, "plug_in; swipe A1; wait 10 h", cwd=tmp_path) as run:
            await until(lambda: len(csms.all("MeterValues")) >= 2, f"two samples; {csms.story()}")
            run.send(signal.SIGKILL)
            assert await run.exit_code() == -signal.SIGKILL
        samples = [
            float(each["meter_value"][-1]["sampled_value"][0]["value"])
            for each in csms.all("MeterValues")
            if each.payload.get("transaction_id") == 1
        ]
        boots = len(csms.all("BootNotification"))
        again = "unplug; plug_in; swipe B2; wait_until 50 Wh; swipe B2"
        async with chargepoint(*run_it, again, cwd=tmp_path) as run:
            assert await run.exit_code() == 0, run.text
        assert len(csms.all("BootNotification")) == boots + 1
        first = [each for each in csms.all("StopTransaction") if each["transaction_id"] == 1]
        assert [each["reason"] for each in first] == ["PowerLoss"]
        assert first[0]["meter_stop"] >= max(samples)
        starts = csms.all("StartTransaction")
        assert [each["id_tag"] for each in starts] == ["A1", "B2"]
        assert starts[1]["meter_start"] >= first[0]["meter_stop"]
        second = [each for each in csms.all("StopTransaction") if each["transaction_id"] == 2]
        assert len(second) == 1
        assert second[0]["meter_stop"] > starts[1]["meter_start"]
        assert csms.problems == []


async def test_terminated_in_a_transaction_it_tells_the_stop_first(tmp_path: Path) -> None:
    """SIGTERM: stop in order, StopTransaction(Reboot), close with 1001 going away, then exit code 143."""
    async with Csms() as csms:
        box = configuration(tmp_path, csms.url)
        async with chargepoint("run", "-c", box, "--do", "plug_in; swipe A1; wait 10 h", cwd=tmp_path) as run:
            await csms.expect("MeterValues")
            run.send(signal.SIGTERM)
            assert await run.exit_code() == 128 + signal.SIGTERM, run.text
        stops = csms.all("StopTransaction")
        assert [each["reason"] for each in stops] == ["Reboot"]
        assert csms.dialogue.connection.close_code == 1001
        assert "stopping in order; once more to stop at once" in run.text
        assert csms.problems == []


async def test_second_signal_stops_at_once(tmp_path: Path) -> None:
    """Ctrl-C once is graceful and says so, twice is now."""
    async with Csms() as csms:
        box = configuration(tmp_path, csms.url)
        csms.answers["StopTransaction"] = lambda _payload: until(lambda: False)
        async with chargepoint("run", "-c", box, "--do", "plug_in; swipe A1; wait 10 h", cwd=tmp_path) as run:
            await csms.expect("MeterValues")
            run.send(signal.SIGINT)
            await csms.expect("StopTransaction")
            run.send(signal.SIGINT)
            assert await run.exit_code() == 130
        assert "stopped at once" in run.text


async def test_password_of_the_file_lets_it_in_and_is_never_told(tmp_path: Path) -> None:
    """Secrets by `password_file`, never echoed; wrong ones end with exit code 3: the central system refused us."""
    (tmp_path / "key").write_text("wallbox-0815-geheim\n")
    async with Csms(password="wallbox-0815-geheim") as csms:
        box = configuration(tmp_path, csms.url, "  password_file: key\n")
        arguments = ("run", "-c", box, "-vv", "--do", "plug_in; wait 1 min")
        async with chargepoint(*arguments, cwd=tmp_path) as run:
            assert await run.exit_code() == 0, run.text
        assert f"dials {csms.url}/CP001 as CP001" in run.text
        assert "geheim" not in run.text
        wrong = ("run", "-c", box, "-vv", "--duration", "0.3", "--password", "falsch-falsch-16")
        async with chargepoint(*wrong, cwd=tmp_path) as run:
            assert await run.exit_code() == 3
    assert "HTTP 401" in run.text
    assert f"{csms.url}/CP001 never accepted this charger" in run.text
    assert "falsch" not in run.text


async def test_file_that_lies_here_is_read_and_a_flag_goes_before_it(tmp_path: Path) -> None:
    """./chargepoint.yaml < flags: what the flag does not say, the file still does; data lie beside it."""
    async with Csms(password="wallbox-0815-geheim") as csms:
        configuration(tmp_path, csms.url, "  password_file: key\n  basic_user: depot\n").rename(
            tmp_path / "chargepoint.yaml"
        )
        (tmp_path / "key").write_text("wallbox-0815-geheim\n")
        async with chargepoint("run", "--id", "CP7", "--do", "wait 1 min", cwd=tmp_path) as run:
            assert await run.exit_code() == 0, run.text
        assert f"dials {csms.url}/CP7 as depot" in run.text
        assert len(csms.all("BootNotification")) == 1
    assert (tmp_path / "chargepoint-data" / "CP7.sqlite3").exists()


VERDICTS = {
    "all done": ("plug_in; swipe A1; wait_until 100 Wh; swipe A1; unplug", (), 0, "script done; transaction 1: 0."),
    "card refused": ("plug_in; swipe BAD; wait_until 2 kWh", (), 1, "step 2, swipe BAD: card BAD refused: Invalid"),
    "refused as expected": ("plug_in; swipe BAD expect=refused", (), 0, "script done; no transaction"),
    "card refused by StartTransaction": (
        *("plug_in; swipe LATE; wait 10 min", (), 1),
        "step 2, swipe LATE: the answer to StartTransaction refuses the card: Blocked",
    ),
    "unplugged": ("plug_in; unplug; wait_until 2 kWh", (), 1, "step 3, wait_until 2 kWh: no vehicle is connected"),
    "limit of a wait": (
        *("plug_in; swipe A1; wait_until 90 kWh within 5 min", (), 6),
        "script timed out at step 3, wait_until 90 kWh within 5 min: less than 90 kWh at connector 1 within 300 s",
    ),
    "--duration": (
        *("plug_in; swipe A1; wait 10 h", ("--duration", 2), 6),
        "timed out at step 3, wait 10 h: not done within the 2 s of --duration",
    ),
    "CALLERROR": ("send Nonsense", (), 1, "step 1, send Nonsense: Nonsense failed: NotSupported"),
    "inside a transaction": (
        *("plug_in; swipe A1; wait_until 50 Wh", (), 0),
        "the script ended inside the transaction at connector 1, which is stopped now",
    ),
}


@pytest.mark.parametrize("case", VERDICTS)
async def test_the_exit_code_tells_what_came_of_a_script(tmp_path: Path, case: str) -> None:
    """[D] 0: done; 1: a step could not be done, a card was refused or a wait cannot come true; 6: a time limit ran out.
    The last line names the step and the transactions.
    """
    script, options, code, said = VERDICTS[case]
    async with Csms() as csms:
        csms.answers["Authorize"] = lambda payload: call_result.Authorize(
            {"status": "Invalid" if payload["id_tag"] == "BAD" else "Accepted"}  # type: ignore[arg-type]
        )
        csms.answers["StartTransaction"] = lambda payload: call_result.StartTransaction(
            1,
            {"status": "Blocked" if payload["id_tag"] == "LATE" else "Accepted"},  # type: ignore[arg-type]
        )
        line = ("run", "--url", csms.url, "--speed", 300, *options, "--do", script)
        async with chargepoint(*line, cwd=tmp_path) as run:
            assert (await run.exit_code(), said in run.text) == (code, True), run.text
        assert run.lines[-1].startswith("script ")


async def test_stay_goes_on_after_the_script(tmp_path: Path) -> None:
    """--stay: the program goes on until --duration, or a signal."""
    async with Csms() as csms:
        line = ("run", "--url", csms.url, "--do", "plug_in", "--stay")
        async with chargepoint(*line, cwd=tmp_path) as run:
            await run.says("connector 1: Preparing")
            run.send(signal.SIGTERM)
            assert await run.exit_code() == 143
        async with chargepoint(*line, "--duration", 1, cwd=tmp_path) as run:
            assert await run.exit_code() == 0, run.text
        assert "continues with the data of earlier runs in chargepoint-data" in run.text
        assert run.lines[-1] == "script done; no transaction"


async def test_order_that_is_typed_at_the_central_system_is_answered_in_full(tmp_path: Path) -> None:
    """The log has a line of an exchange; who typed the order is told all of the answer."""
    async with chargepoint("csms", "--port", 0, cwd=tmp_path, takes_input=True) as csms:
        url = (await csms.told("central system at ")).partition(";")[0].rstrip("/")
        async with chargepoint("run", "--url", url, cwd=tmp_path):
            await csms.says("StatusNotification #1 Available")
            csms.write("GetConfiguration key=NumberOfConnectors,Nothing @CP001")
            await csms.says("unknown: Nothing")
        csms.send(signal.SIGTERM)
        assert await csms.exit_code() == 143
    assert "CP001 GetConfiguration:\n    NumberOfConnectors = 1  (read-only)\n    unknown: Nothing" in csms.text


async def test_tls_with_an_own_root(tmp_path: Path) -> None:
    """Security profile 2: `--ca-file` names the root; another one's server is not trusted, and the log names the cause."""
    ca, other = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    for name, authority in (("root.pem", ca), ("other.pem", other)):
        authority.cert_pem.write_to_path(str(tmp_path / name))
    async with Csms(ssl_context=context) as csms:
        options = ("run", "--url", csms.url, "--speed", 300, "--do", "wait 1 min")
        async with chargepoint(*options, "--ca-file", "root.pem", cwd=tmp_path) as run:
            assert await run.exit_code() == 0, run.text
        assert len(csms.all("BootNotification")) == 1
        async with chargepoint(*options, "--ca-file", "other.pem", "--duration", "0.3", cwd=tmp_path) as run:
            assert await run.exit_code() == 3
        assert "the server's certificate is not trusted" in run.text
        assert len(csms.all("BootNotification")) == 1


async def test_nobody_there_is_exit_code_3(tmp_path: Path) -> None:
    """Exit code 3: central system unreachable; the log names the exact URL and what to try."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{closed.getsockname()[1]}/ocpp"
        async with chargepoint("run", "--url", url, "--duration", "0.2", cwd=tmp_path) as run:
            assert await run.exit_code() == 3
    assert f"no connection to {url}/CP001: the connection was refused; check the port" in run.text


async def test_second_process_with_the_same_data_says_so(tmp_path: Path) -> None:
    """Two processes with one identity would both be the charger: exit code 2, and what to do."""
    async with Csms() as csms:
        async with chargepoint("run", "--url", csms.url, cwd=tmp_path) as first:
            await csms.accepted()
            async with chargepoint("run", "--url", csms.url, cwd=tmp_path) as second:
                assert await second.exit_code() == 2
            assert "in use by another process: stop that one, or give this one another data directory" in second.text
            assert "Traceback" not in second.text
            first.send(signal.SIGINT)
            assert await first.exit_code() == 130
        assert len(csms.all("BootNotification")) == 1


async def test_embedded_central_system_and_run_work_together(tmp_path: Path) -> None:
    """`csms` and `run` in two processes: a charge without any back end."""
    async with chargepoint("csms", "--port", "0", "--card", "A1", cwd=tmp_path) as csms:
        await csms.says("central system at ws://")
        url = csms.text.split("central system at ")[1].split(";")[0].split()[0]
        script = "plug_in; swipe B2 expect=refused; wait 10 s; swipe A1; wait 2 min; unplug"
        async with chargepoint("run", "--url", url, "--speed", 300, "--do", script, cwd=tmp_path) as run:
            assert await run.exit_code() == 0, run.text
        await csms.says("StopTransaction")
        csms.send(signal.SIGTERM)
        assert await csms.exit_code() == 143
    assert csms.text.count("StartTransaction #1") == 1
    assert "Traceback" not in csms.text + run.text


@pytest.mark.parametrize("script", ["fault ground_fault @7", "plug_in @7"])
async def test_step_that_cannot_be_done_ends_the_run_in_order(tmp_path: Path, script: str) -> None:
    """Exit code 1 and one line that names the step; the transaction is ended like by any other end."""
    async with Csms() as csms:
        options = ("run", "--url", csms.url, "--speed", 300)
        line = f"plug_in; swipe A1; wait_until 50 Wh; {script}"
        async with chargepoint(*options, "--do", line, cwd=tmp_path) as run:
            assert await run.exit_code() == 1
        assert f"script failed at step 4, {script}: there is no connector 7: ac11-sim has 1; transaction 1: 0." in run.text
        assert "Traceback" not in run.text
        assert [each["reason"] for each in csms.all("StopTransaction")] == ["Reboot"]
