"""The options that say what a charger is, the same for every command that needs one: the top layer of its configuration."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from chargepoint.runtime import layers
from chargepoint.runtime.address import Address
from chargepoint.runtime.configuration import Configuration, settle
from chargepoint.runtime.sections import Setting, settings
from hw.binding import Declared, Help
from hw.document import Section
from hw.node import Scalar

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class Chosen:
    """What the command line says of the configuration: a file, and flags by their names."""

    config: Path | None = None
    flags: dict[str, Scalar] = field(default_factory=dict)

    @property
    def beside(self) -> Path:
        """Where data lie unless the configuration says where: beside the file that was named."""
        return Path() if self.config is None else self.config.parent

    def gather(self) -> Section:
        """Return all layers as one. Raises ConfigurationError when a file cannot be read."""
        return layers.gather(self.config, self.flags)


def chosen() -> Chosen:
    """Return what the command line of the command that runs says."""
    return click.get_current_context().ensure_object(Chosen)


def configured() -> Configuration:
    """Return the configuration in force. Raises InputFileError at the first thing that cannot be."""
    return settle(chosen().gather(), chosen().beside)


def dialled(configuration: Configuration) -> Address:
    """Return the address of the central system. Raises click.UsageError when nothing names one."""
    if configuration.central_system is None:
        raise click.UsageError("no central system: give --url ws://…, or central_system: {url: …} in a file.")
    return configuration.central_system


def _choose_file(ctx: click.Context, _option: click.Parameter, path: Path | None) -> None:
    ctx.ensure_object(Chosen).config = path


def _choose(ctx: click.Context, option: click.Parameter, value: Any) -> None:
    # What the environment says is a layer of its own, below; click knows the variables to name them in help and errors.
    if option.name and ctx.get_parameter_source(option.name) is ParameterSource.COMMANDLINE:
        name = max(option.opts, key=len).removeprefix("--")
        if name == "id" and value == "":
            raise click.BadParameter("is empty; give the identity that the central system knows", ctx, option)
        ctx.ensure_object(Chosen).flags[name] = str(value) if isinstance(value, Path) else value


def configuration_options(*, without: Collection[str] = ()) -> Callable[[F], F]:
    """Add -c, and a flag for every key of the file that has one; `chosen` and `configured` tell what they say."""
    file = click.option(
        "-c",
        "--config",
        envvar="CHARGEPOINT_CONFIG",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_choose_file,
        help="Configuration file (YAML).",
    )
    flags = [_option(setting) for setting in settings() if setting.option.name not in without]

    def add(command: F) -> F:
        for option in reversed([file, *flags]):
            command = option(command)
        return command

    return add


class _Words(click.Choice[str]):
    """A choice whose words are looked at when a value is given, or help: they may come from a file."""

    def __init__(self, words: Collection[str]) -> None:
        self._words = words
        self.case_sensitive = True

    @property
    def choices(self) -> tuple[str, ...]:  # type: ignore[override]  # click's is filled at once
        return tuple(self._words)


class _Number(click.FloatRange):
    """A range that is called what people call it in complaints."""

    name = "number"


def _option(setting: Setting) -> Callable[[F], F]:
    note = setting.what.note(Help)
    default = setting.default.value if isinstance(setting.default, Enum) else setting.default
    return click.option(
        setting.option.flag,
        envvar=setting.option.variable,
        type=_type(setting.what),
        expose_value=False,
        callback=_choose,
        help=None if note is None else note.text,
        show_default=None if default is None else str(default),
    )


def _type(what: Declared) -> click.ParamType[Any]:
    if what.choices is not None:
        return click.Choice([str(member.value) for member in what.choices])
    if what.words is not None:
        return _Words(what.words)
    if what.kind is float:
        return _Number(what.bounds.minimum, what.bounds.maximum)
    if what.kind is int:
        return click.INT
    return click.Path(path_type=Path) if what.kind is Path else click.STRING
