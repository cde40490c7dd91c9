"""What commands share: options, logging, and the way a running program ends."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from chargepoint.cli import EXIT_BUG
from chargepoint.runtime.control.admission import Admission

F = TypeVar("F", bound=Callable[..., Any])

output_option = click.option(
    "-o",
    "--output",
    envvar="CHARGEPOINT_OUTPUT",
    type=click.Choice(["table", "json", "jsonl"]),
    default="table",
    show_default=True,
    help="Form of the result on stdout.",
)


def logging_options(command: F) -> F:
    """Add -q, -v and --log-format; `set_up_logging` obeys them."""
    for option in (
        click.option(
            "--log-format",
            envvar="CHARGEPOINT_LOG_FORMAT",
            type=click.Choice(["text", "json"]),
            default="text",
            help="Logs on stderr.",
        ),
        click.option(
            "-v",
            "--verbose",
            envvar="CHARGEPOINT_VERBOSE",
            count=True,
            help="More: -v shows frames, -vv everything.",
        ),
        click.option("-q", "--quiet", envvar="CHARGEPOINT_QUIET", is_flag=True, help="Only warnings and errors."),
    ):
        command = option(command)
    return command


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        utc_s = getattr(record, "charger_utc_s", None)
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "charger": getattr(record, "charger", None),
            "charger_time": None if utc_s is None else datetime.fromtimestamp(utc_s, UTC).isoformat(timespec="seconds"),
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps({key: value for key, value in entry.items() if value is not None})


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
        charger = getattr(record, "charger", None)
        level = "" if record.levelno == logging.INFO else f"{record.levelname} "
        utc_s = getattr(record, "charger_utc_s", None)  # its own clock runs faster than the wire's
        clock = "" if utc_s is None else f"{datetime.fromtimestamp(utc_s, UTC):%H:%M:%S} "
        text = f"{at} {clock}{charger + ' ' if charger else ''}{level}{record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def set_up_logging(verbose: int, quiet: bool, log_format: str) -> None:
    """Send logs to stderr: stdout is for the result."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO)
    if verbose < 2:
        logging.getLogger("asyncio").setLevel(logging.WARNING)


class Ending:
    """How a running program ends: by itself, or by a signal. The first signal is graceful, the second is not."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.signal: signal.Signals | None = None
        self._work: asyncio.Task[None] | None = None
        self._has_failed = False
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: signal.Signals) -> None:
        if self.signal is not None:
            click.echo("\nstopped at once", err=True)
            sys.stderr.flush()
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
            return
        self.signal = number
        click.echo("\nstopping in order; once more to stop at once", err=True)
        self.event.set()

    async def wait(self, seconds: float | None) -> bool:
        """Wait until the end or for ``seconds``; return whether the end has come."""
        try:
            await asyncio.wait_for(self.event.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def after(self, work: Coroutine[Any, Any, None]) -> None:
        """End when ``work`` has ended, too."""

        def over(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and task.exception() is not None:
                self._has_failed = True
                logging.getLogger(__name__).error("ended by a failure", exc_info=task.exception())
            self.event.set()

        self._work = asyncio.create_task(work)
        self._work.add_done_callback(over)

    @property
    def exit_code(self) -> int:
        if self._has_failed:
            return EXIT_BUG
        return 0 if self.signal is None else 128 + self.signal


def admission_of(place: str) -> Admission:
    """Return where to take verbs over HTTP, from ``[HOST:]PORT`` and the token in CHARGEPOINT_CONTROL_TOKEN.

    Raises click.UsageError.
    """
    host, _, port = place.rpartition(":")
    try:
        if not port.isdigit() or int(port) > 65_535:
            raise ValueError(f"--control takes [HOST:]PORT, such as 8080, not {place!r}")
        return Admission(host.strip("[]") or "127.0.0.1", int(port), os.environ.get("CHARGEPOINT_CONTROL_TOKEN") or None)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def print_table(rows: list[dict[str, Any]], output: str) -> None:
    """Print rows in the form asked for: aligned columns, one JSON array, or one JSON object a line."""
    if output == "json":
        click.echo(json.dumps(rows, indent=2))
        return
    if output == "jsonl":
        for row in rows:
            click.echo(json.dumps(row))
        return
    if not rows:
        return
    names = list(rows[0])
    cells = [[_cell(row[name]) for name in names] for row in rows]
    widths = [max(len(names[i]), *(len(line[i]) for line in cells)) for i in range(len(names))]
    for line in (names, *cells):
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def print_record(record: dict[str, Any], output: str) -> None:
    """Print one thing in the form asked for: a line a field, or a JSON object."""
    if output != "table":
        click.echo(json.dumps(record, indent=2 if output == "json" else None))
        return
    width = max(len(name) for name in record)
    for name, value in record.items():
        lines = value if isinstance(value, list) else [value]
        for number, line in enumerate(lines):
            click.echo(f"{('' if number else name).ljust(width)}  {_cell(line)}".rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
