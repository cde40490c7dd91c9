"""Documents drawn from a living charger. They are queries: nothing that the charger does depends on them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from ocpp.v16.enums import ChargePointErrorCode, ChargePointStatus

from chargepoint.model import connector as model
from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.composite import Profile
from chargepoint.model.connector_state import Limit
from chargepoint.model.cost import ChargingPrice, CostDisplay, IdlePrice
from chargepoint.model.faults import MEANINGS, Until
from chargepoint.model.measured import cleaned
from chargepoint.model.pilot import Pilot
from chargepoint.model.tags import short_tag
from chargepoint.model.timebase import utc_text
from chargepoint.model.transaction import Message
from chargepoint.runtime.charger import Charger, Phase
from chargepoint.runtime.secrecy import masked_text
from hw.errors import HardwareError
from hw.ports import PILOT_STEADY, Reading
from profiles.core.local_limit import LocalLimit
from profiles.core.wake_up import WakeUp
from profiles.costs.display import Display

from . import responses

if TYPE_CHECKING:
    from chargepoint.runtime.clock import RunningClock

def reading(of: Charger, number: int, now_s: float) -> Reading | None:
    """Return what the meter of a connector shows at charge time ``now_s``; None while it does not answer.

    The question goes to the board and not through the model, so it changes nothing that the charger does.
    """
    try:
        shown = of.board.outlet(number).meter.peek(now_s)
    except HardwareError:  # the model finds a meter that is gone by its own questions
        return None
    return None if shown is None else cleaned(shown)


def register_wh(connector: model.Connector, shown: Reading | None) -> float:
    """Return the register of a connector in Wh for what its meter shows; that of the model while it shows nothing."""
    return connector.meter.register_wh if shown is None else connector.meter.shown_wh(shown)


def session_wh(connector: model.Connector, shown: Reading | None) -> float:
    """Return the energy in Wh of the transaction that runs at a connector, 0.0 without one."""
    transaction = connector.transaction
    return 0.0 if transaction is None else max(0.0, register_wh(connector, shown) - transaction.meter_start_wh)


def is_connected(of: Charger) -> bool:
    """Whether a charger that is up has an open socket."""
    return of.phase is Phase.RUNNING and of.model.session.is_open


def status(of: Charger, connector: model.Connector) -> str:
    """Return the ChargePointStatus of a connector; that of a box which is down is Unavailable, whatever it was."""
    return connector.status.value if of.phase is Phase.RUNNING else ChargePointStatus.unavailable.value


@dataclass(frozen=True, slots=True)
class Energy:
    """What the meters of a charger show together: ``power_w``, ``register_wh``, and ``session_wh`` of its transactions."""

    power_w: float
    register_wh: float
    session_wh: float


def energy(of: Charger, now_s: float) -> Energy:
    """Return what the meters of a charger show together; a charger that is down has opened its contactors."""
    shown = [(connector, reading(of, connector.number, now_s)) for connector in of.model.connectors]
    is_running = of.phase is Phase.RUNNING
    return Energy(
        power_w=sum(each.total_power_w for _connector, each in shown if each is not None and is_running),
        register_wh=sum(register_wh(connector, each) for connector, each in shown),
        session_wh=sum(session_wh(connector, each) for connector, each in shown),
    )


def charger(of: Charger, clock: RunningClock) -> responses.Charger:
    """Draw one charger, whole."""
    now_s = clock.charge_s()
    host = of.model
    return responses.Charger(
        id=of.identity,
        phase=of.phase.value,
        board=of.board.name,
        is_simulated=of.board.is_simulated,
        vendor=host.station.vendor,
        model=host.station.model,
        firmware_version=host.station.firmware_version,
        is_connected=is_connected(of),
        is_answering=of.phase is Phase.RUNNING and host.session.is_answering,
        is_network_up=not of.link.is_held,
        registration=host.session.registration.value,
        time=utc_text(host.calendar.utc_s(now_s)),
        at_s=now_s,
        speed=clock.speed,
        waiting_messages=len(host.queue),
        undelivered_messages=len(host.queue.undelivered),
        store_losses=list(of.store_losses),
        faults=_faults(host),
        connectors=[_connector(of, each, now_s) for each in host.connectors],
    )


def summary(of: Charger, now_s: float) -> responses.Summary:
    """Draw one charger in a line."""
    connectors, shown = of.model.connectors, energy(of, now_s)
    return responses.Summary(
        id=of.identity,
        phase=of.phase.value,
        is_connected=is_connected(of),
        registration=of.model.session.registration.value,
        statuses=[status(of, connector) for connector in connectors],
        power_w=shown.power_w,
        energy_wh=shown.session_wh,
    )


def queue(of: Charger) -> responses.Queue:
    """Draw what waits for the central system, and what was given up."""
    waiting = [_message(each, is_undelivered=False) for each in of.model.queue]
    given_up = [_message(each, is_undelivered=True) for each in of.model.queue.undelivered.values()]
    return responses.Queue(messages=[*given_up, *waiting])


def charging_profile(of: Profile) -> responses.ChargingProfile:
    """Draw one charging profile."""
    return responses.ChargingProfile(
        id=of.profile_id,
        connector=of.connector,
        purpose=of.purpose,
        stack_level=of.level,
        kind=of.kind,
        unit=of.unit,
        valid_from=_instant(of.valid_from_s),
        valid_to=_instant(of.valid_to_s),
        start=_instant(of.fixed_start_s),
        duration_s=of.duration_s,
        recurrence_s=of.recurrence_s,
        periods=[responses.Period(start_s=p.start_s, limit=p.limit, phases=p.phases) for p in of.periods],
    )


def _instant(utc_s: float | None) -> str | None:
    return None if utc_s is None else utc_text(utc_s)


def _message(of: Message, *, is_undelivered: bool) -> responses.Message:
    return responses.Message(
        key=of.key,
        action=of.action,
        payload=json.loads(masked_text(of.payload)),
        transaction=of.transaction,
        attempts=of.failed_attempts,
        is_undelivered=is_undelivered,
    )


def _faults(host: ChargePoint) -> list[responses.Fault]:
    box = {**host.box_troubles, **host.warnings}
    places = [(0, box), *((connector.number, connector.troubles) for connector in host.connectors)]
    return [
        responses.Fault(
            connector=number,
            trouble=trouble.value,
            error_code=MEANINGS[trouble].code.value,
            info=info or MEANINGS[trouble].info,
        )
        for number, troubles in places
        for trouble, info in troubles.items()
    ]


def _connector(of: Charger, connector: model.Connector, now_s: float) -> responses.Connector:
    drawn = _as_the_model_has_it(of, connector, now_s)
    return drawn if of.phase is Phase.RUNNING else _gone_dark(drawn)


def _gone_dark(drawn: responses.Connector) -> responses.Connector:
    """Return what is left of a connector when its box goes down: what the model saw last is no longer true."""
    return drawn.model_copy(
        update={
            "status": ChargePointStatus.unavailable.value,
            "error_code": ChargePointErrorCode.no_error.value,
            "info": "",
            "light": None,
            "limit_a": 0.0,
            "why": "the box is down",
            "bounds": [],
            "pilot": responses.Pilot(
                state=(Pilot.B1 if drawn.is_car_connected else Pilot.A).value,
                duty_percent=PILOT_STEADY,
                offered_a=0.0,
                is_contactor_closed=False,
            ),
            "meter": responses.Meter(register_wh=drawn.meter.register_wh, at=drawn.meter.at, power_w=0.0),
        }
    )


def _as_the_model_has_it(of: Charger, connector: model.Connector, now_s: float) -> responses.Connector:
    ports = of.board.outlet(connector.number)
    status, error_code, _vendor_code, info = connector.condition()
    bounds = sorted(of.model.limits(connector, now_s), key=lambda limit: limit.amps)
    light = getattr(ports.indicator, "colour", None)
    shown = reading(of, connector.number, now_s)
    return responses.Connector(
        connector=connector.number,
        status=status.value,
        error_code=error_code,
        info=info,
        needs_repair=connector.latched_until is Until.SERVICE,
        is_operative=connector.is_operative,
        is_reserved=connector.is_reserved,
        is_car_connected=connector.supply.is_connected,
        is_car_asleep=of.model.feature(WakeUp).is_asleep(connector),
        has_cable=connector.has_cable,
        cable_rating_a=connector.cable_rating_a,
        is_locked=None if connector.lock is None else connector.lock.is_locked,
        light=light,
        limit_a=connector.offer.amps,
        why=connector.offer.reason,
        bounds=[_bound(limit) for limit in bounds],
        most_a=connector.outlet.most_a,
        local_limit_a=of.model.feature(LocalLimit).at(connector),
        pilot=responses.Pilot(
            state=connector.supply.state,
            duty_percent=connector.supply.duty_percent,
            offered_a=connector.supply.offered_a,
            is_contactor_closed=connector.supply.is_closed,
        ),
        meter=_meter(of.model, connector, shown),
        charge=_charge(of.model, connector, shown, now_s),
        cost=_cost(of.model, connector, now_s),
        has_reader=any(connector.number in reader.connectors for reader in of.board.readers),
        can_break=[] if ports.hands is None else list(ports.hands.causes),
        broken=[] if ports.hands is None else list(ports.hands.broken),
    )


def _bound(limit: Limit) -> responses.Bound:
    until = None if limit.until_utc_s == math.inf else utc_text(limit.until_utc_s)
    return responses.Bound(amps=limit.amps, reason=limit.reason, until=until)


def _meter(host: ChargePoint, connector: model.Connector, shown: Reading | None) -> responses.Meter:
    if shown is None:
        return responses.Meter(register_wh=connector.meter.register_wh, at=None)
    return responses.Meter(
        register_wh=register_wh(connector, shown),
        at=_instant(host.calendar.utc_s(shown.at_s)),
        power_w=shown.total_power_w,
        current_a=list(shown.current_a),
        voltage_v=list(shown.voltage_v),
        frequency_hz=shown.frequency_hz,
        power_factor=shown.power_factor,
        board_c=shown.board_c,
    )


def _cost(host: ChargePoint, connector: model.Connector, now_s: float) -> responses.Cost | None:
    try:
        shown: CostDisplay = host.feature(Display).at(connector.number, now_s)
    except LookupError:
        return None
    coming = shown.next_period
    return responses.Cost(
        state=shown.state.value,
        text=shown.text,
        amount=_decimal(shown.amount),
        at=_instant(shown.at_utc_s),
        price=_price(shown.charging, shown.idle),
        next_price=None if coming is None else _price(coming.charging, coming.idle),
        next_price_at=None if coming is None else _instant(coming.at_utc_s),
        qr_code=shown.qr_code,
    )


def _price(charging: ChargingPrice | None, idle: IdlePrice | None) -> responses.Price:
    return responses.Price(
        per_kwh=None if charging is None else _decimal(charging.per_kwh),
        per_hour=None if charging is None else _decimal(charging.per_hour),
        flat_fee=None if charging is None else _decimal(charging.flat_fee),
        idle_per_hour=None if idle is None else _decimal(idle.per_hour),
        idle_grace_minutes=None if idle is None else idle.grace_minutes,
    )


def _decimal(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def _charge(
    host: ChargePoint, connector: model.Connector, shown: Reading | None, now_s: float
) -> responses.Charge | None:
    transaction = connector.transaction
    if transaction is None:
        return None
    return responses.Charge(
        id_tag=short_tag(transaction.id_tag),
        transaction_id=transaction.transaction_id,
        started=utc_text(transaction.started_utc_s),
        duration_s=transaction.duration_s(now_s),
        energy_wh=session_wh(connector, shown),
        meter_start_wh=transaction.meter_start_wh,
        reservation_id=transaction.reservation_id,
        ending=None if transaction.ending is None else transaction.ending.reason,
    )
