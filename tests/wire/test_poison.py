"""Messages that a central system of other people's code cannot take: what comes behind them is delivered all the same."""

from __future__ import annotations

import json
from typing import Any

from ocpp.v16 import call_result

from tests.wire.independent import Csms, until, wallbox

FAST = {"TransactionMessageRetryInterval": "0", "TransactionMessageClosePatience": "0", "MeterValueSampleInterval": "60"}
DATA = {
    "StopTxnSampledData": "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage",
    "StopTransactionMaxBytes": "65536",
}


async def test_a_stop_that_is_too_big_is_thinned_until_it_is_taken() -> None:
    """The server of `websockets` closes with 1009 (RFC 6455, 7.4.1) on more than 8 KiB; the bill arrives in the end."""
    async with Csms(largest_message=8192) as csms, wallbox(csms.url, keys={**FAST, **DATA}) as box:
        await csms.accepted()
        await box.do("plug_in; swipe A1; wait 30 min; swipe A1")
        stop = await csms.expect("StopTransaction")
        await box.is_quiet()
        assert stop["meter_stop"] > 0
        assert len(json.dumps(stop.payload)) < 9000
        assert not box.charger.model.queue.undelivered


async def test_a_message_on_which_the_server_closes_does_not_block_the_rest() -> None:
    """1011 on each StartTransaction: "one message that cannot be acknowledged must not block the rest" (OCPP 1.6 3.7.1)."""
    async with Csms() as csms, wallbox(csms.url, keys=FAST) as box:
        await csms.accepted()

        async def closes(_: dict[str, Any]) -> Any:
            await csms.dialogue.connection.close(1011, "made for a test")
            return call_result.StartTransaction(1, {"status": "Accepted"})  # type: ignore[arg-type]

        csms.answers["StartTransaction"] = closes
        await box.do("plug_in; swipe A1; wait 5 min; swipe A1")
        stop = await csms.expect("StopTransaction")
        assert stop["transaction_id"] == -1
        assert len(csms.all("StartTransaction")) == 9
        assert csms.all("Heartbeat")
        await until(lambda: len(box.charger.model.queue.undelivered) == 1, "the start among the undelivered")
