"""The cable of one connector: which ends of it are in, and what its plug is coded for.

At a socket two contacts tell: the control pilot says whether a car is at the other end, the proximity contact what the plug
is coded for. A plug whose coding resistor cannot be read, although the pilot shows a car, is a fault and allows 0 A
(IEC 61851-1 annex B).
"""

from __future__ import annotations

from typing import Protocol

from hw.ports import CableKind, Outlet, PilotState, ProximityReading

from .faults import Trouble
from .pilot import cable_rating_for_ohms
from .supply import Supply
from .timebase import Alarm, Timers

CODING_S = 2.0
"""How long the coding resistor may be missing while a car is connected: contacts and pollers differ in speed [D]."""


class PlugOwner(Protocol):
    """What the plug needs of the connector it belongs to."""

    timers: Timers
    supply: Supply

    def trouble(self, what: Trouble, active: bool, now_s: float, info: str = "") -> None: ...
    def reconsider(self, now_s: float) -> None: ...


class ConnectorPlug:
    """``has_cable``: a cable is fixed to the outlet, or in its socket. ``rating_a`` None: no rating is known."""

    __slots__ = ("_coded_a", "_coding", "_outlet", "_owner", "has_cable", "is_connected", "rating_a")

    def __init__(self, owner: PlugOwner, outlet: Outlet) -> None:
        self.has_cable = outlet.cable is CableKind.TETHERED
        self.rating_a = outlet.cable_rating_a
        self.is_connected = False
        """The car's end is in, as last seen outside a short circuit of the pilot."""
        self._owner = owner
        self._outlet = outlet
        self._coded_a: float | None = None
        """What the plug in our socket is coded for, in A; None: there is none."""
        self._coding = Alarm(owner.timers, self._is_missing) if outlet.cable is CableKind.SOCKET else None

    @property
    def is_out(self) -> bool:
        """No plug is in our socket, and no car at the other end of one."""
        return not self.has_cable and not self.is_connected

    def on_pilot(self, now_s: float) -> tuple[bool, bool]:
        """Look at the car's end; return whether a car came, and whether one left."""
        supply = self._owner.supply
        # A short circuit tells nothing of the plug: what was connected stays so until A or B says otherwise.
        connected = self.is_connected if supply.car is PilotState.E else supply.is_connected
        came, left = connected and not self.is_connected, self.is_connected and not connected
        self.is_connected = connected
        if came or left:
            self._judge(now_s)
        return came, left

    def on_proximity(self, reading: ProximityReading, now_s: float) -> None:
        """Take a look at the plug in our socket."""
        self._coded_a = reading.rating_a
        if reading.rating_a is None and reading.ohms is not None:
            self._coded_a = cable_rating_for_ohms(reading.ohms)
        if self._coded_a is None:
            self._owner.supply.on_plug_out(now_s)
        self._judge(now_s)

    def report(self, now_s: float) -> None:
        """Report a coding that allows nothing, or that it is over."""
        self._owner.trouble(Trouble.PROXIMITY, self.rating_a == 0.0, now_s)

    def _judge(self, now_s: float) -> None:
        if self._coding is None:
            return
        if self._coded_a is None and self.is_connected:
            self.has_cable = True  # the pilot goes through it
            if self.rating_a != 0.0 and not self._coding.is_set:
                self._coding.set(now_s + CODING_S)
            return
        self._coding.clear()
        self.has_cable = self._coded_a is not None
        self.rating_a = self._coded_a

    def _is_missing(self, now_s: float) -> None:
        self.rating_a = 0.0
        self.report(now_s)
        self._owner.reconsider(now_s)
