"""Meter values: periodic, clock-aligned, triggered, and those that StopTransaction carries.

Sources: OCPP 1.6 4.7, 3.16, 7.43; keys 9.1.5, 9.1.7, 9.1.8, 9.1.15-9.1.19, 9.1.25-9.1.28; errata 3.18, 3.63.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import partial

from ocpp.v16 import call
from ocpp.v16.enums import MessageTrigger, ReadingContext

from chargepoint.model import wire
from chargepoint.model.calls import Outcome
from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.connector import Connector
from chargepoint.model.delivery import AUTO, TEMPERATURE_UNIT_SPELLING
from chargepoint.model.feature import FeatureProfile, answered
from chargepoint.model.keys import Access, Key, integer, items
from chargepoint.model.outbox import Ref
from chargepoint.model.record import Snapshot
from chargepoint.model.sampling import MEASURANDS, Sample, is_measurand, is_measured, meter_value
from chargepoint.model.timebase import Alarm, Appointment, utc_text
from chargepoint.model.transaction import Transaction
from chargepoint.model.transaction_data import fitting, respelled, thinned
from hw.ports import Reading

DAY_S = 86400.0
_COUNT = len(MEASURANDS)


def _measurands(name: str, default: tuple[str, ...], source: str, effect: str) -> Key[tuple[str, ...]]:
    return items(name, default, check=is_measurand, expected="a measurand of this charger", source=source, effect=effect)


def _length(key: Key[tuple[str, ...]]) -> Key[int]:
    return integer(
        f"{key.name}MaxLength", 3 * _COUNT, access=Access.READ_ONLY, source=key.source, effect="items the list may have"
    )


METER_VALUE_SAMPLE_INTERVAL = integer(
    "MeterValueSampleInterval", 60, unit="s", source="9.1.19", effect="period of samples in a transaction; 0: none"
)
CLOCK_ALIGNED_DATA_INTERVAL = integer(
    "ClockAlignedDataInterval", 0, unit="s", source="9.1.5", effect="grid of clock-aligned values from 00:00 UTC; 0: none"
)
METER_VALUES_SAMPLED_DATA = _measurands(
    "MeterValuesSampledData", ("Energy.Active.Import.Register",), "9.1.17", "content of periodic and triggered values"
)
METER_VALUES_ALIGNED_DATA = _measurands(
    "MeterValuesAlignedData", ("Energy.Active.Import.Register",), "9.1.15", "content of clock-aligned values"
)
STOP_TXN_SAMPLED_DATA = _measurands(
    "StopTxnSampledData", (), "9.1.27", "samples that StopTransaction carries; both empty: none"
)
STOP_TXN_ALIGNED_DATA = _measurands("StopTxnAlignedData", (), "9.1.25", "aligned values that StopTransaction carries")
STOP_TRANSACTION_MAX_METER_VALUES = integer(
    "StopTransactionMaxMeterValues",
    500,
    minimum=2,
    access=Access.READ_ONLY,
    source="erratum v4",
    effect="most values in transactionData; middle ones are thinned out",
)
STOP_TRANSACTION_MAX_BYTES = integer(
    "StopTransactionMaxBytes",
    65_536,
    minimum=4096,
    unit="bytes",
    source="erratum v4",
    effect="size of StopTransaction that transactionData is thinned for, so that a central system can take it",
)
HEAD_BYTES = 512
"""Room for everything in a StopTransaction that is not transactionData."""

_ROTATION = re.compile(
    r"(?:(?P<connector>\d+)\.)?(?:NotApplicable|Unknown|RST|RTS|SRT|STR|TRS|TSR)"
)
CONNECTOR_PHASE_ROTATION = items(
    "ConnectorPhaseRotation",
    (),
    check=lambda item: _ROTATION.fullmatch(item) is not None,
    expected="items such as 1.RST",
    source="9.1.7",
    effect="tells how the outlets are wired; phases are named by the meter",
)
CONNECTOR_PHASE_ROTATION_MAX_LENGTH = integer(
    "ConnectorPhaseRotationMaxLength", 2, access=Access.READ_ONLY, source="9.1.8", effect="one item a connector, and 0"
)

SAMPLE = "sample"
ALIGNED = "aligned"
TRIGGERED = "triggered"


@dataclass(slots=True)
class _Rhythm:
    """The periodic samples of one connector's transaction: base + k × interval of charger time, without drift."""

    alarm: Alarm
    base_s: float = 0.0
    count: int = 0
    sampled_wh: int | None = None
    aligned_wh: int | None = None


class Metering(FeatureProfile):
    """Takes meter values when they are due and puts them where they belong."""

    __slots__ = ("_grid", "_rhythms")

    name = "Core"
    keys = (
        METER_VALUE_SAMPLE_INTERVAL,
        METER_VALUES_SAMPLED_DATA,
        _length(METER_VALUES_SAMPLED_DATA),
        CLOCK_ALIGNED_DATA_INTERVAL,
        METER_VALUES_ALIGNED_DATA,
        _length(METER_VALUES_ALIGNED_DATA),
        STOP_TXN_SAMPLED_DATA,
        _length(STOP_TXN_SAMPLED_DATA),
        STOP_TXN_ALIGNED_DATA,
        _length(STOP_TXN_ALIGNED_DATA),
        STOP_TRANSACTION_MAX_METER_VALUES,
        STOP_TRANSACTION_MAX_BYTES,
        TEMPERATURE_UNIT_SPELLING,
        CONNECTOR_PHASE_ROTATION,
        CONNECTOR_PHASE_ROTATION_MAX_LENGTH,
    )
    triggers = (MessageTrigger.meter_values,)
    reads = (SAMPLE, ALIGNED, TRIGGERED)

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self._grid: Appointment | None = None
        self._rhythms = tuple(
            _Rhythm(Alarm(host.timers, partial(self._sample, connector.number), is_patient=True))
            for connector in host.connectors
        )

    def restored(self, snapshot: Snapshot, now_s: float) -> None:
        self._arm_grid(now_s)

    def objection(self, name: str, value: str) -> str | None:
        host = self.host
        parts = [part.strip() for part in value.split(",")] if value.strip() else []
        if name == CONNECTOR_PHASE_ROTATION.name:
            for part in parts:
                match = _ROTATION.fullmatch(part)
                if match and match["connector"] and int(match["connector"]) > len(host.connectors):
                    return f"there is no connector {match['connector']}"
            named = [part.partition(".")[0] for part in parts]
            if len(parts) > len(host.connectors) + 1 or len(set(named)) != len(named):
                return "one item a connector, and one for 0"
            return None
        if name in (key.name for key in self.keys) and name.endswith("Data"):
            outlets = [connector.outlet for connector in host.connectors]
            for part in parts:
                # What is no measurand at all is for the key itself to refuse.
                if is_measurand(part) and not is_measured(part, outlets):
                    return f"no outlet measures {part}"
        return None

    def setting_changed(self, name: str, now_s: float) -> None:
        if name == METER_VALUE_SAMPLE_INTERVAL.name:
            for connector in self.host.connectors:
                if connector.is_charging:
                    self._begin_rhythm(connector.number, now_s)
        elif name == CLOCK_ALIGNED_DATA_INTERVAL.name:
            self._arm_grid(now_s)

    # --- periodic samples ---------------------------------------------------------------------------------------------

    def _begin_rhythm(self, number: int, now_s: float) -> None:
        rhythm = self._rhythms[number - 1]
        rhythm.base_s, rhythm.count = now_s, 0
        self._arm_rhythm(rhythm)

    def _arm_rhythm(self, rhythm: _Rhythm) -> None:
        interval_s = self.host.setting(METER_VALUE_SAMPLE_INTERVAL)
        if interval_s:
            rhythm.count += 1
            rhythm.alarm.set(rhythm.base_s + rhythm.count * interval_s)
        else:
            rhythm.alarm.clear()

    def _sample(self, number: int, now_s: float) -> None:
        host, rhythm = self.host, self._rhythms[number - 1]
        connector = host.connector(number)
        if not connector.is_charging:
            return
        # After a stall the samples that were missed are not made up from one reading: the newest stands for itself.
        interval_s = host.setting(METER_VALUE_SAMPLE_INTERVAL)
        if interval_s:
            rhythm.count = max(rhythm.count, math.floor((now_s - rhythm.base_s + 1e-6) / interval_s))
        # The stamp is the moment that was meant, however late we were woken (test case 070 measures the distance).
        due_s = rhythm.base_s + rhythm.count * interval_s
        connector.meter.ask(Ref(SAMPLE, connector.stamp(due_s)), now_s)
        self._arm_rhythm(rhythm)

    def clock_stepped(self, now_s: float) -> None:
        self._arm_grid(now_s)

    # --- clock-aligned values -----------------------------------------------------------------------------------------

    def _arm_grid(self, now_s: float) -> None:
        if self._grid is not None:
            self._grid.cancel()
            self._grid = None
        interval_s = self.host.setting(CLOCK_ALIGNED_DATA_INTERVAL)
        if interval_s:
            due_utc_s = next_on_grid(self.host.calendar.utc_s(now_s), interval_s)
            self._grid = self.host.calendar.at(due_utc_s, self._align)

    def _align(self, now_s: float) -> None:
        host, grid = self.host, self._grid
        assert grid is not None
        # Only a grid point that is past or now is sampled: the calendar may have been set back meanwhile.
        stamp = utc_text(grid.due_utc_s)
        for connector in host.connectors:
            clock = None if connector.transaction is None else connector.transaction.clock
            # [D] A value is left out where the grid, after a large step of the calendar, would break the order of the
            # timestamps of the transaction.
            if clock is None or clock.admit(grid.due_utc_s, now_s):
                connector.meter.ask(Ref(ALIGNED, stamp), now_s)
        self._arm_grid(now_s)

    # --- what the meter answers ---------------------------------------------------------------------------------------

    def meter_read(self, connector: Connector, ref: Ref, reading: Reading | None, now_s: float) -> None:
        if reading is None:
            # The value is left out; the connector has raised PowerMeterFailure. Who asked gets the last one, as it was.
            if ref.kind == TRIGGERED and connector.meter.reading is not None:
                self._send_triggered(connector, connector.meter.reading, now_s)
            return
        rhythm = self._rhythms[connector.number - 1]
        if ref.kind == SAMPLE:
            self._take_sample(connector, rhythm, ref.key, reading, now_s)
        elif ref.kind == ALIGNED:
            self._take_aligned(connector, rhythm, ref.key, reading, now_s)
        else:
            self._send_triggered(connector, reading, now_s)

    def _look(self, connector: Connector, reading: Reading, before_wh: int | None) -> Sample:
        # The difference of what is reported: the intervals of a transaction add up to that of its registers.
        interval_wh = None if before_wh is None else connector.meter.energy_wh - before_wh
        unit = self.host.session.delivery.temperature_unit
        return Sample(
            reading,
            connector.meter.energy_wh,
            interval_wh,
            connector.supply.offered_a,
            connector.offered_w,
            connector.meter.offset_wh,
            unit,
        )

    def _take_sample(
        self, connector: Connector, rhythm: _Rhythm, stamp: str, reading: Reading, now_s: float
    ) -> None:
        transaction = connector.transaction
        if transaction is None or transaction.ending is not None:
            return
        sample = self._look(connector, reading, rhythm.sampled_wh)
        rhythm.sampled_wh = connector.meter.energy_wh
        periodic = ReadingContext.sample_periodic
        self._queue(connector, METER_VALUES_SAMPLED_DATA, sample, periodic, stamp, transaction)
        self._keep(STOP_TXN_SAMPLED_DATA, sample, periodic, stamp, transaction)
        connector.meter.save(now_s)

    def _take_aligned(
        self, connector: Connector, rhythm: _Rhythm, stamp: str, reading: Reading, now_s: float
    ) -> None:
        transaction = connector.transaction
        if transaction is not None and transaction.ending is not None:
            transaction = None
        sample = self._look(connector, reading, rhythm.aligned_wh)
        rhythm.aligned_wh = connector.meter.energy_wh
        clock = ReadingContext.sample_clock
        self._queue(connector, METER_VALUES_ALIGNED_DATA, sample, clock, stamp, transaction)
        if transaction is not None:
            self._keep(STOP_TXN_ALIGNED_DATA, sample, clock, stamp, transaction)
        connector.meter.save(now_s)

    def _queue(
        self,
        connector: Connector,
        key: Key[tuple[str, ...]],
        sample: Sample,
        context: ReadingContext,
        stamp: str,
        transaction: Transaction | None,
    ) -> None:
        value = meter_value(self.host.setting(key), sample, context, stamp)
        if value is not None:
            request = call.MeterValues(connector_id=connector.number, meter_value=[value])
            tx = None if transaction is None else transaction.key
            self.host.enqueue(request, tx)

    def _keep(
        self, key: Key[tuple[str, ...]], sample: Sample, context: ReadingContext, stamp: str, transaction: Transaction
    ) -> None:
        wanted = self.host.setting(key)
        value = meter_value(wanted, sample, context, stamp) if wanted else None
        if value is not None:
            queue, most = self.host.queue, self.host.setting(STOP_TRANSACTION_MAX_METER_VALUES)
            queue.add_sample(transaction, wire.encode_meter_value(value))
            if len(transaction.samples) >= 2 * most:
                queue.keep_samples(transaction, thinned(transaction.samples, most))

    # --- triggered values ---------------------------------------------------------------------------------------------

    def trigger(self, requested: str, connector: int | None, now_s: float) -> None:
        """The most recent values of all configured measurands, transaction or not (5.17)."""
        concerned = self.host.connectors if connector is None else (self.host.connector(connector),)
        for each in concerned:
            each.meter.ask(Ref(TRIGGERED), now_s)

    def _send_triggered(self, connector: Connector, reading: Reading, now_s: float) -> None:
        host = self.host
        sample = self._look(connector, reading, self._rhythms[connector.number - 1].sampled_wh)
        wanted = host.setting(METER_VALUES_SAMPLED_DATA)
        value = meter_value(wanted, sample, ReadingContext.trigger, utc_text(connector.utc_s(reading.at_s)))
        if value is None:
            return
        transaction = connector.transaction
        transaction_id = transaction.transaction_id if transaction is not None and not transaction.ending else None
        request = call.MeterValues(
            connector_id=connector.number, meter_value=[value], transaction_id=transaction_id
        )
        # What was told is stored, so that after a power cut nothing tells less.
        connector.meter.save(now_s)
        host.send(request, Ref(TRIGGERED, str(connector.number)), now_s, host.session.trigger_lane)

    @answered(call.MeterValues)
    def _triggered_answered(self, about: Ref, outcome: Outcome, now_s: float) -> None:
        if outcome.failure is not None:
            self.host.log.info("triggered MeterValues of connector %s: %s", about.key, outcome.failure.value)

    # --- begin and end of a transaction -------------------------------------------------------------------------------

    def transaction_started(
        self, connector: Connector, transaction: Transaction, reading: Reading, now_s: float
    ) -> None:
        rhythm = self._rhythms[connector.number - 1]
        rhythm.sampled_wh = rhythm.aligned_wh = connector.meter.energy_wh
        sample = self._look(connector, reading, None)
        stamp = utc_text(transaction.started_utc_s)
        self._keep(STOP_TXN_SAMPLED_DATA, sample, ReadingContext.transaction_begin, stamp, transaction)
        self._begin_rhythm(connector.number, now_s)

    def transaction_ending(self, connector: Connector, transaction: Transaction, now_s: float) -> None:
        self._rhythms[connector.number - 1].alarm.clear()

    def transaction_data(
        self, connector: Connector, transaction: Transaction, reading: Reading | None, at_utc_s: float
    ) -> list[str] | None:
        """Return the encoded values that StopTransaction carries, oldest first; None when none are configured.

        Without a fresh reading the end value tells what the stored register can tell.
        """
        wanted = self.host.setting(STOP_TXN_SAMPLED_DATA)
        if not wanted and not self.host.setting(STOP_TXN_ALIGNED_DATA):
            return None
        values = list(transaction.samples)
        if wanted:
            known = reading or Reading(at_s=0.0, energy_wh=connector.meter.register_wh)
            sample = self._look(connector, known, self._rhythms[connector.number - 1].sampled_wh)
            if transaction.meter_stop_wh is not None:
                sample = replace(sample, register_wh=transaction.meter_stop_wh)
            stamp = utc_text(at_utc_s)
            end = meter_value(wanted, sample, ReadingContext.transaction_end, stamp)
            if end is not None:
                values.append(wire.encode_meter_value(end))
        if self.host.setting(TEMPERATURE_UNIT_SPELLING) == AUTO:
            # The spelling that the central system takes may have been found out after the first samples.
            values = [respelled(value, self.host.session.delivery.temperature_unit) for value in values]
        largest = self.host.setting(STOP_TRANSACTION_MAX_BYTES) - HEAD_BYTES
        return fitting(values, self.host.setting(STOP_TRANSACTION_MAX_METER_VALUES), largest)


def next_on_grid(utc_s: float, interval_s: float) -> float:
    """Return the next instant after ``utc_s`` on the grid 00:00 UTC + k × interval; the grid restarts each midnight."""
    midnight = math.floor(utc_s / DAY_S) * DAY_S
    due = midnight + (math.floor((utc_s - midnight) / interval_s) + 1) * interval_s
    return min(due, midnight + DAY_S)
