"""What can go wrong at a connector, and what each of it means: to the energy, to the transaction, to the central system.

Sources: OCPP 1.6 7.6 (ChargePointErrorCode) and 4.9 (EVCommunicationError only as a warning); the vendor error codes are
the "minimum required error codes" of the ChargeX consortium, which other charging software reports too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ocpp.v16.enums import ChargePointErrorCode as Code

from hw.ports import Fault

VENDOR_ID = "https://chargex.inl.gov"


class Until(Enum):
    """When a fault is over."""

    GONE = "gone"
    """When its cause is gone."""
    UNPLUGGED = "unplugged"
    """When its cause is gone and the car has left."""
    SERVICE = "service"
    """Not before a technician has confirmed the repair on site; stored, so over restarts too."""


class Trouble(Enum):
    """Everything that takes energy away from a connector other than a wish."""

    GROUND_FAULT = Fault.GROUND_FAULT.value
    RESIDUAL_CURRENT_TEST = Fault.RESIDUAL_CURRENT_TEST.value
    OVER_TEMPERATURE = Fault.OVER_TEMPERATURE.value
    OVER_VOLTAGE = Fault.OVER_VOLTAGE.value
    UNDER_VOLTAGE = Fault.UNDER_VOLTAGE.value
    OVER_CURRENT = Fault.OVER_CURRENT.value
    PROTECTIVE_EARTH = Fault.PROTECTIVE_EARTH.value
    EMERGENCY_STOP = Fault.EMERGENCY_STOP.value
    METER_SILENT = Fault.METER_SILENT.value
    READER_SILENT = Fault.READER_SILENT.value
    CONTROLLER_SILENT = Fault.CONTROLLER_SILENT.value
    INTERNAL = Fault.INTERNAL.value
    METER_REVERSED = "meter_reversed"
    METER_FROZEN = "meter_frozen"
    CONTACTOR_GUARD = "contactor_guard"
    LOCK_FAILED = "lock_failed"
    CONTACTOR_STUCK = "contactor_stuck"
    CONTACTOR_WELDED = "contactor_welded"
    DIODE_MISSING = "diode_missing"
    PILOT_SHORT = "pilot_short"
    VENTILATION = "ventilation"
    PROXIMITY = "proximity"
    RESET_FAILED = "reset_failed"
    LOCAL_LIST_CONFLICT = "local_list_conflict"
    STORE_FAILED = "store_failed"
    STORE_DAMAGED = "store_damaged"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a trouble means. Not blocking: a warning beside another status, though energy may still be withheld.

    ``ramps_down``: the car gets the time of the relay rule to stop drawing before the contactor opens; otherwise the
    contactor opens at once.
    """

    code: Code
    vendor_code: str = ""
    info: str = ""
    is_blocking: bool = True
    withholds: bool = True
    ramps_down: bool = False
    ends_transaction: bool = False
    until: Until = Until.GONE


MEANINGS: dict[Trouble, Meaning] = {
    Trouble.GROUND_FAULT: Meaning(Code.ground_failure, "CX002", ends_transaction=True, until=Until.UNPLUGGED),
    Trouble.RESIDUAL_CURRENT_TEST: Meaning(Code.ground_failure, info="Residual current self-test"),
    Trouble.OVER_TEMPERATURE: Meaning(Code.high_temperature, "CX019", ramps_down=True),
    Trouble.OVER_VOLTAGE: Meaning(Code.over_voltage, "CX005", ramps_down=True),
    Trouble.UNDER_VOLTAGE: Meaning(Code.under_voltage, "CX006", ramps_down=True),
    Trouble.OVER_CURRENT: Meaning(Code.over_current_failure, "CX004", ends_transaction=True, until=Until.UNPLUGGED),
    Trouble.PROTECTIVE_EARTH: Meaning(Code.ground_failure, info="Protective earth lost", ends_transaction=True),
    Trouble.EMERGENCY_STOP: Meaning(Code.other_error, info="Emergency stop", ends_transaction=True),
    # The meter is what money depends on: without it nothing flows, and the transaction waits for it.
    Trouble.METER_SILENT: Meaning(Code.power_meter_failure, ramps_down=True),
    Trouble.METER_REVERSED: Meaning(
        Code.power_meter_failure, info="Meter counts backwards", is_blocking=False, withholds=False
    ),
    Trouble.METER_FROZEN: Meaning(
        Code.power_meter_failure, info="Register does not count", is_blocking=False, withholds=False
    ),
    # The energy is withheld by a limit, with its reason.
    Trouble.CONTACTOR_GUARD: Meaning(
        Code.other_error, info="Contactor closed too often", is_blocking=False, withholds=False
    ),
    Trouble.READER_SILENT: Meaning(Code.reader_failure, is_blocking=False, withholds=False),
    Trouble.CONTROLLER_SILENT: Meaning(Code.internal_error, info="Controller silent"),
    Trouble.INTERNAL: Meaning(Code.internal_error),
    Trouble.LOCK_FAILED: Meaning(Code.connector_lock_failure, "CX001", until=Until.UNPLUGGED),
    Trouble.CONTACTOR_STUCK: Meaning(
        Code.power_switch_failure, "CX017", "Contactor does not close", ends_transaction=True, until=Until.UNPLUGGED
    ),
    Trouble.CONTACTOR_WELDED: Meaning(
        Code.power_switch_failure, "CX017", "Contactor does not open", ends_transaction=True, until=Until.SERVICE
    ),
    Trouble.DIODE_MISSING: Meaning(
        Code.ev_communication_error, "CX014", "Diode fault", is_blocking=False, until=Until.UNPLUGGED
    ),
    Trouble.PILOT_SHORT: Meaning(Code.ev_communication_error, "CX014", "CP short", is_blocking=False),
    # Without energy such a car goes back to B: only its leaving tells that it no longer asks for ventilation.
    Trouble.VENTILATION: Meaning(
        Code.other_error, info="Ventilation not available", is_blocking=False, until=Until.UNPLUGGED
    ),
    Trouble.PROXIMITY: Meaning(Code.other_error, "CX023", "Proximity fault", is_blocking=False),
    Trouble.RESET_FAILED: Meaning(Code.reset_failure, is_blocking=False, withholds=False),
    Trouble.LOCAL_LIST_CONFLICT: Meaning(Code.local_list_conflict, is_blocking=False, withholds=False),
    # Energy is bounded by a limit, with the time that a car needs to ramp down.
    Trouble.STORE_FAILED: Meaning(
        Code.internal_error, info="The store cannot be written", is_blocking=False, withholds=False
    ),
    Trouble.STORE_DAMAGED: Meaning(Code.internal_error, info="Store damaged", is_blocking=False, withholds=False),
}

IDLE_PILOT_SHORT = Meaning(Code.other_error, "CX014", "CP short")
"""A short circuit at an empty outlet: Available may not carry EVCommunicationError, so this one blocks (OCPP 1.6 4.9)."""
