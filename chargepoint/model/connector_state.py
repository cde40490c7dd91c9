"""What the files around a connector share: the states of a charging session, an authorisation, and a current limit."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

from .composite import Profile
from .machine import Table


class SessionState(StrEnum):
    """From nobody there to nobody there again."""

    IDLE = "Idle"
    AUTHORISED = "Authorised"
    LOCKING = "Locking"
    STARTING = "Starting"
    CHARGING = "Charging"
    ENDING = "Ending"
    FINISHED = "Finished"


_S = SessionState
SESSION_TABLE = Table(
    SessionState,
    [
        ("authorise", [_S.IDLE, _S.FINISHED], _S.AUTHORISED),
        ("cancel", [_S.AUTHORISED, _S.LOCKING, _S.STARTING], _S.IDLE),
        ("lapse", [_S.IDLE, _S.AUTHORISED], _S.FINISHED),
        ("secure", [_S.AUTHORISED], _S.LOCKING),
        ("locked", [_S.LOCKING], _S.STARTING),
        ("begin", [_S.STARTING], _S.CHARGING),
        ("end", [_S.CHARGING], _S.ENDING),
        ("settle", [_S.ENDING], _S.FINISHED),
        ("clear", [_S.FINISHED], _S.IDLE),
    ],
)


@dataclass(frozen=True, slots=True)
class Authorisation:
    """Somebody may charge here: the tag that will start the transaction."""

    id_tag: str
    parent_id_tag: str | None = None
    reservation_id: int | None = None
    charging_profile: Profile | None = None
    """What a remote start brought along for the transaction (5.11)."""


@dataclass(slots=True)
class RestartEnd:
    """What is known of the register of a transaction that a restart ended, in Wh."""

    stored_wh: int
    most_wh: float
    """What the meter can have reached meanwhile."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound on the current per phase in A, and why."""

    amps: float
    reason: str
    until_utc_s: float = field(default=math.inf, compare=False)
    """When it may become another one: for onlookers, so it makes no limit different."""
