"""The reusable states of the catalogue: what many cases begin with."""

from __future__ import annotations

from typing import Any

from ocpp.v16 import call
from ocpp.v16.enums import UpdateType

from tests.conformance.charge_point import ChargePointUnderTest
from tests.conformance.tool import Tool, message
from tests.wire.independent import Heard

TAG = "TAG-VALID"
OTHER_TAG = "TAG-OTHER"


async def authorized(tool: Tool, box: ChargePointUnderTest, tag: str = TAG, connector: int = 1) -> list[Heard]:
    """Table 104: a card that is Accepted; the connector is Preparing, and was perhaps before. Return what was told."""
    was_preparing = box.status(connector) == "Preparing"
    expected = [message(call.Authorize, id_tag=tag)]
    if not was_preparing:
        expected.append(message(call.StatusNotification, connector_id=connector, status="Preparing"))
    await box.swipe(tag)
    return await tool.in_any_order(*expected)


async def charging(tool: Tool, box: ChargePointUnderTest, tag: str = TAG, connector: int = 1) -> int:
    """Table 105: plugged in first, then started remotely. Return the transaction id."""
    authorizes = await tool.configuration("AuthorizeRemoteTxRequests") == "true"
    was_reserved = box.status(connector) == "Reserved"
    await box.plug_in(connector)
    if not was_reserved:
        await tool.expect(call.StatusNotification, connector_id=connector, status="Preparing")
    await tool.accepted(call.RemoteStartTransaction(id_tag=tag, connector_id=connector))
    if was_reserved:
        await tool.expect(call.StatusNotification, connector_id=connector, status="Preparing")
    if authorizes:
        await tool.expect(call.Authorize, id_tag=tag)
    await started(tool, tag, connector)
    return tool.csms.transaction_id


async def started(tool: Tool, tag: str = TAG, connector: int = 1, **fields: Any) -> None:
    """StartTransaction and status Charging, which may swap."""
    await tool.in_any_order(
        message(call.StartTransaction, connector_id=connector, id_tag=tag, **fields),
        message(call.StatusNotification, connector_id=connector, status="Charging"),
    )


async def stopped(tool: Tool, connector: int = 1, **fields: Any) -> None:
    """StopTransaction and status Finishing, which may swap."""
    await tool.in_any_order(
        message(call.StopTransaction, **fields),
        message(call.StatusNotification, connector_id=connector, status="Finishing"),
    )


async def occupied(tool: Tool, box: ChargePointUnderTest, connector: int = 1) -> None:
    """Table 110, SetConnectorOccupied: a cable is plugged in."""
    await box.plug_in(connector)
    await tool.expect(call.StatusNotification, connector_id=connector, status="Preparing")


async def unavailable(tool: Tool, box: ChargePointUnderTest, connector: int = 1) -> None:
    """Tables 108 and 109: a connector is Unavailable, with connector 0 the charge point and all of them."""
    await tool.accepted(call.ChangeAvailability(connector_id=connector, type="Inoperative"))  # type: ignore[arg-type]
    numbers = range(len(box.charger.board.outlets) + 1) if connector == 0 else [connector]
    await tool.in_any_order(*(message(call.StatusNotification, connector_id=n, status="Unavailable") for n in numbers))


async def faulted(tool: Tool, box: ChargePointUnderTest, connector: int = 1, cause: str = "ground_fault") -> None:
    """Table 106: something at the connector is broken."""
    await box.fault(cause, connector)
    await tool.expect(call.StatusNotification, connector_id=connector, status="Faulted")


async def charge_point_faulted(tool: Tool, box: ChargePointUnderTest) -> None:
    """Table 107: the whole charge point is broken, here by its emergency stop."""
    await box.fault("emergency_stop")
    await tool.in_any_order(
        *(
            message(call.StatusNotification, connector_id=n, status="Faulted")
            for n in range(len(box.charger.board.outlets) + 1)
        )
    )


async def reserved(
    tool: Tool,
    box: ChargePointUnderTest,
    tag: str = TAG,
    connector: int = 1,
    reservation_id: int = 1,
    for_s: float = 3600.0,
) -> None:
    """Table 111: the connector is reserved for a card."""
    await tool.accepted(reservation(tool, tag, connector, reservation_id, for_s))
    await tool.expect(call.StatusNotification, connector_id=connector, status="Reserved")


def reservation(
    tool: Tool, tag: str = TAG, connector: int = 1, reservation_id: int = 1, for_s: float = 3600.0
) -> call.ReserveNow:
    """Return a ReserveNow that ends ``for_s`` from now."""
    return call.ReserveNow(
        connector_id=connector, expiry_date=tool.utc(for_s), id_tag=tag, reservation_id=reservation_id
    )


async def remotely_prepared(tool: Tool, tag: str = TAG) -> list[Heard]:
    """A remote start that waits for its cable. Return what was told of it, the status first."""
    authorizes = await tool.configuration("AuthorizeRemoteTxRequests") == "true"
    await tool.accepted(call.RemoteStartTransaction(id_tag=tag, connector_id=1))
    expected = [message(call.StatusNotification, connector_id=1, status="Preparing")]
    if authorizes:
        expected.append(message(call.Authorize, id_tag=tag))
    heard = await tool.in_any_order(*expected)
    if not authorizes:
        await tool.nothing_of(call.Authorize)
    return heard


async def available_again(tool: Tool, connector: int = 1) -> None:
    """An Unavailable connector is Operative and Available again."""
    await tool.accepted(call.ChangeAvailability(connector_id=connector, type="Operative"))  # type: ignore[arg-type]
    await tool.expect(call.StatusNotification, connector_id=connector, status="Available")


async def id_tag_cached(tool: Tool, box: ChargePointUnderTest, tag: str = TAG) -> None:
    """Table 112: a whole transaction with the card, which ends it too."""
    await charging(tool, box, tag)
    await box.swipe(tag)
    await stopped(tool)
    await box.unplug()
    await tool.expect(call.StatusNotification, connector_id=1, status="Available")


def local_list(kind: str, version: int, *tags: str) -> call.SendLocalList:
    """Return a SendLocalList, "Full" or "Differential", with these cards Accepted; without any the list is left out."""
    listed = [{"idTag": tag, "idTagInfo": {"status": "Accepted"}} for tag in tags]
    return call.SendLocalList(version, UpdateType(kind), listed or None)  # type: ignore[arg-type]


async def id_tag_local_auth_list(tool: Tool, tag: str = TAG) -> None:
    """Table 113: the card is on the local list."""
    await tool.accepted(local_list("Full", 1, tag))
