"""A charge from beginning to end, our charger against a central system of other people's code."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from ocpp.v16 import call, call_result

from tests.wire.independent import Csms, wallbox

SAMPLES = {
    "MeterValueSampleInterval": "60",
    "MeterValuesSampledData": "Energy.Active.Import.Register,Power.Active.Import",
}


async def test_car_charges_from_boot_until_its_card_stops_it(csms: Csms) -> None:
    """4.2: after start-up, the Charge Point SHALL send a BootNotification; 4.8, 4.10: start and stop of a transaction."""
    async with wallbox(csms.url, keys=SAMPLES) as box:
        boot = await csms.expect("BootNotification")
        assert (boot["charge_point_vendor"], boot["charge_point_model"]) == ("Wallbox Simulator", "AC11")
        await csms.expect("StatusNotification", connector_id=0, status="Available")
        await csms.expect("StatusNotification", connector_id=1, status="Available")
        await box.do("plug_in")
        await csms.expect("StatusNotification", connector_id=1, status="Preparing")
        await box.do("swipe 04A1B2C3")
        await csms.expect("Authorize", id_tag="04A1B2C3")
        start = await csms.expect("StartTransaction", connector_id=1, id_tag="04A1B2C3")
        await csms.expect("StatusNotification", connector_id=1, status="Charging")
        sample = await csms.expect("MeterValues", connector_id=1, transaction_id=1)
        assert {each["measurand"] for each in sample["meter_value"][0]["sampled_value"]} == {
            "Energy.Active.Import.Register",
            "Power.Active.Import",
        }
        await box.do("wait_until 1 kWh; swipe 04A1B2C3")
        stop = await csms.expect("StopTransaction", transaction_id=1, id_tag="04A1B2C3")
        # 6.49: the reason may be left out when it is Local
        assert stop.payload.get("reason", "Local") == "Local"
        assert stop["meter_stop"] >= start["meter_start"] + 1000
        await csms.expect_somewhere("StatusNotification", connector_id=1, status="Finishing")
        await box.do("unplug")
        await csms.expect("StatusNotification", connector_id=1, status="Available")
    registers = [
        float(each["value"])
        for heard in csms.all("MeterValues")
        for each in heard["meter_value"][0]["sampled_value"]
        if each["measurand"] == "Energy.Active.Import.Register"
    ]
    assert len(registers) > 2
    assert all(earlier <= later for earlier, later in pairwise(registers))
    assert [each.socket for each in csms.heard] == [1] * len(csms.heard)


async def test_central_system_starts_and_stops_a_charge(csms: Csms) -> None:
    """5.11: RemoteStartTransaction.req starts a transaction; 5.12: on RemoteStopTransaction it ends with reason Remote."""
    async with wallbox(csms.url) as box:
        await csms.accepted()
        await box.do("plug_in")
        await csms.expect("StatusNotification", status="Preparing")
        answer = await csms.call(call.RemoteStartTransaction(id_tag="APP1", connector_id=1))
        assert answer.status == "Accepted"
        await csms.expect("StartTransaction", id_tag="APP1")
        await csms.expect("StatusNotification", status="Charging")
        wrong = await csms.call(call.RemoteStopTransaction(transaction_id=99))
        assert wrong.status == "Rejected"
        answer = await csms.call(call.RemoteStopTransaction(transaction_id=1))
        assert answer.status == "Accepted"
        await csms.expect("StopTransaction", transaction_id=1, reason="Remote")


async def test_remote_start_without_a_car_is_given_back_after_the_connection_time_out(csms: Csms) -> None:
    """9.1.4 ConnectionTimeOut: interval from status Preparing until the authorisation is cancelled."""
    async with wallbox(csms.url, keys={"ConnectionTimeOut": "60"}):
        await csms.accepted()
        await csms.call(call.RemoteStartTransaction(id_tag="APP1"))
        await csms.expect("StatusNotification", connector_id=1, status="Preparing")
        await csms.expect("StatusNotification", connector_id=1, status="Available")
        assert csms.all("StartTransaction") == []


async def test_refused_card_starts_nothing(csms: Csms) -> None:
    """4.1: if the idTag is not accepted, the Charge Point SHALL NOT start a transaction."""
    csms.answers["Authorize"] = lambda _payload: call_result.Authorize({"status": "Blocked"})  # type: ignore[arg-type]
    async with wallbox(csms.url) as box:
        await csms.accepted()
        await box.do("plug_in; swipe STOLEN expect=refused")
        await csms.expect("Authorize", id_tag="STOLEN")
        await box.is_quiet()
        await box.do("wait 1 min")
        assert box.status() == "Preparing"
        assert csms.all("StartTransaction") == []


async def test_charger_answers_while_its_own_call_waits(csms: Csms) -> None:
    """OCPP-J 4.1.1: a request must not wait behind the sender's own: answers may be given while one of ours is open."""
    gate = asyncio.Event()

    async def slowly(_payload: dict[str, object]) -> object:
        await gate.wait()
        return call_result.Authorize({"status": "Accepted"})  # type: ignore[arg-type]

    csms.answers["Authorize"] = slowly
    async with wallbox(csms.url) as box:
        await csms.accepted()
        await box.do("plug_in; swipe A1 wait=false")
        await csms.expect("Authorize")
        found = await csms.call(call.GetConfiguration(key=["HeartbeatInterval"]))
        assert found.configuration_key[0]["value"] == "3600"
        assert csms.all("StartTransaction") == []
        gate.set()
        await csms.expect("StartTransaction", id_tag="A1")
