"""The cable: its two plugs, its coding resistor, and the lock that holds it in a socket."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from hw.ports import CableKind

PROXIMITY_OHM = {13.0: 1500.0, 20.0: 680.0, 32.0: 220.0, 63.0: 100.0}
"""Coding resistor of a plug in ohm by the rating of its cable in A. Source: IEC 61851-1:2017, table B.2."""


@dataclass(slots=True)
class Cable:
    """The cable at one outlet; a tethered one is always in the box."""

    kind: CableKind
    rating_a: float
    motor_s: float = 0.3
    is_in_box: bool = False
    is_in_car: bool = False
    is_locked: bool = False
    is_jammed: bool = False
    wants_locked: bool = False
    is_pulled: bool = False
    """Somebody pulls at the locked plug: it comes out of the socket as soon as the lock opens."""
    due_s: float = inf

    def __post_init__(self) -> None:
        self.is_in_box = self.kind is CableKind.TETHERED

    @property
    def proximity_ohm(self) -> float | None:
        """What a socket's proximity contact sees in ohm; None: no plug, or no such contact."""
        return PROXIMITY_OHM[self.rating_a] if self.is_in_box and self.kind is CableKind.SOCKET else None

    def replace_by(self, rating_a: float) -> None:
        """Another cable. Raises ValueError for a rating that no plug is coded for, or when this one cannot be put away."""
        if rating_a not in PROXIMITY_OHM:
            raise ValueError(f"no cable is rated {rating_a:g} A: {', '.join(f'{each:g}' for each in PROXIMITY_OHM)} are")
        if rating_a == self.rating_a:
            return
        if self.kind is CableKind.TETHERED:
            raise ValueError(f"the cable is fixed to the box and rated {self.rating_a:g} A")
        if self.is_in_box or self.is_in_car:
            raise ValueError("the cable is plugged in: unplug it first")
        self.rating_a = rating_a

    def plug_in(self) -> None:
        """Both ends in."""
        self.is_pulled = False
        self.is_in_box = True
        self.is_in_car = True

    def unplug(self) -> None:
        """Both ends out; a tethered cable stays in the box, and a locked plug in the socket until the lock opens."""
        self.is_in_car = False
        if self.kind is CableKind.SOCKET and self.is_in_box:
            self.is_pulled = self.is_locked
            self.is_in_box = self.is_locked

    def drive_lock(self, locked: bool, now_s: float) -> None:
        """Start the lock's motor."""
        self.wants_locked = locked
        self.due_s = now_s + self.motor_s

    def step(self, *, is_blocked: bool) -> None:
        """The motor has stopped: the lock is where it was sent, or jammed; a plug that is pulled at may come out.

        A bolt does not find the plug's hole when the plug is missing, and nothing moves when ``is_blocked``.
        """
        self.due_s = inf
        can_move = not is_blocked and (self.is_in_box or not self.wants_locked)
        if can_move:
            self.is_locked = self.wants_locked
        self.is_jammed = self.is_locked != self.wants_locked
        if self.is_pulled and not self.is_locked:
            self.is_pulled = self.is_in_box = False
