"""Meter values that the central system wants in order to compute a cost: at a time, an energy, a power, a status.

Source: OCPP & California Pricing Requirements, OCPP 1.6 part, triggerMeterValue. Every RunningCost replaces the triggers
of the one before; all go with the transaction. Only where energy or power is asked for is the meter looked at, every
few seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ocpp.v16 import call
from ocpp.v16.enums import ChargePointStatus, Measurand, ReadingContext

from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.connector import Connector
from chargepoint.model.cost import MeterTrigger, crosses
from chargepoint.model.feature import FeatureProfile
from chargepoint.model.outbox import Ref
from chargepoint.model.sampling import Sample, meter_value
from chargepoint.model.timebase import Alarm, Appointment
from chargepoint.model.transaction import Transaction
from hw.ports import Reading

DUE = "cost-due"
LOOK = "cost-look"
LOOK_S = 5.0
"""How often the meter is looked at for an energy or a power; also the least distance of two values that these ask for."""
SHORTEST_LOOK_S = 0.1

ENERGY = (Measurand.energy_active_import_register.value,)
ENERGY_AND_POWER = (*ENERGY, Measurand.power_active_import.value)


@dataclass(slots=True)
class _Watch:
    """What is waited for in one transaction."""

    transaction: Transaction
    status: ChargePointStatus
    """The last one seen: only a change into a status counts."""
    look: Alarm
    trigger: MeterTrigger
    energy_wh: Decimal | None = None
    """The register that is still waited for."""
    power_w: Decimal | None = None
    """What was reported last. It outlives the RunningCost that asked for it."""
    appointment: Appointment | None = None


class MeterTriggers(FeatureProfile):
    """Sends a MeterValues when a trigger of the last RunningCost fires."""

    __slots__ = ("_watches",)

    name = "Core"
    reads = (DUE, LOOK)

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self._watches: dict[int, _Watch] = {}
        """By connector, for transactions with a RunningCost."""

    def arm(self, connector: Connector, trigger: MeterTrigger, now_s: float) -> None:
        """Wait for what the newest RunningCost of a running transaction asks for, and for nothing else any more."""
        host, transaction = self.host, connector.transaction
        if transaction is None or not connector.is_charging:
            return
        for fault in trigger.faults:
            host.log.error("connector %d: a meter value %s cannot be triggered", connector.number, fault)
        watch = self._watches.get(connector.number)
        if watch is None:
            number = connector.number
            look = Alarm(host.timers, lambda later_s: self._look(number, later_s))
            watch = self._watches[number] = _Watch(transaction, connector.status, look, trigger)
        watch.trigger, watch.energy_wh, watch.status = trigger, trigger.energy_wh, connector.status
        self._make_appointment(connector.number, watch, now_s)
        if trigger.energy_wh is None and trigger.power_w is None:
            watch.look.clear()
        elif not watch.look.is_set:
            watch.look.set(now_s + LOOK_S)

    def _make_appointment(self, number: int, watch: _Watch, now_s: float) -> None:
        if watch.appointment is not None:
            watch.appointment.cancel()
            watch.appointment = None
        at_utc_s = watch.trigger.at_utc_s
        if at_utc_s is None:
            return
        if at_utc_s <= self.host.calendar.utc_s(now_s):
            self.host.log.error("connector %d: a meter value cannot be triggered in the past", number)
            return
        watch.appointment = self.host.calendar.at(at_utc_s, lambda due_s: self._is_due(number, due_s))

    # --- what fires ---------------------------------------------------------------------------------------------------

    def _is_due(self, number: int, now_s: float) -> None:
        """Ask the meter for a value that is sent whatever it is."""
        self.host.connector(number).meter.ask(Ref(DUE, self._watches[number].transaction.key), now_s)

    def connector_changed(self, connector: Connector, now_s: float) -> None:
        if not self._watches:
            return
        watch = self._watches.get(connector.number)
        if watch is None or connector.status == watch.status:
            return
        watch.status = connector.status
        if watch.status in watch.trigger.statuses:
            self._is_due(connector.number, now_s)

    def _look(self, number: int, now_s: float) -> None:
        watch = self._watches.get(number)
        if watch is not None and (watch.energy_wh is not None or watch.trigger.power_w is not None):
            watch.look.set(now_s + LOOK_S)
            self.host.connector(number).meter.ask(Ref(LOOK, watch.transaction.key), now_s)

    def meter_read(self, connector: Connector, ref: Ref, reading: Reading | None, now_s: float) -> None:
        """Energy comes before power: with both at once, the power waits for the next look."""
        watch = self._watches.get(connector.number)
        if reading is None or watch is None or watch.transaction.key != ref.key:
            return
        if ref.kind == DUE:
            self._send(connector, watch, ENERGY, reading, now_s)
            return
        power_w = Decimal(f"{reading.total_power_w:.1f}")  # as it is told
        if watch.energy_wh is not None and connector.meter.energy_wh >= watch.energy_wh:
            watch.energy_wh = None
            self._send(connector, watch, ENERGY, reading, now_s)
        elif watch.trigger.power_w is not None and crosses(watch.power_w, power_w, watch.trigger.power_w):
            watch.power_w = power_w
            self._send(connector, watch, ENERGY_AND_POWER, reading, now_s)
        if watch.energy_wh is not None and power_w > 0:
            left_s = float((watch.energy_wh - Decimal(connector.meter.register_wh)) / power_w * 3600)
            watch.look.set(now_s + min(LOOK_S, max(SHORTEST_LOOK_S, left_s)))

    def _send(
        self, connector: Connector, watch: _Watch, measurands: tuple[str, ...], reading: Reading, now_s: float
    ) -> None:
        host, meter = self.host, connector.meter
        sample = Sample(reading, meter.energy_wh, None, connector.supply.offered_a, connector.offered_w, meter.offset_wh)
        value = meter_value(measurands, sample, ReadingContext.other, connector.stamp(now_s))
        if value is not None:
            meter.save(now_s)  # what was told is stored, so that after a power cut nothing tells less
            request = call.MeterValues(connector_id=connector.number, meter_value=[value])
            host.enqueue(request, watch.transaction.key)

    # --- end ----------------------------------------------------------------------------------------------------------

    def transaction_ending(self, connector: Connector, transaction: Transaction, now_s: float) -> None:
        watch = self._watches.pop(connector.number, None)
        if watch is not None:
            watch.look.clear()
            if watch.appointment is not None:
                watch.appointment.cancel()
