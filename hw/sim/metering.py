"""How the readings of a simulated meter leave it: on a question, by themselves while it is watched, and broken.

A watched meter reports when current, voltage, temperature or silence change (`hw.ports.Meter.watch`). A meter whose fault
shows only in time (late, lossy, glitchy) is polled each second while it is watched, as a real one on a bus; any other fault
shows in every reading alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from math import inf, nan

from hw.ports import MeterRead, MeterSeen, Observation, PhaseValues, Reading
from hw.sim.chance import Chance
from hw.sim.faults import METER_FAULTS, Cause

LATE_S = 2.0
"""How old the answer of a late meter is."""
LOSSES = 0.01
"""Share of the answers that a lossy meter loses."""
GLITCHES = 0.02
"""Share of the answers of a glitchy meter that hold nonsense: by turns currents and powers that are NaN, and a register
that is too high once."""
GLITCH_WH = 1020.0
ROLLOVER_WH = 500.0
"""A meter that is about to roll over does so after this much energy."""

POLLED = frozenset((Cause.METER_LATE, Cause.METER_LOSSY, Cause.METER_GLITCH))
"""Causes that show only in time."""
_STANDING = (Cause.METER_FROZEN, Cause.METER_REPLACED, Cause.METER_ROLLOVER, Cause.METER_REVERSED)


class FaultyMeter:
    """The faults of one meter. It exists once a meter of the simulation has had one."""

    __slots__ = ("_begun_wh", "_chance", "_glitches")

    def __init__(self, seed: int) -> None:
        self._chance = Chance(seed)
        self._begun_wh: dict[Cause, float] = {}
        """The register at which each standing fault began."""
        self._glitches = 0

    def begin(self, cause: Cause, energy_wh: float) -> None:
        """A fault begins with the register at ``energy_wh``."""
        if cause in _STANDING:
            self._begun_wh[cause] = energy_wh

    def end(self, cause: Cause) -> None:
        """A fault is mended: the old meter is back, and has counted on."""
        self._begun_wh.pop(cause, None)

    def shown(self, reading: Reading) -> Reading:
        """Return what the meter shows instead of ``reading``, by the faults that show alike in every reading."""
        begun = self._begun_wh
        energy_wh = reading.energy_wh
        if Cause.METER_REPLACED in begun:
            energy_wh -= begun[Cause.METER_REPLACED]
        elif Cause.METER_ROLLOVER in begun:
            energy_wh %= begun[Cause.METER_ROLLOVER] + ROLLOVER_WH
        stands_wh = begun.get(Cause.METER_FROZEN, begun.get(Cause.METER_REVERSED))
        if stands_wh is not None:
            energy_wh = stands_wh
        if energy_wh != reading.energy_wh:
            share_wh = (energy_wh - reading.energy_wh) / max(1, len(reading.phase_energy_wh))
            phases = tuple(None if each is None else each + share_wh for each in reading.phase_energy_wh)
            reading = replace(reading, energy_wh=energy_wh, phase_energy_wh=phases)
        if Cause.METER_REVERSED in begun:
            reading = replace(reading, power_w=_negative(reading.power_w), current_a=_negative(reading.current_a))
        return reading

    def answered(self, reading: Reading, causes: frozenset[Cause]) -> Reading | None:
        """Return the answer to one question, None for one that is lost: by the faults that show now and then."""
        if Cause.METER_LOSSY in causes and self._happens(LOSSES):
            return None
        if Cause.METER_GLITCH in causes and self._happens(GLITCHES):
            self._glitches += 1
            if self._glitches % 2:
                return replace(reading, power_w=(nan,) * len(reading.power_w), current_a=(nan,) * len(reading.current_a))
            return replace(reading, energy_wh=reading.energy_wh + GLITCH_WH)
        return reading

    def snapshot(self) -> dict[str, float]:
        """The registers at which standing faults began, by cause."""
        return {cause.value: energy_wh for cause, energy_wh in self._begun_wh.items()}

    def restore(self, saved: Mapping[str, object]) -> None:
        """Take up a `snapshot`."""
        self._begun_wh = {Cause(name): float(str(energy_wh)) for name, energy_wh in saved.items()}

    def _happens(self, share: float) -> bool:
        return self._chance.around(0.5, 0.5) < share


def _negative(values: PhaseValues) -> PhaseValues:
    return tuple(None if each is None else -each for each in values)


NEWS_A = 0.5
POLL_S = 1.0
"""How often a meter with a fault that shows only in time is read while it is watched."""
NEWS_V = 0.5
NEWS_C = 1.0
"""A watched meter reports a current, voltage or temperature that differs by so much from the one reported last."""


@dataclass(frozen=True, slots=True)
class MeterNews:
    """What of a reading a supervisor judges: a watched meter reports only when it changes."""

    current_a: PhaseValues
    voltage_v: PhaseValues
    board_c: float

    @classmethod
    def of(cls, reading: Reading) -> MeterNews:
        return cls(reading.current_a, reading.voltage_v, reading.board_c or 0.0)

    def is_like(self, other: MeterNews) -> bool:
        """Whether nothing differs enough to be reported: a current that has halved, doubled or ended always does."""
        return (
            abs(self.board_c - other.board_c) < NEWS_C
            and all(_is_near(a, b, NEWS_V) for a, b in zip(self.voltage_v, other.voltage_v, strict=True))
            and all(_is_like_current(a, b) for a, b in zip(self.current_a, other.current_a, strict=True))
        )


def _is_near(value: float | None, other: float | None, step: float) -> bool:
    return value is other if value is None or other is None else abs(value - other) < step


def _is_like_current(amps: float | None, other: float | None) -> bool:
    if amps is None or other is None or amps == other:
        return amps == other
    return abs(amps - other) < NEWS_A and 2.0 * min(abs(amps), abs(other)) > max(abs(amps), abs(other))


Look = Callable[[], Reading | None]
"""Returns what the meter shows now; None while it is silent."""


class MeterOutput:
    """What leaves one meter, as observations; the circuit asks for it and passes it on."""

    __slots__ = ("_causes", "_connector", "_delayed", "_faulty", "_is_watched", "_poll_s", "_reported", "_seed")

    def __init__(self, connector: int, seed: int) -> None:
        self._connector = connector
        self._seed = seed
        self._causes: frozenset[Cause] = frozenset()
        self._faulty: FaultyMeter | None = None
        self._is_watched = False
        self._reported: MeterNews | None = None
        self._poll_s = inf
        """When a meter that is watched and polled is read next."""
        self._delayed: tuple[tuple[float, Observation], ...] = ()
        """Answers of a late meter that are under way, and when each arrives."""

    @property
    def due_s(self) -> float:
        """When something leaves by itself, in s."""
        return min(self._poll_s, self._delayed[0][0]) if self._delayed else self._poll_s

    @property
    def is_watched(self) -> bool:
        """Whether changes are reported."""
        return self._is_watched

    def watch(self, is_on: bool, now_s: float) -> None:
        """Report changes from now on, beginning with what is shown now, or no longer."""
        self._is_watched, self._reported = is_on, None
        self._plan_poll(now_s)

    def quiet(self) -> MeterOutput:
        """Return a copy that says nothing by itself, for a look ahead."""
        twin = copy(self)
        twin._is_watched, twin._poll_s, twin._delayed = False, inf, ()
        return twin

    def set_cause(self, cause: Cause, active: bool, energy_wh: float, now_s: float) -> None:
        """Something breaks at the meter, whose register is at ``energy_wh``, or is mended."""
        if cause not in METER_FAULTS:
            return
        self._causes = self._causes | {cause} if active else self._causes - {cause}
        if self._faulty is None:
            self._faulty = FaultyMeter(self._seed)
        if active:
            self._faulty.begin(cause, energy_wh)
        else:
            self._faulty.end(cause)
        self._plan_poll(now_s)

    def shown(self, reading: Reading) -> Reading:
        """Return what the meter shows of a reading."""
        return reading if self._faulty is None else self._faulty.shown(reading)

    def asked(self, ref: object, look: Look, now_s: float) -> list[Observation]:
        """Return what leaves at once on a question."""
        return self._sent(MeterRead(self._connector, ref, self._answer(look)), now_s)

    def step(self, look: Look, now_s: float) -> list[Observation]:
        """Return what leaves by itself now."""
        arrived = [observation for due_s, observation in self._delayed if due_s <= now_s]
        self._delayed = tuple(each for each in self._delayed if each[0] > now_s)
        if self._poll_s <= now_s:
            self._poll_s += POLL_S
            arrived += self._sent(MeterSeen(self._connector, self._answer(look)), now_s)
        return arrived

    def changed(self, look: Look) -> list[Observation]:
        """Return the report of a watched meter if it shows something else than last time; its register alone is no news."""
        if not self._is_watched or self._poll_s < inf:
            return []
        reading = look()
        news = None if reading is None else MeterNews.of(reading)
        if self._reported is not None and news is not None and news.is_like(self._reported):
            return []
        self._reported = news
        return [MeterSeen(self._connector, reading)]

    def snapshot(self) -> dict[str, float]:
        """What must survive a restart: see `FaultyMeter.snapshot`."""
        return {} if self._faulty is None else self._faulty.snapshot()

    def restore(self, saved: Mapping[str, object]) -> None:
        """Take up a `snapshot`, after the causes."""
        if self._faulty is not None:
            self._faulty.restore(saved)

    def _answer(self, look: Look) -> Reading | None:
        reading = look()
        return reading if reading is None or self._faulty is None else self._faulty.answered(reading, self._causes)

    def _sent(self, observation: Observation, now_s: float) -> list[Observation]:
        if Cause.METER_LATE not in self._causes:
            return [observation]
        self._delayed = (*self._delayed, (now_s + LATE_S, observation))
        return []

    def _plan_poll(self, now_s: float) -> None:
        is_polled = self._is_watched and not self._causes.isdisjoint(POLLED)
        self._poll_s = now_s + POLL_S if is_polled else inf
