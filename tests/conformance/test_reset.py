"""Catalogue, section Resetting Happy Flow."""

from __future__ import annotations

import pytest
from ocpp.v16 import call

from tests.conformance.states import available_again, charging, stopped, unavailable
from tests.conformance.tool import Tool, booted, under_test

BOARDS = pytest.mark.parametrize("board", ["ac22-sim-socket", "ac22-sim-duo"])


async def resets(tool: Tool, kind: str) -> None:
    await tool.accepted(call.Reset(type=kind))  # type: ignore[arg-type]


@BOARDS
async def test_TC_013(board: str) -> None:
    await idle_reset(board, "Hard")


@BOARDS
async def test_TC_014(board: str) -> None:
    await idle_reset(board, "Soft")


async def idle_reset(board: str, kind: str) -> None:
    """Reset a charge point without a transaction, of which a connector is Unavailable."""
    async with under_test(board) as (tool, box):
        await unavailable(tool, box)
        await resets(tool, kind)
        await booted(tool, {1: "Unavailable"})
        await available_again(tool)


@BOARDS
async def test_TC_015(board: str) -> None:
    async with under_test(board) as (tool, box):
        transaction_id = await charging(tool, box)
        await resets(tool, "Hard")
        # The document also allows the stop after the boot; ours comes before.
        await stopped(tool, transaction_id=transaction_id, reason="HardReset")
        await booted(tool, {1: {"Finishing", "Preparing"}})
        await tool.nothing_of(call.StopTransaction, call.StartTransaction)


@BOARDS
async def test_TC_016(board: str) -> None:
    async with under_test(board) as (tool, box):
        transaction_id = await charging(tool, box)
        await resets(tool, "Soft")
        await stopped(tool, transaction_id=transaction_id, reason="SoftReset")
        await booted(tool, {1: {"Finishing", "Preparing"}})
        await tool.nothing_of(call.StopTransaction, call.StartTransaction)
