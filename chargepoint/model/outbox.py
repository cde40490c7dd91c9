"""What the model wants done, as values in decision order.

Outbox order is decision order, which gives write-ahead for free: the `Save` of a message stands before its `Send`, and
the runtime commits before it sends. A `Save` is a barrier: what follows it leaves only after the commit. Commands that
switch off pass the barrier; `is_switching_off` says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hw.ports import PILOT_OFF, PILOT_STEADY


@dataclass(frozen=True, slots=True)
class Save:
    """Keep ``body`` (plain JSON values) under ``kind`` and ``key``; None forgets it."""

    kind: str
    key: str
    body: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Send:
    """Put one text frame on the wire.

    ``message_id`` names the stored message that the frame carries: while the frame waits for a store that fails it can be
    taken back. A frame with ``waits_for_store`` False depends on nothing that is stored, and leaves while the store fails.
    """

    text: str
    message_id: str | None = None
    waits_for_store: bool = True


@dataclass(frozen=True, slots=True)
class SetPilot:
    """Drive the control pilot: 100 % steady +12 V, 0 % steady −12 V, anything between is PWM."""

    connector: int
    duty_percent: float


@dataclass(frozen=True, slots=True)
class OpenPilot:
    """Interrupt the control pilot between box and car, or join it again."""

    connector: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class SwitchPhases:
    """Join the outlet to 1 phase or to 3."""

    connector: int
    phases: int


@dataclass(frozen=True, slots=True)
class SetRelay:
    connector: int
    closed: bool


@dataclass(frozen=True, slots=True)
class SetLock:
    connector: int
    locked: bool


@dataclass(frozen=True, slots=True)
class ReadMeter:
    """Ask for a reading; it comes back with the same ``ref``."""

    connector: int
    ref: Ref


@dataclass(frozen=True, slots=True)
class WatchMeter:
    """Let the meter report what it shows, without being asked, or no longer."""

    connector: int
    is_on: bool


@dataclass(frozen=True, slots=True)
class Indicate:
    """Show a connector's state to the person in front of it: blink, then stay lit in a colour."""

    connector: int
    colour: str
    intensity_percent: int
    blinks: int


@dataclass(frozen=True, slots=True)
class SetPing:
    """Ping the central system every so many seconds of wire time; 0: never."""

    interval_s: int


@dataclass(frozen=True, slots=True)
class LinkIsGood:
    """The central system answers on this socket: the next dial starts its back-off anew."""


@dataclass(frozen=True, slots=True)
class CloseLink:
    """Close the socket with a WebSocket close code; a `Restart` follows, and the next life dials again."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Redial:
    """Close the socket with a WebSocket close code, and dial again after the back-off."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Restart:
    """Drop this charger and build it again from the store; ``hard`` restarts the whole box."""

    hard: bool


@dataclass(frozen=True, slots=True)
class Ref:
    """Names what an answer is about: stored data, never a closure, so that it survives a restart."""

    kind: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class StartTransfer:
    """Move a file in the background; what becomes of it comes back with the same ``ref``.

    An upload sends an archive of diagnostics, called ``name``, into the directory ``url``; ``since_utc_s`` and
    ``until_utc_s`` bound what it tells (OCPP 1.6 6.25). A download keeps the file for an `Install` with the same key.
    """

    ref: Ref
    url: str
    name: str = ""
    is_upload: bool = False
    since_utc_s: float | None = None
    until_utc_s: float | None = None


@dataclass(frozen=True, slots=True)
class CancelTransfer:
    """End a transfer and forget its file; nothing comes back."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class Install:
    """Install the file that the transfer ``ref`` brought from ``url``; what becomes of it comes back with that ref."""

    ref: Ref
    url: str


@dataclass(frozen=True, slots=True)
class TrySave:
    """Keep all of ``saves`` or nothing, once; whether it went comes back with the same ``ref``.

    For what the central system is to be told when the store is broken. A plain `Save` is tried until it succeeds.
    """

    ref: Ref
    saves: tuple[Save, ...]


Command = SetPilot | OpenPilot | SetRelay | SwitchPhases | SetLock | ReadMeter | WatchMeter | Indicate
Errand = StartTransfer | CancelTransfer | Install
Effect = Save | TrySave | Send | Command | Errand | SetPing | LinkIsGood | CloseLink | Redial | Restart


def is_switching_off(effect: Effect) -> bool:
    """Whether this command takes energy away: it goes to the board before store and wire."""
    if type(effect) is SetRelay:
        return not effect.closed
    return type(effect) is SetPilot and effect.duty_percent in (PILOT_STEADY, PILOT_OFF)
