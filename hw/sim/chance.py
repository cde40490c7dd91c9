"""Repeatable chance in one integer: a `random.Random` costs 2.5 KB a car, which a fleet of thousands would feel."""

from __future__ import annotations

_MULTIPLIER = 6364136223846793005
_INCREMENT = 1442695040888963407
_MODULUS = 1 << 64


class Chance:
    """Knuth's MMIX linear congruential generator, of which only the good upper bits are used."""

    __slots__ = ("state",)

    def __init__(self, seed: int) -> None:
        self.state = (seed * _INCREMENT + _MULTIPLIER) % _MODULUS
        self.around(0.0, 1.0)  # neighbouring seeds part company at the second number

    def around(self, value: float, spread: float) -> float:
        """Return a number evenly spread over ``value`` - ``spread`` .. ``value`` + ``spread``."""
        self.state = (self.state * _MULTIPLIER + _INCREMENT) % _MODULUS
        return value + spread * ((self.state >> 11) / (1 << 52) - 1.0)
