"""The command `chargepoint`: one file per noun, imported only when it is used, so that help answers at once."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from chargepoint import __version__
from chargepoint.cli import program
from hw.words import hint, nearest

COMMANDS = {
    "demo": ("chargepoint.cli.programs.demo", "A car charges at a virtual wallbox, right here."),
    "run": ("chargepoint.cli.programs.run", "Run one charger: firmware of a wallbox, or simulated."),
    "fleet": ("chargepoint.cli.programs.fleet", "Run many identical simulated chargers in one process."),
    "csms": ("chargepoint.cli.programs.csms", "Run the embedded central system on a socket."),
    "ctl": ("chargepoint.cli.ctl", "Control a running charger: state, plug-in, swipe, fault, network, events…"),
    "stats": ("chargepoint.cli.stats", "Show sessions, energy and hours of a charger's data directory."),
    "doctor": ("chargepoint.cli.doctor", "Find out why a central system cannot be reached, and what to try."),
    "backend": ("chargepoint.cli.backend", "List central systems known by name, for --backend."),
    "board": ("chargepoint.cli.board", "List and check board files."),
    "keys": ("chargepoint.cli.keys", "Show every configuration key."),
    "config": ("chargepoint.cli.config", "Show, check and begin configuration files."),
    "completion": ("chargepoint.cli.completion", "Make a shell complete this command."),
}
"""Module and one line of help; each module's command is named `command`."""

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_HARDWARE = 4
EXIT_TIMEOUT = 6
EXIT_BUG = 70


class _ReaderGoneError(Exception):
    """Nobody reads the result any more, as behind ``| head``."""


class Lazy(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = COMMANDS.get(cmd_name)
        if found is None:
            return None
        command: click.Command = importlib.import_module(found[0]).command
        _name_variables(command, f"CHARGEPOINT_{cmd_name.upper()}")
        _name_program(command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [CompletionItem(name, help=line) for name, (_module, line) in COMMANDS.items()]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [name for name in names if name.value.startswith(incomplete)] + options

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_module, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _ReaderGoneError from error  # click would end the program here, with a code of its own

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"unknown command {args[0]!r}: {hint(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


def name_variables(parameters: Iterable[click.Parameter], prefix: str) -> None:
    """Give every option an environment variable, PREFIX_OPTION unless it has its own or ``[]``, and show it in the help."""
    for parameter in parameters:
        if isinstance(parameter, click.Option) and not parameter.is_eager and parameter.envvar != []:
            name = max(parameter.opts, key=len).removeprefix("--")
            parameter.envvar = parameter.envvar or f"{prefix}_{name}".replace("-", "_").upper()
            parameter.show_envvar = True


def _name_variables(command: click.Command, prefix: str) -> None:
    name_variables(command.params, prefix)
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            _name_variables(each, f"{prefix}_{name.upper()}")


def _name_program(command: click.Command) -> None:
    """Let help name commands as they can be typed here."""
    command.help = program.spoken(command.help or "")
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.help:
            parameter.help = program.spoken(parameter.help)
    if isinstance(command, click.Group):
        for each in command.commands.values():
            _name_program(each)


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="chargepoint")
def group() -> None:
    """An AC wallbox charge point (OCPP 1.6J): firmware and simulator in one.

    Every option can also be given as an environment variable; the help of each command names them.
    """


def _suggested(error: click.ClickException) -> click.ClickException:
    """Return an error that suggests for an unknown option what is suggested for any other word: the nearest, or none."""
    if not isinstance(error, click.NoSuchOption) or error.ctx is None:
        return error
    known = [name for each in error.ctx.command.get_params(error.ctx) for name in each.opts if name.startswith("--")]
    near = nearest(error.option_name, known)
    return click.NoSuchOption(error.option_name, possibilities=None if near is None else [near], ctx=error.ctx)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    0 ok, 1 a check failed, 2 usage or configuration, 3 central system unreachable or refused us, 4 hardware, 6 a time limit
    ran out, 70 our own bug, 130 and 143 for SIGINT and SIGTERM.
    """
    with _ended_by_the_system():
        _leave(_code(arguments))


@contextmanager
def _ended_by_the_system() -> Iterator[None]:
    """Let SIGINT end the process without an exception, which could only be reported on an output that nobody reads.

    What has to end in order takes the signal itself. A shell shows the code 130 for both.
    """
    is_ours = threading.current_thread() is threading.main_thread()
    if not is_ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _code(arguments: Sequence[str] | None) -> int:
    from hw.errors import ChargePointError, HardwareError, InputFileError

    try:
        code = group.main(
            list(arguments) if arguments is not None else None,
            prog_name=program.name(),
            complete_var=program.COMPLETE_VARIABLE,
            standalone_mode=False,
        )
    except click.ClickException as error:
        with suppress(OSError):
            _suggested(error).show()
        return error.exit_code
    except click.Abort:
        return 130
    except HardwareError as error:
        return _failed(str(error), EXIT_HARDWARE)
    except (InputFileError, ChargePointError) as error:
        return _failed(str(error), EXIT_USAGE)
    except _ReaderGoneError:
        return 0
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None and error.errno in _UNWRITABLE:
            return _failed(f"the result cannot be written: {error.strerror}", EXIT_FAILED)
        import logging

        logging.getLogger(__name__).critical("a bug of chargepoint", exc_info=error)
        return _failed(f"this is our bug: {type(error).__name__}: {error}", EXIT_BUG)
    return code if isinstance(code, int) else 0


_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def _failed(problem: str, code: int) -> int:
    """Print what went wrong, each line of it as an error, and return the exit code."""
    with suppress(OSError):  # whoever redirected standard error to a full disk reads the exit code
        for line in problem.splitlines():
            click.echo(f"Error: {line}", err=True)
    return code


def _leave(code: int) -> NoReturn:
    """End the process when all output is written, or cannot be: its reader is gone, or the disk is full."""
    from chargepoint.cli import output

    output.finish()
    if sys.stdout is None:
        sys.exit(code)
    try:
        sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            code = code or _failed(f"the result cannot be written: {error.strerror}", EXIT_FAILED)
        # What is left in the buffer would fail again when the interpreter ends, with a message and a code of its own.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
