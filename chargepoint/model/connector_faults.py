"""The active faults of one connector: what each means there, which are reported, and when each is over.

Sources: OCPP 1.6 4.9 and 7.6; `faults` has the table of all faults.
"""

from __future__ import annotations

from typing import Protocol

from ocpp.v16.enums import ChargePointErrorCode, ChargePointStatus

from .faults import IDLE_PILOT_SHORT, MEANINGS, Meaning, Trouble, Until
from .journal import FaultChanged, Journal

_WITH_COMMUNICATION_ERROR = (
    ChargePointStatus.preparing,
    ChargePointStatus.suspended_ev,
    ChargePointStatus.suspended_evse,
    ChargePointStatus.finishing,
)
"""The statuses that EVCommunicationError may stand with (OCPP 1.6 4.9, 7.6)."""


class FaultOwner(Protocol):
    """What the faults need of the connector they belong to."""

    number: int

    @property
    def journal(self) -> Journal: ...
    @property
    def is_idle(self) -> bool: ...
    @property
    def is_connected(self) -> bool: ...
    def fault_appeared(self, what: Trouble, now_s: float) -> None: ...
    def fault_cleared(self, what: Trouble, now_s: float) -> None: ...
    def save_fault(self, what: Trouble, info: str | None) -> None: ...


class ConnectorFaults:
    """The faults of one connector. The owner hears of every fault that appears or is over."""

    __slots__ = ("_owner", "_seen_by_board", "_seen_by_model", "active")

    def __init__(self, owner: FaultOwner) -> None:
        self.active: dict[Trouble, str] = {}
        """The active faults and what the board says of each; oldest first."""
        self._owner = owner
        self._seen_by_board: set[Trouble] = set()
        """Faults whose cause the board still sees: unplugging ends none of them."""
        self._seen_by_model: set[Trouble] = set()
        """Faults whose cause the charger itself still sees."""

    @property
    def is_blocking(self) -> bool:
        """Whether a fault makes the connector Faulted."""
        return any(self._meaning(fault).is_blocking for fault in self.active)

    @property
    def is_withholding(self) -> bool:
        """Whether a fault takes the energy away."""
        return any(MEANINGS[fault].withholds for fault in self.active)

    @property
    def is_urgent(self) -> bool:
        """Whether a fault opens the contactor without time to ramp down."""
        return any(MEANINGS[fault].withholds and not MEANINGS[fault].ramps_down for fault in self.active)

    def has_latched(self, until: Until) -> bool:
        """Whether a fault is active that is latched ``until`` then."""
        return any(MEANINGS[fault].until is until for fault in self.active)

    def report(self, status: ChargePointStatus) -> tuple[str, str, str] | None:
        """Return error code, vendor error code and info that go with a status; None: NoError.

        A blocking fault goes with Faulted, another one is a warning beside any other status (7.6).
        """
        for fault, info in self.active.items():
            meaning = self._meaning(fault)
            if meaning.is_blocking == (status == ChargePointStatus.faulted) and _may_stand_with(meaning, status):
                return meaning.code.value, meaning.vendor_code, info or meaning.info
        return None

    def set(self, what: Trouble, active: bool, now_s: float, info: str = "") -> None:
        """The charger itself sees the cause of a fault appear or go."""
        if active:
            self._seen_by_model.add(what)
        else:
            self._seen_by_model.discard(what)
        self._judge(what, now_s, info)

    def _judge(self, what: Trouble, now_s: float, info: str = "") -> None:
        is_seen = what in self._seen_by_board or what in self._seen_by_model
        if is_seen and what not in self.active:
            self.active[what] = info
            text = info or MEANINGS[what].info
            if MEANINGS[what].until is Until.SERVICE:
                self._owner.save_fault(what, text)
            self._owner.journal.write(now_s, FaultChanged(self._owner.number, what.value, True, text))
            self._owner.fault_appeared(what, now_s)
        elif not is_seen and what in self.active and MEANINGS[what].until is Until.GONE:
            self._clear(what, now_s)
            self._owner.fault_cleared(what, now_s)

    def set_by_board(self, what: Trouble, active: bool, now_s: float, info: str = "") -> None:
        """The board's own monitor sees the cause of a fault appear or go."""
        if active:
            self._seen_by_board.add(what)
        else:
            self._seen_by_board.discard(what)
        self._judge(what, now_s, info)
        is_latched = what in self.active and MEANINGS[what].until is Until.UNPLUGGED
        if not active and is_latched and not self._owner.is_connected:
            self._clear(what, now_s)
            self._owner.fault_cleared(what, now_s)

    def restore(self, what: Trouble, info: str) -> None:
        """Take up a fault that was latched before a restart; the central system has not confirmed it in this life."""
        self.active[what] = info

    def confirm_repair(self, now_s: float) -> tuple[list[Trouble], list[Trouble]]:
        """Clear the faults that are latched until service; return those cleared, and those whose cause is still seen."""
        latched = [each for each in self.active if MEANINGS[each].until is Until.SERVICE]
        seen = [each for each in latched if each in self._seen_by_board or each in self._seen_by_model]
        cleared = [each for each in latched if each not in seen]
        for fault in cleared:
            self._clear(fault, now_s)
            self._owner.save_fault(fault, None)
            self._owner.fault_cleared(fault, now_s)
        return cleared, seen

    def unplugged(self, now_s: float) -> None:
        """The car has left: faults that lasted until then are over, except those that the board still sees."""
        for fault in [each for each in self.active if MEANINGS[each].until is Until.UNPLUGGED]:
            self._seen_by_model.discard(fault)  # what the charger itself saw was of that car
            if fault not in self._seen_by_board:
                self._clear(fault, now_s)

    def _clear(self, what: Trouble, now_s: float) -> None:
        del self.active[what]
        self._owner.journal.write(now_s, FaultChanged(self._owner.number, what.value, False, ""))

    def _meaning(self, fault: Trouble) -> Meaning:
        if fault is Trouble.PILOT_SHORT and self._owner.is_idle and not self._owner.is_connected:
            return IDLE_PILOT_SHORT
        return MEANINGS[fault]


def _may_stand_with(meaning: Meaning, status: ChargePointStatus) -> bool:
    return meaning.code is not ChargePointErrorCode.ev_communication_error or status in _WITH_COMMUNICATION_ERROR
