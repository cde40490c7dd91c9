"""What becomes of a file that was to be moved, or of firmware that was to be installed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    DOWNLOADED = "downloaded"
    UPLOADED = "uploaded"
    INSTALLED = "installed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Transferred:
    """The end of a transfer or of an installation."""

    outcome: Outcome
    reason: str = ""
    """Of a failure, for the log; without secrets."""
    is_final: bool = False
    """Of a failure: trying again cannot help, until a person does something."""
    is_impossible: bool = False
    """Of a failure: no attempt could be made at all."""
    version: str | None = None
    """Of an installation: what BootNotification is to say from now on, None when that is not known here."""
    needs_restart: bool = False
    """Of an installation: it is in force after the next boot, which the charger makes now."""


def failed(reason: str, *, is_final: bool = False, is_impossible: bool = False) -> Transferred:
    return Transferred(Outcome.FAILED, reason, is_final, is_impossible)
