"""The embedded central system on real sockets, against an independent charge point: `ocpp.v16.ChargePoint`."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from random import Random
from typing import Any, TypeVar

import pytest
import trustme
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result, datatypes
from ocpp.v16.enums import (
    Action,
    AvailabilityType,
    ChargePointErrorCode,
    ChargePointStatus,
    ConfigurationStatus,
    Reason,
    RemoteStartStopStatus,
)
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from chargepoint.runtime import centre as module
from chargepoint.runtime.central_system import Answer, CentralSystem, Exchange, Failure
from chargepoint.runtime.centre import Centre, serve

pytestmark = pytest.mark.asyncio(loop_scope="function")

PATIENCE_S = 30.0
NOON_S = 1768478400.0
NOON = "2026-01-15T12:00:00.000Z"


Method = TypeVar("Method", bound=Callable[..., object])


def answers(action: Action) -> Callable[[Method], Method]:
    """`ocpp.routing.on`, with types."""
    return on(action)  # type: ignore[no-untyped-call, no-any-return]


class Wallbox(ChargePoint):
    """A charge point by other hands: everything it says and understands is the work of the package `ocpp`."""

    async def ask(self, request: object) -> Any:
        return await self.call(request)  # type: ignore[no-untyped-call]

    @answers(Action.remote_start_transaction)
    def on_remote_start(self, id_tag: str, **_more: Any) -> call_result.RemoteStartTransaction:
        accepted = id_tag == "04A1"
        status = RemoteStartStopStatus.accepted if accepted else RemoteStartStopStatus.rejected
        return call_result.RemoteStartTransaction(status)

    @answers(Action.get_configuration)
    def on_get_configuration(self, key: list[str] | None = None) -> call_result.GetConfiguration:
        known = {"key": "HeartbeatInterval", "readonly": False, "value": "300"}
        return call_result.GetConfiguration([known], [each for each in key or [] if each != "HeartbeatInterval"])

    @answers(Action.change_configuration)
    def on_change_configuration(self, key: str, value: str) -> call_result.ChangeConfiguration:
        return call_result.ChangeConfiguration(ConfigurationStatus.reboot_required)


@contextlib.asynccontextmanager
async def dialled(centre: Centre, identity: str = "CP1", **options: Any) -> AsyncIterator[ClientConnection]:
    knobs = {"subprotocols": [Subprotocol("ocpp1.6")], "ping_interval": None, "close_timeout": 0.2} | options
    async with connect(centre.url + identity, **knobs) as connection:
        yield connection


@contextlib.asynccontextmanager
async def wallbox(centre: Centre, identity: str = "CP1", **options: Any) -> AsyncIterator[Wallbox]:
    async with dialled(centre, identity, **options) as connection:
        box = Wallbox(identity, connection, response_timeout=PATIENCE_S)  # type: ignore[no-untyped-call]
        listening = asyncio.create_task(box.start())  # type: ignore[no-untyped-call]
        try:
            yield box
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await listening


async def until(holds: Callable[[], bool]) -> None:
    """Turn the loop until something holds; for what no event tells."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def asked(central: CentralSystem, request: object, identity: str = "CP1") -> Answer:
    """Call a charge point and wait for what comes of it."""
    answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    central.call(identity, request, answer.set_result)
    async with asyncio.timeout(PATIENCE_S):
        return await answer


@pytest.fixture(autouse=True)
def quiet_library() -> Iterator[None]:
    logging.getLogger("ocpp").setLevel(logging.WARNING)
    yield
    logging.getLogger("ocpp").setLevel(logging.NOTSET)


@pytest.fixture
def central() -> CentralSystem:
    return CentralSystem(Random(1))


@pytest.fixture
async def centre(central: CentralSystem) -> AsyncIterator[Centre]:
    async with serve(central, utc_s=lambda: NOON_S) as made:
        yield made


def basic(user: str, password: bytes) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(user.encode() + b":" + password).decode()}


# A charge point's day


async def test_a_charge_point_boots_charges_and_stops(central: CentralSystem, centre: Centre) -> None:
    """Everything the package sends and checks against its schemas is answered so that it passes."""
    async with wallbox(centre) as box:
        boot = await box.ask(call.BootNotification("Model", "Vendor"))
        assert (boot.status, boot.current_time, boot.interval) == ("Accepted", NOON, 300)
        status = call.StatusNotification(1, ChargePointErrorCode.no_error, ChargePointStatus.charging)
        assert await box.ask(status) == call_result.StatusNotification()
        assert (await box.ask(call.Authorize("04A1"))).id_tag_info == {"status": "Accepted"}
        start = await box.ask(call.StartTransaction(1, "04A1", 1000, NOON))
        assert start.transaction_id == 1
        sample = datatypes.MeterValue(NOON, [datatypes.SampledValue("1500")])
        assert await box.ask(call.MeterValues(1, [sample], start.transaction_id)) == call_result.MeterValues()
        assert central.chargers["CP1"].transactions[1].energy_wh == 500
        stop = call.StopTransaction(2000, NOON, start.transaction_id, Reason.local, "04A1")
        assert (await box.ask(stop)).id_tag_info == {"status": "Accepted"}
        assert (await box.ask(call.Heartbeat())).current_time == NOON
    charger = central.chargers["CP1"]
    assert (charger.energy_wh, charger.exchanges, charger.connectors[1].status) == (1000, 7, "Charging")


async def test_the_charge_point_is_called(central: CentralSystem, centre: Centre) -> None:
    async with wallbox(centre):
        await until(lambda: central.chargers["CP1"].is_connected)
        start = await asked(central, call.RemoteStartTransaction("04A1", 1))
        assert start.result == call_result.RemoteStartTransaction(RemoteStartStopStatus.accepted)
        refused = await asked(central, call.RemoteStartTransaction("other"))
        assert refused.result.status == "Rejected"
        configuration = await asked(central, call.GetConfiguration(["HeartbeatInterval", "Nonsense"]))
        assert configuration.result.configuration_key[0].value == "300"
        assert configuration.result.unknown_key == ["Nonsense"]
        changed = await asked(central, call.ChangeConfiguration("HeartbeatInterval", "60"))
        assert changed.result.status == "RebootRequired"
        unhandled = await asked(central, call.ChangeAvailability(0, AvailabilityType.inoperative))
        assert (unhandled.failure, unhandled.code) == (Failure.REFUSED, "NotImplemented")


async def test_both_ends_may_call_at_the_same_time(central: CentralSystem, centre: Centre) -> None:
    async with wallbox(centre) as box:
        await until(lambda: central.chargers["CP1"].is_connected)
        calls = [asked(central, call.GetConfiguration()) for _ in range(20)]
        beats = [box.ask(call.Heartbeat()) for _ in range(20)]
        done = await asyncio.gather(*calls, *beats)
    assert all(each.failure is None for each in done[:20])
    assert all(each.current_time == NOON for each in done[20:])


async def test_a_resent_start_is_answered_identically_and_counted_once(central: CentralSystem, centre: Centre) -> None:
    """Also over another socket: the first answer may have been lost with the first (OCPP 1.6, 3.7.1)."""
    start = json.dumps(
        [2, "id-1", "StartTransaction", {"connectorId": 1, "idTag": "04A1", "meterStart": 0, "timestamp": NOON}]
    )
    said = []
    for _ in range(2):
        async with dialled(centre) as connection:
            for _ in range(2):
                await connection.send(start)
                said.append(await connection.recv())
    assert said == ['[3,"id-1",{"transactionId":1,"idTagInfo":{"status":"Accepted"}}]'] * 4
    assert list(central.chargers["CP1"].transactions) == [1]


async def test_garbage_ends_nothing(central: CentralSystem, centre: Centre) -> None:
    """What cannot be answered is ignored, and the connection lives on (OCPP-J 1.6, 4.1.3)."""
    async with dialled(centre) as connection:
        for text in ("", "garbage", "[2]", '[2,"x"]', '[3,"x",{}]', '[2,"y","Heartbeat",{}]'):
            await connection.send(text)
        refusal, answer = json.loads(await connection.recv()), json.loads(await connection.recv())
    assert refusal[:3] == [4, "x", "FormationViolation"]
    assert answer == [3, "y", {"currentTime": NOON}]
    assert central.chargers["CP1"].bad_frames == 4


async def test_every_exchange_is_told(central: CentralSystem, centre: Centre) -> None:
    seen: list[Exchange] = []
    central.watchers.append(seen.append)
    async with wallbox(centre) as box:
        await box.ask(call.Heartbeat())
        await asked(central, call.GetConfiguration())
    assert [(each.identity, each.is_from_charger, each.action) for each in seen] == [
        ("CP1", True, "Heartbeat"),
        ("CP1", False, "GetConfiguration"),
    ]


# Who it is


@pytest.mark.parametrize(
    ("target", "identity"),
    [
        ("CP1", "CP1"),
        ("RDAM%20123", "RDAM 123"),
        ("a%2Fb%3A%C3%BC", "a/b:ü"),
        ("site/7/CP1", "CP1"),
        ("CP1?token=x/y", "CP1"),
    ],
)
async def test_the_identity_is_the_last_segment_of_the_path(
    central: CentralSystem, centre: Centre, target: str, identity: str
) -> None:
    """The identity is appended to the endpoint, percent-encoded (OCPP-J 1.6, 3.1.1)."""
    async with dialled(centre, target):
        await until(lambda: identity in central.chargers)


async def test_a_path_outside_the_prefix_is_not_found(central: CentralSystem) -> None:
    async with serve(central, path_prefix="/ocpp") as centre:
        assert centre.url == f"ws://127.0.0.1:{centre.port}/ocpp/"
        async with dialled(centre, "CP1"):
            await until(lambda: "CP1" in central.chargers)
        for path in ("/CP1", "/ocpp", "/ocppx/CP1"):
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"ws://127.0.0.1:{centre.port}{path}", subprotocols=[Subprotocol("ocpp1.6")])
            assert refused.value.response.status_code == 404


@pytest.mark.parametrize("target", ["", "CP1/", "%FF", "CP1%0AWARNING"])
async def test_without_an_identity_there_is_nothing_to_find(centre: Centre, target: str) -> None:
    """An identity that is not recognised gets HTTP 404 (OCPP-J 1.6, 3.2)."""
    with pytest.raises(InvalidStatus) as refused:
        await connect(centre.url + target, subprotocols=[Subprotocol("ocpp1.6")])
    assert refused.value.response.status_code == 404


@pytest.mark.parametrize("offered", [None, [Subprotocol("ocpp2.0.1")]])
async def test_without_our_subprotocol_the_handshake_succeeds_and_the_socket_closes(
    central: CentralSystem, centre: Centre, offered: list[Subprotocol] | None
) -> None:
    """ "it MUST complete the WebSocket handshake with a response without a Sec-WebSocket-Protocol header and then
    immediately close the WebSocket connection" (OCPP-J 1.6, 3.2).
    """
    async with dialled(centre, subprotocols=offered) as connection:
        assert connection.subprotocol is None
        with pytest.raises(ConnectionClosed) as closed:
            await connection.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1002
    assert central.chargers == {}


async def test_ours_is_chosen_among_several(centre: Centre) -> None:
    offered = [Subprotocol("ocpp2.0.1"), Subprotocol("ocpp1.6")]
    async with dialled(centre, subprotocols=offered) as connection:
        assert connection.subprotocol == "ocpp1.6"


KEY = bytes.fromhex("0001020304050607FFFFFFFFFFFFFFFFFFFFFFFF")


@pytest.mark.parametrize("passwords", [KEY, {"AL1000": KEY}])
async def test_basic_credentials_let_in(central: CentralSystem, passwords: dict[str, bytes] | bytes) -> None:
    """User is the identity, the password is the key as raw bytes (OCPP-J 1.6, 6.2.2, with its example)."""
    async with serve(central, passwords=passwords) as centre:
        headers = {"Authorization": "Basic QUwxMDAwOgABAgMEBQYH////////////////"}
        async with dialled(centre, "AL1000", additional_headers=headers):
            await until(lambda: "AL1000" in central.chargers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("CP1", b"wrong"),
        basic("CP1", b""),
        basic("CP2", b"right"),
        basic("CP1", b"right") | {"authorization": "Basic eDp5"},
        {"Authorization": "Bearer " + basic("CP1", b"right")["Authorization"].split()[1]},
        {"Authorization": "Basic Q!"},
        {"Authorization": "Basic"},
    ],
)
async def test_wrong_credentials_are_turned_away(central: CentralSystem, headers: dict[str, str]) -> None:
    """What cannot be authenticated gets 401 and learns the scheme (RFC 7617, 2; OCPP-J 1.6, 6.2.2)."""
    async with serve(central, passwords={"CP1": b"right"}) as centre:
        with pytest.raises(InvalidStatus) as refused:
            await connect(
                centre.url + "CP1", subprotocols=[Subprotocol("ocpp1.6")], additional_headers=list(headers.items())
            )
    assert refused.value.response.status_code == 401
    assert refused.value.response.headers["WWW-Authenticate"] == 'Basic realm="OCPP"'
    assert central.chargers == {}


async def test_who_is_not_on_the_list_of_passwords_stays_out(central: CentralSystem) -> None:
    async with serve(central, passwords={"CP1": b"right"}) as centre:
        with pytest.raises(InvalidStatus) as refused:
            await connect(centre.url + "CP2", subprotocols=[Subprotocol("ocpp1.6")])
    assert refused.value.response.status_code == 401


async def test_credentials_are_never_logged(central: CentralSystem, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger=module.__name__)
    async with serve(central, passwords=b"top-secret") as centre:
        async with dialled(centre, additional_headers=basic("CP1", b"top-secret")):
            await until(lambda: "CP1" in central.chargers)
        with pytest.raises(InvalidStatus):
            await connect(centre.url + "CP1", additional_headers=basic("CP1", b"top-secret2"))
    records = [record for record in caplog.records if record.name == module.__name__]
    text = "\n".join(record.getMessage() for record in records)
    assert ("connected", "CP1") in [(record.getMessage(), getattr(record, "charger", None)) for record in records]
    assert "secret" not in text
    assert "Basic" not in text


async def test_it_speaks_tls(central: CentralSystem) -> None:
    """Security profile 2: TLS with a certificate of the server, HTTP Basic inside."""
    root = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    root.issue_cert("127.0.0.1").configure_cert(server)
    root.configure_trust(client)
    async with serve(central, ssl_context=server, passwords=b"right") as centre:
        assert centre.url.startswith("wss://")
        async with wallbox(centre, ssl=client, additional_headers=basic("CP1", b"right")) as box:
            assert (await box.ask(call.BootNotification("Model", "Vendor"))).status == "Accepted"


# Connections


async def test_a_new_socket_of_an_identity_replaces_the_old_one(central: CentralSystem, centre: Centre) -> None:
    """A charge point has one connection at a time: the former is dead, whether we have noticed or not."""
    async with dialled(centre) as former:
        await until(lambda: "CP1" in central.chargers)
        async with wallbox(centre) as box:
            with pytest.raises(ConnectionClosed):
                await former.recv()
            assert (await box.ask(call.Heartbeat())).current_time == NOON
            assert central.chargers["CP1"].is_connected
            assert central.chargers["CP1"].connections == 2
    await until(lambda: not central.chargers["CP1"].is_connected)


async def test_a_call_ends_with_the_connection(central: CentralSystem, centre: Centre) -> None:
    async with dialled(centre) as connection:
        await until(lambda: "CP1" in central.chargers)
        asking = asyncio.create_task(asked(central, call.ClearCache()))
        await connection.recv()
    assert (await asking).failure is Failure.LOST


async def test_a_charge_point_that_stays_silent_is_given_up(central: CentralSystem) -> None:
    async with serve(central, answer_timeout_s=0.01) as centre, dialled(centre):
        await until(lambda: "CP1" in central.chargers)
        assert (await asked(central, call.ClearCache())).failure is Failure.TIMEOUT


async def test_binary_data_ends_the_connection(centre: Centre) -> None:
    """OCPP-J is text; 1003 is "a type of data it cannot accept" (RFC 6455, 7.4.1)."""
    async with dialled(centre) as connection:
        await connection.send(b"[]")
        with pytest.raises(ConnectionClosed) as closed:
            await connection.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1003


async def test_a_message_beyond_the_limit_ends_the_connection(
    central: CentralSystem, caplog: pytest.LogCaptureFixture
) -> None:
    """1009: "a message that is too big for it to process" (RFC 6455, 7.4.1); how big it was is logged."""
    async with serve(central, largest_message=2048) as centre, dialled(centre) as connection:
        await connection.send('[2,"1","DataTransfer",{"vendorId":"x","data":"' + "x" * 3000 + '"}]')
        with pytest.raises(ConnectionClosed) as closed:
            await connection.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    await until(lambda: not central.chargers["CP1"].is_connected)
    assert "closed with 1009: frame with 3049 bytes exceeds limit of 2048 bytes" in caplog.text


async def test_a_stop_with_a_day_of_samples_fits(centre: Centre) -> None:
    """Other charge points do not bound their transactionData: a day of four measurands every 10 s has some 12 MB."""
    async with dialled(centre, max_size=None) as connection:
        await connection.send('[2,"1","DataTransfer",{"vendorId":"x","data":"' + "x" * 12_000_000 + '"}]')
        assert '"UnknownVendorId"' in str(await connection.recv())


async def test_a_charge_point_that_does_not_read_is_cut_off(
    central: CentralSystem, centre: Centre, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "LARGEST_BACKLOG", 10_000)
    async with dialled(centre, max_queue=1) as connection:
        connection.transport.pause_reading()
        await until(lambda: "CP1" in central.chargers)
        # Each refusal is longer than what the kernel holds for us, sooner or later.
        with contextlib.suppress(ConnectionClosed):
            async with asyncio.timeout(PATIENCE_S):
                while central.chargers["CP1"].is_connected:
                    await connection.send('[2,"' + "x" * 60_000 + '","Heartbeat",{}]')
    await until(lambda: not central.chargers["CP1"].is_connected)
    assert "does not read what it is sent" in caplog.messages


async def test_at_the_end_sockets_are_closed_and_the_port_is_free(central: CentralSystem) -> None:
    """1001: "going away", such as a server going down (RFC 6455, 7.4.1)."""
    async with contextlib.AsyncExitStack() as clients:
        async with serve(central) as centre:
            connection = await clients.enter_async_context(dialled(centre))
            await until(lambda: "CP1" in central.chargers)
        with pytest.raises(ConnectionClosed) as closed:
            await connection.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    assert not central.chargers["CP1"].is_connected
    async with serve(central, port=centre.port) as again:
        assert again.port == centre.port
