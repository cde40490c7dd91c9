"""Feature profile "SmartCharging": SetChargingProfile, ClearChargingProfile, GetCompositeSchedule.

Sources: OCPP 1.6 3.13, 5.5, 5.7, 5.16, keys 9.4, errata of 2025-04. What profiles mean is `chargepoint.model.composite`;
this keeps them, and lets every connector offer what they allow, changed at the second at which they change.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from ocpp.v16 import call, call_result, datatypes
from ocpp.v16.enums import (
    ChargingProfileKindType,
    ChargingProfilePurposeType,
    ChargingProfileStatus,
    ChargingRateUnitType,
    ClearChargingProfileStatus,
    GetCompositeScheduleStatus,
)

from chargepoint.model.chargepoint import ChargePoint
from chargepoint.model.charging_rules import Rules, judged
from chargepoint.model.composite import (
    At,
    Bound,
    Maximum,
    Profile,
    Sharing,
    Stack,
    Wiring,
    beside,
    bounded,
    composite,
    cut,
    shared,
    total,
)
from chargepoint.model.connector import Connector
from chargepoint.model.connector_state import Limit
from chargepoint.model.errors import ErrorCode, PeerError
from chargepoint.model.feature import FeatureProfile, handles
from chargepoint.model.keys import Access, boolean, integer, items
from chargepoint.model.pilot import MINIMUM_A
from chargepoint.model.record import Fields, RecordKind, Snapshot, numbered
from chargepoint.model.timebase import Alarm, Appointment, utc_text
from chargepoint.model.transaction import Transaction
from hw.ports import Reading

_UNITS: Mapping[str, str] = {ChargingRateUnitType.amps: "Current", ChargingRateUnitType.watts: "Power"}

CHARGE_PROFILE_MAX_STACK_LEVEL = integer(
    "ChargeProfileMaxStackLevel", 10, access=Access.READ_ONLY, source="9.4.1", effect="highest stackLevel accepted"
)
CHARGING_SCHEDULE_ALLOWED_CHARGING_RATE_UNIT = items(
    "ChargingScheduleAllowedChargingRateUnit",
    tuple(_UNITS.values()),
    check=tuple(_UNITS.values()).__contains__,
    expected="Current or Power",
    access=Access.READ_ONLY,
    source="9.4.2",
    effect="units a schedule may have: Current is A, Power is W",
)
CHARGING_SCHEDULE_MAX_PERIODS = integer(
    "ChargingScheduleMaxPeriods", 100, access=Access.READ_ONLY, source="9.4.3", effect="periods a schedule may have"
)
CONNECTOR_SWITCH_3_TO_1_PHASE_SUPPORTED = boolean(
    "ConnectorSwitch3to1PhaseSupported",
    False,
    access=Access.READ_ONLY,
    source="9.4.4",
    effect="no board here can switch phases off",
)
MAX_CHARGING_PROFILES_INSTALLED = integer(
    "MaxChargingProfilesInstalled", 50, access=Access.READ_ONLY, source="9.4.5", effect="profiles kept at a time"
)
TX_PROFILE_HIDES_TX_DEFAULT = boolean(
    "TxProfileHidesTxDefault",
    False,
    source="3.13.1",
    effect="a TxProfile that has run out leaves no limit, as test case 066 has it; else TxDefaultProfile rules again",
)

LONGEST_S = 31_536_000
"""A year: no composite schedule is longer."""
_FRACTION_S = 1e-3
"""What sums of floats may lack of the second at which something is due."""
YIELD_S = 600.0
"""A car that is offered current and takes none gives its place to one that waits for it, after so long."""
_MAXIMUM = ChargingProfilePurposeType.charge_point_max_profile
_TX_PROFILE = ChargingProfilePurposeType.tx_profile


def _profile(key: str, fields: Fields) -> Profile:
    numbered(key)
    return Profile.restored(fields)


CHARGING_PROFILE = RecordKind(
    "charging_profile", __name__, _profile, "charging profile {key}: its limit no longer holds"
)
"""Keyed by chargingProfileId."""


class SmartCharging(FeatureProfile):
    """Keeps charging profiles and bounds what connectors offer by them."""

    __slots__ = ("_early", "_idle_since_s", "_installed", "_next", "_takers", "_yield", "_yielded_s")

    name = "SmartCharging"
    keys = (
        CHARGE_PROFILE_MAX_STACK_LEVEL,
        CHARGING_SCHEDULE_ALLOWED_CHARGING_RATE_UNIT,
        CHARGING_SCHEDULE_MAX_PERIODS,
        CONNECTOR_SWITCH_3_TO_1_PHASE_SUPPORTED,
        MAX_CHARGING_PROFILES_INSTALLED,
        TX_PROFILE_HIDES_TX_DEFAULT,
    )
    records = (CHARGING_PROFILE,)

    def __init__(self, host: ChargePoint) -> None:
        super().__init__(host)
        self._installed: dict[int, Profile] | None = None
        """By chargingProfileId; None as long as there never was one."""
        self._early: tuple[int, ...] = ()
        """The chargingProfileIds that came before the calendar was set."""
        self._next: Appointment | None = None
        self._takers: tuple[tuple[int, float, int], ...] = ()
        """Who shared at the last look, the local limit of each in A, and the phases on which its car was seen to charge."""
        self._idle_since_s: dict[int, float] = {}
        """Connectors whose car takes nothing of what it is offered."""
        self._yielded_s: dict[int, float] = {}
        """Connectors that have let others go before them: they come last, the latest at the end."""
        self._yield = Alarm(host.timers, self._let_others_go_first)

    @property
    def installed(self) -> tuple[Profile, ...]:
        """The charging profiles as kept, oldest first."""
        return tuple(self._installed.values()) if self._installed else ()

    def restored(self, snapshot: Snapshot, now_s: float) -> None:
        """All profiles outlive a restart (erratum), but no transaction of ours does, so its TxProfiles go with it."""
        for profile in sorted(snapshot.of(CHARGING_PROFILE).values(), key=lambda each: (each.received_s, each.profile_id)):
            if profile.purpose == _TX_PROFILE:
                self.host.save(CHARGING_PROFILE.name, str(profile.profile_id), None)
            else:
                self._installed = self._installed or {}
                self._installed[profile.profile_id] = profile

    # --- calls --------------------------------------------------------------------------------------------------------

    @handles(call.SetChargingProfile)
    def _set(self, request: call.SetChargingProfile, now_s: float) -> call_result.SetChargingProfile:
        host, number = self.host, request.connector_id
        if number != 0 and not host.has_connector(number):
            # Erratum 3.39 wants an error here, not a status.
            problem = f"connectorId {number}: there are 0 to {len(host.connectors)}"
            raise PeerError(ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, problem)
        told = cast("datatypes.ChargingProfile", request.cs_charging_profiles)
        try:
            profile = self._placed(told, number, self._judged(told, now_s))
            self._find_room(profile, now_s)
        except ValueError as reason:
            host.log.info("charging profile %d rejected: %s", told.charging_profile_id, reason)
            return call_result.SetChargingProfile(status=ChargingProfileStatus.rejected)
        self._install(profile)
        self._reconsider(now_s)
        return call_result.SetChargingProfile(status=ChargingProfileStatus.accepted)

    @handles(call.ClearChargingProfile)
    def _clear(self, request: call.ClearChargingProfile, now_s: float) -> call_result.ClearChargingProfile:
        """With an id nothing else counts; without one, everything given must fit (5.5)."""

        def fits(profile: Profile) -> bool:
            if request.id is not None:
                return profile.profile_id == request.id
            return (
                request.connector_id in (None, profile.connector)
                and request.charging_profile_purpose in (None, profile.purpose)
                and request.stack_level in (None, profile.level)
            )

        gone = [profile for profile in self.installed if fits(profile)]
        if not gone:
            return call_result.ClearChargingProfile(status=ClearChargingProfileStatus.unknown)
        self._remove(gone)
        self._reconsider(now_s)
        return call_result.ClearChargingProfile(status=ClearChargingProfileStatus.accepted)

    @handles(call.GetCompositeSchedule)
    def _composite(self, request: call.GetCompositeSchedule, now_s: float) -> call_result.GetCompositeSchedule:
        host, number = self.host, request.connector_id
        allowed = host.setting(CHARGING_SCHEDULE_ALLOWED_CHARGING_RATE_UNIT)
        unit = request.charging_rate_unit
        if unit is None:
            amps, watts = ChargingRateUnitType.amps, ChargingRateUnitType.watts
            unit = watts if allowed == (_UNITS[watts],) else amps
        is_known = number == 0 or host.has_connector(number)
        if not is_known or request.duration < 0 or _UNITS[unit] not in allowed:
            return call_result.GetCompositeSchedule(status=GetCompositeScheduleStatus.rejected)
        start_s = self._utc_s(now_s)
        if number == 0:
            stacks = [self._stack(each, start_s, unit, now_s) for each in host.connectors]
            at = total(stacks, Maximum(self.installed, self._wiring_of_all(), unit))
        else:
            at = self._expected(host.connector(number), start_s, unit, now_s)
        duration_s, periods = composite(at, start_s, min(request.duration, LONGEST_S))
        schedule = datatypes.ChargingSchedule(
            charging_rate_unit=ChargingRateUnitType(unit),
            charging_schedule_period=[
                datatypes.ChargingSchedulePeriod(period.start_s, period.limit, period.phases) for period in periods
            ],
            duration=duration_s,
        )
        return call_result.GetCompositeSchedule(
            status=GetCompositeScheduleStatus.accepted,
            connector_id=number,
            schedule_start=utc_text(start_s),
            charging_schedule=schedule,  # type: ignore[arg-type]  # the package says a dict
        )

    def _expected(self, connector: Connector, start_s: int, unit: str, now_s: float) -> At:
        """Return what a connector may take from ``start_s`` on, in ``unit``, beside those that charge now.

        5.7: the schedule is the result of all active schedules and possible local limits. It equals what is offered.
        """
        alone = bounded(
            self._stack(connector, start_s, unit, now_s), Maximum(self.installed, self._wiring_of_all(), unit)
        )
        here = self._charging()
        if connector not in here:
            here.append(connector)  # imagined to begin now, after the others
        if len(here) == 1:
            return alone
        stacks, maximum = self._in_amps(here, start_s, now_s)
        return beside(alone, here.index(connector), stacks, maximum, self._wiring(connector), unit)

    # --- what a profile must be ---------------------------------------------------------------------------------------

    def _judged(self, told: datatypes.ChargingProfile, now_s: float) -> Profile:
        """Return what was told as a profile of connector 0. Raises ValueError, with the reason, for a faulty one."""
        host = self.host
        allowed = host.setting(CHARGING_SCHEDULE_ALLOWED_CHARGING_RATE_UNIT)
        rules = Rules(
            highest_level=host.setting(CHARGE_PROFILE_MAX_STACK_LEVEL),
            most_periods=host.setting(CHARGING_SCHEDULE_MAX_PERIODS),
            units=frozenset(unit for unit, word in _UNITS.items() if word in allowed),
        )
        profile = judged(told, rules, self._utc_s(now_s))
        if profile.start_s is None and profile.kind == ChargingProfileKindType.absolute:
            host.log.warning("charging profile %d is Absolute without startSchedule", profile.profile_id)
        return profile

    def _placed(self, told: datatypes.ChargingProfile, number: int, profile: Profile) -> Profile:
        """Return a profile at the connector it was sent to. Raises ValueError where it cannot be."""
        if profile.purpose == _MAXIMUM and number != 0:
            raise ValueError("a ChargePointMaxProfile stands on connector 0 only")
        key = None
        if profile.purpose == _TX_PROFILE:
            connector = self.host.connector(number) if number else None
            if connector is None or connector.transaction is None or not connector.is_charging:
                raise ValueError("a TxProfile needs a connector with a running transaction")
            if told.transaction_id not in (None, connector.transaction.transaction_id):
                raise ValueError(f"transaction {told.transaction_id} does not run on connector {number}")
            key = connector.transaction.key
        return replace(profile, connector=number, transaction=key)

    def take_profile(self, told: datatypes.ChargingProfile, now_s: float) -> Profile | None:
        """A remote start brings a profile (5.11): it waits with the authorisation until the transaction begins."""
        if told.charging_profile_purpose != ChargingProfilePurposeType.tx_profile:
            raise ValueError(f"its purpose is {told.charging_profile_purpose}, not TxProfile")  # 5.16.2, test case 060
        if told.transaction_id is not None:
            raise ValueError("it names a transaction, and this one has no id yet")
        profile = self._judged(told, now_s)
        self._find_room(profile, now_s)
        return profile

    # --- what is kept -------------------------------------------------------------------------------------------------

    def _replaced_by(self, new: Profile) -> list[Profile]:
        """What a new profile replaces: the same id, and the same purpose and level in the same place (3.13.2, 5.16.2)."""
        place = (new.purpose, new.level, new.connector, new.transaction)
        return [
            old
            for old in self.installed
            if old.profile_id == new.profile_id or (old.purpose, old.level, old.connector, old.transaction) == place
        ]

    def _find_room(self, new: Profile, now_s: float) -> None:
        """Raise ValueError when one profile more would be too many; what is past its validTo makes room."""
        most = self.host.setting(MAX_CHARGING_PROFILES_INSTALLED)
        if len(self.installed) < most or self._replaced_by(new):
            return
        utc_s = self._utc_s(now_s)
        self._remove([old for old in self.installed if old.valid_to_s is not None and old.valid_to_s <= utc_s])
        if len(self.installed) >= most:
            raise ValueError(f"{most} profiles are installed: clear one first")

    def _install(self, new: Profile) -> None:
        self._remove(self._replaced_by(new))
        self._installed = self._installed or {}
        self._installed[new.profile_id] = new
        if not self.host.calendar.is_set:
            self._early += (new.profile_id,)
        self.host.save(CHARGING_PROFILE.name, str(new.profile_id), new.body())

    def _remove(self, gone: Iterable[Profile]) -> None:
        for profile in gone:
            if self._installed:
                del self._installed[profile.profile_id]
            self.host.save(CHARGING_PROFILE.name, str(profile.profile_id), None)

    def transaction_started(
        self, connector: Connector, transaction: Transaction, reading: Reading, now_s: float
    ) -> None:
        brought = transaction.charging_profile
        if brought is not None:
            # It was accepted, so it is kept even if others have filled the store meanwhile.
            self._install(replace(brought, connector=connector.number, transaction=transaction.key))

    def transaction_ending(self, connector: Connector, transaction: Transaction, now_s: float) -> None:
        """A TxProfile is deleted with its transaction (3.13.1)."""
        self._yielded_s.pop(connector.number, None)
        self._remove([profile for profile in self.installed if profile.transaction == transaction.key])

    # --- what may be offered ------------------------------------------------------------------------------------------

    def limits(self, connector: Connector, now_s: float) -> Iterable[Limit]:
        if not self._installed:
            return ()
        here = self._charging()
        if connector not in here:
            return ()  # nothing is offered there that could be limited
        sharing = self._sharing(here, now_s)
        index = here.index(connector)
        bound, most = sharing.bounds[index], sharing.most
        found = []
        if bound.profile is not None:
            reason = _reason(bound, self._wiring(connector))
            found.append(Limit(cut(bound.limit), reason, sharing.untils_s[index]))
        if most is not None:
            reason = _reason(most, self._wiring_of_all(), len(here))
            found.append(Limit(sharing.given_a[index], reason, sharing.most_until_s))
        return found

    def _sharing(self, here: Sequence[Connector], now_s: float) -> Sharing:
        return shared(*self._in_amps(here, self._utc_s(now_s), now_s), self._utc_s(now_s))

    def _wait_for_change(self, now_s: float) -> None:
        """Arm the next moment at which some limit may change. `limits` is a query: displays call it, too."""
        here = self._charging()
        self._wait_until(self._sharing(here, now_s).until_s if here else math.inf)

    def connector_changed(self, connector: Connector, now_s: float) -> None:
        """Who charges, within which local limit and on how many phases, decides what is left for the others."""
        if not self._installed:
            return
        takers = tuple(
            (each.number, self._local_a(each, now_s), each.supervision.conducting_phases) for each in self._charging()
        )
        if takers != self._takers:
            self._takers = takers
            self._reconsider(now_s)
        self._wait_for_change(now_s)
        self._watch_idle(now_s)

    def _watch_idle(self, now_s: float) -> None:
        """A full car stays plugged all night: nobody else may have to wait for it that long."""
        here = self._charging()
        if len(here) < 2 and not self._idle_since_s:
            return
        idle = [each.number for each in here if each.offered_a >= MINIMUM_A and not each.supply.car_asks]
        self._idle_since_s = {number: self._idle_since_s.get(number, now_s) for number in idle}
        if idle and any(self._waits_for_share(each, now_s) for each in here):
            self._yield.set(min(self._idle_since_s.values()) + YIELD_S)
        else:
            self._yield.clear()

    def _waits_for_share(self, connector: Connector, now_s: float) -> bool:
        """Whether a connector is offered nothing though its own profiles would let it."""
        own = self._stack(connector, self._utc_s(now_s), ChargingRateUnitType.amps, now_s)
        return connector.offered_a < MINIMUM_A <= cut(own.at(self._utc_s(now_s))[0].limit)

    def _let_others_go_first(self, now_s: float) -> None:
        for number, since_s in self._idle_since_s.items():
            if now_s >= since_s + YIELD_S:
                self._yielded_s[number] = now_s
        self._reconsider(now_s)

    def clock_found(self, step_s: float, now_s: float) -> None:
        """Move the arrival of what came before the calendar was set; a schedule may be anchored there."""
        for profile in [each for each in self.installed if each.profile_id in self._early]:
            self._install(replace(profile, received_s=profile.received_s + round(step_s)))
        self._early = ()

    def clock_stepped(self, now_s: float) -> None:
        self._reconsider(now_s)

    def setting_changed(self, name: str, now_s: float) -> None:
        if name == TX_PROFILE_HIDES_TX_DEFAULT.name:
            self._reconsider(now_s)

    def _reconsider(self, now_s: float) -> None:
        for connector in self._charging():
            connector.reconsider(now_s)

    def _charging(self) -> list[Connector]:
        """Connectors with a running transaction that may be given energy, in order of arrival."""
        yielded_s = self._yielded_s
        here = [
            (
                yielded_s.get(connector.number, 0.0),
                connector.transaction.began_utc_s(self.host.calendar),
                connector.number,
                connector,
            )
            for connector in self.host.connectors
            if connector.is_charging and connector.transaction is not None and connector.may_offer
        ]
        return [connector for *_, connector in sorted(here)]

    def _wait_until(self, utc_s: float) -> None:
        if self._next is not None:
            if self._next.due_utc_s == utc_s:
                return
            self._next.cancel()
            self._next = None
        if utc_s < math.inf:
            self._next = self.host.calendar.at(utc_s, self._due)

    def _due(self, now_s: float) -> None:
        self._next = None
        self._reconsider(now_s)

    def _utc_s(self, now_s: float) -> int:
        return math.floor(self.host.calendar.utc_s(now_s) + _FRACTION_S)

    def _wiring(self, connector: Connector) -> Wiring:
        rated = connector.outlet.rated
        return Wiring(rated.voltage_v, rated.phases, connector.supervision.conducting_phases)

    def _wiring_of_all(self) -> Wiring:
        """Return the wiring by which a limit for the whole charge point is converted: with the most phases there are."""
        wirings = [self._wiring(each) for each in self.host.connectors]
        phases, conducting = max(each.phases for each in wirings), max(each.conducting for each in wirings)
        return Wiring(wirings[0].voltage_v, phases, conducting)

    def _local_a(self, connector: Connector, now_s: float) -> float:
        """Return the least limit of a connector that does not come from a charging profile, in A per phase.

        It is 0 where the energy of a running transaction is withheld, by a fault or because its card was refused.
        """
        if connector.is_charging and not connector.may_offer:
            return 0.0
        others = (each.amps for each in self.host.limits(connector, now_s, besides=self))
        return min((connector.offering.own_limit().amps, *others))

    def _in_amps(self, connectors: Iterable[Connector], at_s: int, now_s: float) -> tuple[list[Stack], Maximum]:
        amps = ChargingRateUnitType.amps
        stacks = [self._stack(each, at_s, amps, now_s) for each in connectors]
        return stacks, Maximum(self.installed, self._wiring_of_all(), amps)

    def _stack(self, connector: Connector, at_s: int, unit: str, now_s: float) -> Stack:
        """What is said of a connector; where no transaction runs, one is imagined that begins now (5.7)."""
        running = connector.transaction if connector.is_charging else None
        return Stack(
            self.installed,
            connector.number,
            None if running is None else running.key,
            at_s if running is None else math.floor(running.began_utc_s(self.host.calendar)),
            self._local_a(connector, now_s),
            self._wiring(connector),
            unit,
            is_strict=self.host.setting(TX_PROFILE_HIDES_TX_DEFAULT),
        )


def _reason(bound: Bound, wiring: Wiring, connectors: int = 1) -> str:
    """Return which profile sets a limit in A, how a limit in W became that, and among how many connectors it is shared."""
    profile, period, amps = bound.profile, bound.period, cut(bound.limit)
    if profile is None or period is None:
        return ""
    told = []
    sharers = f" for {connectors} connectors" if connectors > 1 else ""
    if profile.unit == ChargingRateUnitType.watts:
        phases = wiring.phases_of(period)
        told.append(f"{period.limit:.10g} W over {phases} {'phase' if phases == 1 else 'phases'} = {amps:g} A{sharers}")
    elif sharers:
        told.append(f"{amps:g} A{sharers}")
    if 0.0 < amps < MINIMUM_A:
        told.append(f"below {MINIMUM_A:g} A")
    name = f"{profile.purpose} {profile.profile_id}"
    return f"{name} ({', '.join(told)})" if told else name
