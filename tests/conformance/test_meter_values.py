"""Catalogue, section Meter values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from ocpp.v16 import call

from tests.conformance.states import charging
from tests.conformance.tool import Tool, under_test

INTERVAL_S = 20
TIMES = 3
MEASURANDS = pytest.mark.parametrize("measurands", ["", "Energy.Active.Import.Register,Power.Active.Import,Voltage"])
"""Configured measurands; none stand for the register of energy."""


async def samples(tool: Tool) -> list[tuple[datetime, Sequence[Any]]]:
    """Wait for some intervals and return when the meter was read, and what it told."""
    told = []
    for _each in range(TIMES):
        heard = await tool.expect(call.MeterValues, connector_id=1, within_s=INTERVAL_S + 1)
        for value in heard["meter_value"]:
            told.append((datetime.fromisoformat(value["timestamp"]), value["sampled_value"]))
    assert [(later - earlier).total_seconds() for (earlier, _), (later, _) in pairwise(told)] == pytest.approx(
        [INTERVAL_S] * (len(told) - 1), abs=1
    )
    return told


def check(told: list[tuple[datetime, Sequence[Any]]], context: str, measurands: str) -> None:
    """Every value has the context, and every measurand is there each time."""
    wanted = set((measurands or "Energy.Active.Import.Register").split(","))
    for _at, values in told:
        # A value without a context is Sample.Periodic, one without a measurand the register (7.43).
        assert {value.get("context", "Sample.Periodic") for value in values} == {context}
        assert {value.get("measurand", "Energy.Active.Import.Register") for value in values} == wanted


@MEASURANDS
async def test_TC_070(measurands: str) -> None:
    async with under_test() as (tool, box):
        await tool.configure(
            MeterValueSampleInterval=INTERVAL_S, ClockAlignedDataInterval=0, MeterValuesSampledData=measurands
        )
        await charging(tool, box)
        told = await samples(tool)
        (start,) = tool.csms.all("StartTransaction")
        assert (told[0][0] - datetime.fromisoformat(start["timestamp"])).total_seconds() == pytest.approx(
            INTERVAL_S, abs=1
        )
        check(told, "Sample.Periodic", measurands)


@MEASURANDS
async def test_TC_071(measurands: str) -> None:
    async with under_test() as (tool, box):
        await tool.configure(
            MeterValueSampleInterval=0, ClockAlignedDataInterval=INTERVAL_S, MeterValuesAlignedData=measurands
        )
        await charging(tool, box)
        tool.overlook()
        told = await samples(tool)
        assert {at.second % INTERVAL_S for at, _values in told} == {0}
        check(told, "Sample.Clock", measurands)
