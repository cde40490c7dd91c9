"""What commands that run something share: logging, and where they take commands."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from chargepoint.cli import output
from chargepoint.model.timebase import utc_text
from chargepoint.runtime.secrecy import masked_text

if TYPE_CHECKING:
    from chargepoint.runtime.control.admission import Admission



class _Formatter(logging.Formatter):
    """What both forms have in common: what is written is masked here, so that no line of any module shows a secret."""

    @staticmethod
    def message(record: logging.LogRecord) -> str:
        return masked_text(record.getMessage())

    def formatException(self, ei: Any) -> str:
        return masked_text(super().formatException(ei))


class _JsonFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        utc_s = getattr(record, "charger_utc_s", None)
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "charger": getattr(record, "charger", None),
            "charger_time": None if utc_s is None else utc_text(utc_s),
            "message": self.message(record),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps({key: value for key, value in entry.items() if value is not None})


class _TextFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
        charger = getattr(record, "charger", None)
        level = "" if record.levelno == logging.INFO else f"{record.levelname} "
        utc_s = getattr(record, "charger_utc_s", None)  # its own clock runs faster than the wire's
        clock = "" if utc_s is None else f"{utc_text(utc_s)[11:19]} "
        text = f"{at} {clock}{charger + ' ' if charger else ''}{level}{self.message(record)}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def set_up_logging(verbose: int, quiet: bool, log_format: str) -> None:
    """Send logs to stderr, for stdout is for the result. From now on writing to either never waits, see `output`."""
    output.never_wait()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO)
    if verbose < 2:
        logging.getLogger("asyncio").setLevel(logging.WARNING)


def admission_of(place: str, token: str | None) -> Admission:
    """Return where to take commands over HTTP, from ``[HOST:]PORT``, and with which token. Raises click.UsageError."""
    from chargepoint.runtime.control.admission import Admission

    host, _, port = place.rpartition(":")
    try:
        if not port.isdigit() or int(port) > 65_535:
            raise ValueError(f"--control takes [HOST:]PORT, such as 8080, not {place!r}")
        return Admission(host.strip("[]") or "127.0.0.1", int(port), token or None)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
