"""The archive that GetDiagnostics sends: log, journal, configuration keys and what is stored, without secrets.

A `Recollection` keeps the last lines of log and journal. One charger that is a wallbox has one; thousands have none.
"""

from __future__ import annotations

import io
import json
import logging
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chargepoint import __version__
from chargepoint.model.journal import Entry
from chargepoint.model.keys import Access
from chargepoint.model.timebase import utc_text

from .secrecy import HIDDEN, is_secret_name, masked, masked_text, without_known

if TYPE_CHECKING:
    from .charger import Charger

LOG_LINES = 1000
JOURNAL_LINES = 1000
LONGEST_LINE = 1000
"""Characters of a line that are kept, so that the rings have an end in bytes too."""


class Recollection(logging.Handler):
    """The last lines of a program's log and of a charger's journal. `watch` a charger in each of its lives."""

    def __init__(self, log_lines: int = LOG_LINES, journal_lines: int = JOURNAL_LINES) -> None:
        super().__init__()
        self._log: deque[tuple[float, str]] = deque(maxlen=log_lines)
        self._journal: deque[tuple[float, Entry | str]] = deque(maxlen=journal_lines)
        """An entry becomes a line when somebody asks for it, a long one at once: the ring is bounded in bytes."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = f"{record.levelname} {record.name} {record.getMessage()}"
            self._log.append((record.created, text[:LONGEST_LINE]))
        except Exception:
            self.handleError(record)

    def watch(self, charger: Charger) -> None:
        """Listen to the journal of a charger that was built."""
        calendar = charger.model.calendar

        def listen(_identity: str, now_s: float, entry: Entry) -> None:
            is_long = sum(len(text) for text in _texts(entry).values()) > LONGEST_LINE
            self._journal.append((calendar.utc_s(now_s), _line(entry) if is_long else entry))

        charger.model.journal.listen(listen)

    def log_lines(self, since_utc_s: float, until_utc_s: float) -> Iterator[str]:
        return _between(self._log, since_utc_s, until_utc_s)

    def journal_lines(self, since_utc_s: float, until_utc_s: float) -> Iterator[str]:
        return _between(self._journal, since_utc_s, until_utc_s)


def _between(lines: Iterable[tuple[float, Entry | str]], since_utc_s: float, until_utc_s: float) -> Iterator[str]:
    for at_utc_s, told in list(lines):
        if since_utc_s <= at_utc_s <= until_utc_s:
            yield f"{utc_text(at_utc_s)} {told if isinstance(told, str) else _line(told)}"


def _line(entry: Entry) -> str:
    """Return an entry as a line of the archive: each of its texts masked, then the whole cut.

    Masked before it is cut: half of a JSON text no longer says what is the value of which member.
    """
    shown = replace(entry, **{name: masked_text(text) for name, text in _texts(entry).items()})  # type: ignore[arg-type]
    return str(shown)[:LONGEST_LINE]


def _texts(entry: Entry) -> dict[str, str]:
    found = {field.name: getattr(entry, field.name) for field in fields(entry)}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def contents(
    charger: Charger,
    recollection: Recollection | None,
    since_utc_s: float | None = None,
    until_utc_s: float | None = None,
    secrets: Iterable[str] = (),
) -> dict[str, str]:
    """Return the files of an archive: name and text. The period bounds log and journal; the rest is as it is now."""
    model = charger.model
    files = {
        "charger.json": _json(_about(charger)),
        "keys.json": _json(_keys(charger)),
        "store.json": _json(_summary(charger.stored())),
    }
    if recollection is not None:
        # A period of the box's own calendar; the wall's clock of the log is the same on a real charger.
        since_s = float("-inf") if since_utc_s is None else since_utc_s
        until_s = model.calendar.utc_s(model.timers.charge_s) if until_utc_s is None else until_utc_s
        log_until_s = float("inf") if until_utc_s is None else until_utc_s
        files["log.txt"] = "\n".join(map(masked_text, recollection.log_lines(since_s, log_until_s)))
        files["journal.txt"] = "\n".join(recollection.journal_lines(since_s, until_s))
    secrets = tuple(secrets)
    return {name: without_known(text, secrets) for name, text in files.items()}


def _about(charger: Charger) -> dict[str, Any]:
    model = charger.model
    now_s = model.timers.charge_s
    station = model.station
    return {
        "identity": charger.identity,
        "made": utc_text(model.calendar.utc_s(now_s)),
        "program": __version__,
        "python": sys.version.split()[0],
        "vendor": station.vendor,
        "model": station.model,
        "firmware": station.firmware_version,
        "registration": model.session.registration.value,
        "connectors": {
            str(each.number): {
                "status": each.status.value,
                "troubles": {trouble.value: info for trouble, info in each.troubles.items()},
                "register_wh": each.meter.register_wh,
            }
            for each in model.connectors
        },
    }


def _keys(charger: Charger) -> dict[str, str | None]:
    settings, keyring = charger.model.settings, charger.model.roster.keyring
    told: dict[str, str | None] = {}
    for key in keyring:
        is_secret = keyring.access(key) is Access.WRITE_ONLY or is_secret_name(key.name)
        value = settings.get(key)
        told[key.name] = HIDDEN if is_secret else None if value is None else key.write(value)
    return told


def _summary(stored: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """How many records there are of each kind, and those that tell how the charger stands."""
    telling = ("availability", "meter", "firmware", "diagnostics", "notices", "restart", "undelivered", "registration")
    return {
        "records": {kind: len(records) for kind, records in sorted(stored.items())},
        **{kind: stored[kind] for kind in telling if kind in stored},
    }


def _json(value: Any) -> str:
    """Return a value as JSON for people, masked by member name before it becomes a text."""
    plain = json.loads(json.dumps(value, default=str))
    return json.dumps(masked(plain), indent=1, ensure_ascii=False)


def pack(path: Path, files: Mapping[str, str]) -> None:
    """Write a tar.gz. Raises OSError; what there is of it stays for the caller to remove."""
    import tarfile

    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            data = text.encode("utf-8", "replace")
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
