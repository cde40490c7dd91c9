"""The file of a store, apart from what is in it: its directory, its mode, and what happens when it cannot be used."""

from __future__ import annotations

import logging
import os
import shutil
import stat
from pathlib import Path

from chargepoint.model.timebase import utc_text
from hw.errors import ChargePointError

from .clock import wall_utc_s

log = logging.getLogger(__name__)


class StoreError(ChargePointError):
    """The store cannot be opened or written; nothing may be sent that depends on it."""


def beside(path: Path, suffix: str) -> Path:
    """Return the file that lies beside a store under its name and a suffix."""
    return path.with_name(path.name + suffix)


def is_writable(path: Path | None) -> bool:
    """Whether the file system lets this process write to a store."""
    return path is not None and os.access(path, os.W_OK) and not os.statvfs(path).f_flag & os.ST_RDONLY


def prepare(path: Path) -> None:
    """Make the file, for its owner alone, and finish what a salvage has begun. Raises StoreError and OSError."""
    _make(path.parent)
    if beside(path, SALVAGED).exists():
        swap_in(path)
    # Cards, keys and who charged when; what SQLite puts beside it gets the same mode.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    for each in (path, *(beside(path, suffix) for suffix in ("-wal", "-shm", "-journal"))):
        if each.exists() and (mode := stat.S_IMODE(each.stat().st_mode)) & 0o077:
            each.chmod(0o600)
            log.warning("the store %s had mode %o and could be used by others: it has mode 600 now", each, mode)
    mode = path.parent.stat().st_mode
    if mode & 0o022 and not mode & stat.S_ISVTX:
        log.warning(
            "others may write to the data directory %s (mode %o) and replace the store: chmod go-w %s",
            path.parent,
            stat.S_IMODE(mode),
            path.parent,
        )


def _make(directory: Path) -> None:
    """Make the data directory. Raises StoreError."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise StoreError(
            f"the data directory {directory} cannot be made: {why}; give one that you may write to, with --data or as "
            "data: in the configuration"
        ) from error


SALVAGED = ".salvaged"
"""Suffix of a store that was made from a damaged one and is complete, but has not taken its place yet."""


def swap_in(path: Path) -> Path:
    """Let the salvaged store take the place of the damaged one; return under which name that is kept.

    Cut off anywhere, it is done again by the next start. Raises OSError.
    """
    stamp = utc_text(wall_utc_s()).replace(":", "-").partition(".")[0].removesuffix("Z")
    kept = beside(path, f".damaged-{stamp}Z")
    for suffix in ("", "-wal"):
        if beside(path, suffix).exists():
            # Copied, not renamed: SQLite may still hold the file open, and moves its log into it when it lets go.
            shutil.copy2(beside(path, suffix), beside(kept, suffix))
    for suffix in ("-wal", "-shm", "-journal"):
        beside(path, suffix).unlink(missing_ok=True)
    beside(path, SALVAGED).replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return kept


def advice(path: Path | None, error: Exception) -> str:
    """Return what is wrong with a store and what to do about it."""
    where = "the store in memory" if path is None else f"the store {path}"
    # Not str(error) of an OSError: it holds the path, and a path may hold any of the words looked for here.
    text = error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)
    if "locked" in text:
        return f"{where} is in use by another process: stop that one, or give this one another data directory"
    if "readonly" in text or isinstance(error, PermissionError):
        return f"{where} cannot be written ({text}): check the owner of the data directory"
    if "full" in text or "No space" in text:
        return f"{where} cannot grow, the disk is full: free some space"
    if path is None:
        return f"{where} cannot be used: {text}"
    return (
        f"{where} cannot be used: {text}. To start with a new one, without the messages and registers of the old: move "
        f"{path.name}, and {path.name}-wal if it is there, out of {path.parent}"
    )
