"""Getting through to a central system of other people's code, losing it, and finding it again."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from ocpp.v16 import call, call_result

from chargepoint.runtime.address import Tls
from chargepoint.runtime.store import Store
from tests.wire.independent import Csms, until, wallbox

SAMPLES = {"MeterValueSampleInterval": "60", "MeterValuesSampledData": "Energy.Active.Import.Register"}


async def test_wrong_password_is_tried_again_until_it_is_right(caplog: pytest.LogCaptureFixture) -> None:
    """Security profile 1, OCPP-J 6.2.2: HTTP Basic with the identity as user; 401: retry with back-off, for ever."""
    async with Csms(password="wallbox-0815-geheim") as csms, wallbox(csms.url, password="wrong") as box:
        await until(lambda: len(csms.turned_away) >= 3, "three attempts")
        assert set(csms.turned_away) == {"CP001"}
        assert csms.dialogues == []
        assert "HTTP 401" in caplog.text
        assert "check user 'CP001' and the password" in caplog.text
        csms.password = "wrong"  # somebody corrects it over there
        await csms.accepted()
        assert box.charger.model.session.is_online
    assert "wallbox-0815-geheim" not in caplog.text


async def test_right_password_lets_us_in() -> None:
    """OCPP-J 6.2.2: the Authorization header is on the first request already."""
    async with Csms(password="wallbox-0815-geheim") as csms, wallbox(csms.url, password="wallbox-0815-geheim"):
        await csms.accepted()
        assert csms.turned_away == []


def certified(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def test_charger_talks_tls_to_a_server_its_own_root_has_signed(tmp_path: Path) -> None:
    """Security profile 2: TLS 1.2 or newer, the server authenticates itself by its certificate, we by HTTP Basic."""
    ca = trustme.CA()
    root = tmp_path / "root.pem"
    ca.cert_pem.write_to_path(str(root))
    async with (
        Csms(ssl_context=certified(ca), password="wallbox-0815-geheim") as csms,
        wallbox(csms.url, tls=Tls(ca_file=root), password="wallbox-0815-geheim") as box,
    ):
        await csms.accepted()
        await box.do("plug_in; swipe A1")
        await csms.expect("StartTransaction")
        assert csms.dialogue.connection.transport.get_extra_info("ssl_object").version() in ("TLSv1.2", "TLSv1.3")


async def test_server_of_a_strange_root_is_not_trusted_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Security profile 2, TLS: a server certificate that does not chain to the installed root ends the connection."""
    root = tmp_path / "root.pem"
    trustme.CA().cert_pem.write_to_path(str(root))
    async with Csms(ssl_context=certified(trustme.CA())) as csms, wallbox(csms.url, tls=Tls(ca_file=root)):
        await until(lambda: "certificate is not trusted" in caplog.text, "a line of log")
        assert "give the root that signed it as ca_file" in caplog.text
        assert csms.heard == []


async def test_queue_of_a_dead_network_is_replayed_in_order(csms: Csms, tmp_path: Path) -> None:
    """3.7.1: transaction-related messages SHALL be queued while offline, and delivered in the order they arose."""
    store = Store(tmp_path / "store.sqlite3")
    async with wallbox(csms.url, keys=SAMPLES, store=store) as box:
        await csms.accepted()
        await box.do("plug_in; swipe A1")
        start = await csms.expect("StartTransaction")
        await csms.expect("MeterValues")
        await box.do("network down")
        await until(lambda: not box.charger.model.session.is_open, "the network to be down")
        heard_before = len(csms.heard)
        await box.do("wait 5 min; unplug; wait 10 s")
        assert len(csms.heard) == heard_before
        await box.do("network up")
        stop = await csms.expect("StopTransaction", transaction_id=1, reason="EVDisconnected")
        replayed = [each for each in csms.heard[heard_before:] if each.action != "StatusNotification"]
    store.close()
    assert [each.action for each in replayed] == ["MeterValues"] * (len(replayed) - 1) + ["StopTransaction"]
    assert len(replayed) >= 4
    stamps = [each["meter_value"][0]["timestamp"] for each in replayed[:-1]]
    assert stamps == sorted(stamps)
    assert stamps[-1] <= stop["timestamp"]
    assert {each["transaction_id"] for each in replayed} == {1}
    assert stop["meter_stop"] > start["meter_start"]
    # OCPP-J 5.4: a mere reconnect is no boot
    assert len(csms.all("BootNotification")) == 1
    assert {each.socket for each in replayed} == {2}


async def test_transaction_that_began_offline_is_told_with_its_own_id(csms: Csms) -> None:
    """4.8: StartTransaction of an offline transaction is delivered later; its stop carries the id that is given then."""
    async with wallbox(csms.url, keys={"LocalAuthorizeOffline": "true", "AllowOfflineTxForUnknownId": "true"}) as box:
        await csms.accepted()
        csms.transaction_id = 4710
        await box.do("network down")
        await until(lambda: not box.charger.model.session.is_open, "the network to be down")
        await box.do("plug_in; swipe A1; wait 2 min; swipe A1; wait 30 s")
        await box.do("network up")
        await csms.expect("StartTransaction", id_tag="A1")
        stop = await csms.expect("StopTransaction", transaction_id=4711)
        assert stop["meter_stop"] > 0


async def test_unanswered_stop_is_sent_again_on_the_next_connection_with_the_same_content(csms: Csms) -> None:
    """3.7.1, errata: a message without an answer is sent again, and a transaction is never told twice as two."""
    async with wallbox(csms.url) as box:
        await csms.accepted()
        await box.do("plug_in; swipe A1")
        await csms.expect("StatusNotification", status="Charging")
        never = asyncio.Event()

        async def silent(_payload: dict[str, Any]) -> Any:
            await never.wait()

        csms.answers["StopTransaction"] = silent
        await box.do("unplug")
        first = await csms.expect("StopTransaction")
        csms.answers.clear()
        csms.dialogue.connection.transport.abort()
        again = await csms.expect("StopTransaction")
        assert again.payload == first.payload
        assert (first.socket, again.socket) == (1, 2)
        await until(lambda: len(box.charger.model.queue) == 0, "the queue to be empty")
        assert len(csms.all("StopTransaction")) == 2


async def test_central_system_that_vanishes_is_found_again(csms: Csms, caplog: pytest.LogCaptureFixture) -> None:
    """OCPP-J 5.4: the Charge Point SHALL try to reconnect, with increasing back-off; transactions go on meanwhile."""
    async with wallbox(csms.url, keys=SAMPLES) as box:
        await csms.accepted()
        await box.do("plug_in; swipe A1")
        await csms.expect("StatusNotification", status="Charging")
        caplog.set_level(logging.WARNING)
        await csms.vanish()
        await until(lambda: "connection was refused" in caplog.text, "a refused dial")
        assert box.status() == "Charging"
        await csms.appear()
        await csms.expect("MeterValues", transaction_id=1)
        await box.do("swipe A1")
        await csms.expect("StopTransaction", transaction_id=1)
    assert len(csms.all("StartTransaction")) == 1


async def test_status_that_changed_offline_is_told_after_the_reconnect(csms: Csms) -> None:
    """4.9: on reconnecting, a StatusNotification is sent if the status changed meanwhile, and only then."""
    async with wallbox(csms.url) as box:
        await csms.accepted()
        await box.is_quiet()
        csms.dialogue.connection.transport.abort()
        await until(lambda: len(csms.dialogues) == 2 and box.charger.model.session.is_open, "a new connection")
        await csms.call(call.GetConfiguration(key=[]))
        assert len(csms.all("StatusNotification")) == 2
        await box.do("network down; plug_in; wait 5 s; network up")
        await csms.expect("StatusNotification", connector_id=1, status="Preparing")


async def test_charger_pings_as_configured(csms: Csms) -> None:
    """OCPP-J 7, WebSocketPingInterval: number of seconds between pings; 0 disables them."""
    async with wallbox(csms.url, keys={"WebSocketPingInterval": "0"}):
        await csms.accepted()
        answer = await csms.call(call.ChangeConfiguration(key="WebSocketPingInterval", value="1"))
        assert answer.status == "Accepted"
        assert csms.pings == 0
        await until(lambda: csms.pings >= 2, "two pings")
        assert len(csms.dialogues) == 1


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
async def test_boot_is_repeated_after_the_interval_until_it_is_accepted(csms: Csms, status: str) -> None:
    """4.2: Pending or Rejected: the interval is the minimum wait time before sending the next BootNotification.

    It is a back-off, so it is wall time however fast the charger's clock runs.
    """
    answers = iter([status, status])

    def boot(_payload: dict[str, Any]) -> Any:
        return call_result.BootNotification("2026-01-01T00:00:00Z", 1, next(answers, "Accepted"))  # type: ignore[arg-type]

    csms.answers["BootNotification"] = boot
    async with wallbox(csms.url):
        await csms.accepted()
        await csms.expect_somewhere("StatusNotification", connector_id=0)
    assert [each.action for each in csms.heard[:3]] == ["BootNotification"] * 3


async def test_two_chargers_of_a_site_do_not_mix(csms: Csms) -> None:
    """OCPP-J 3.1.1: the identity in the URL tells whose connection it is; one percent-encodes what a URL cannot hold."""
    async with wallbox(csms.url, identity="RDAM 123"), wallbox(csms.url, identity="CP/2"):
        await until(lambda: len(csms.all("BootNotification")) == 2, "two boots")
        paths = {each.connection.request.path for each in csms.dialogues if each.connection.request}
        assert paths == {"/ocpp/RDAM%20123", "/ocpp/CP%2F2"}
