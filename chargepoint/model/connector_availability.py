"""Whether a connector is in use: what ChangeAvailability has set or scheduled, and what the charger itself takes out.

Sources: OCPP 1.6 5.2, and 4.9 for Unavailable "internally for other purposes".
"""

from __future__ import annotations

from typing import Protocol


class AvailabilityOwner(Protocol):
    """What the availability needs of the connector it belongs to."""

    @property
    def is_busy(self) -> bool: ...
    def save_availability(self) -> None: ...
    def reconsider(self, now_s: float) -> None: ...


class ConnectorAvailability:
    """The availability of one connector."""

    __slots__ = ("_owner", "is_operative", "is_scheduled", "is_withdrawn")

    def __init__(self, owner: AvailabilityOwner) -> None:
        self._owner = owner
        self.is_operative = True
        """What the central system has set; it persists a reboot."""
        self.is_scheduled = False
        """It becomes inoperative as soon as the connector is free."""
        self.is_withdrawn = False
        """Taken out of use by the charger itself for a while; what the central system has set stays."""

    def restore(self, operative: bool, scheduled: bool) -> None:
        """Take up what the store holds."""
        self.is_operative, self.is_scheduled = operative, scheduled

    def set(self, operative: bool, now_s: float) -> bool:
        """Change the availability now, or schedule it; return False when it was scheduled (5.2)."""
        is_scheduled = not operative and self.is_operative and self._owner.is_busy
        if not is_scheduled:
            self.is_operative = operative
        self.is_scheduled = is_scheduled
        self._owner.save_availability()
        if not is_scheduled:
            self._owner.reconsider(now_s)
        return not is_scheduled

    def settle(self, now_s: float) -> None:
        """Become inoperative if that was scheduled and the connector is free now."""
        if self.is_scheduled and not self._owner.is_busy:
            self.set(False, now_s)

    def withdraw(self, withdrawn: bool, now_s: float) -> None:
        """Take the connector out of use as soon as it is at rest, or give it back."""
        if withdrawn != self.is_withdrawn:
            self.is_withdrawn = withdrawn
            self._owner.reconsider(now_s)
