"""The options that say what a charger is, the same for every command that needs one: the top layer of its configuration."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from chargepoint.runtime.options import DURABILITIES, OPTIONS, Option, OptionKind

if TYPE_CHECKING:
    from chargepoint.runtime.address import Address
    from chargepoint.runtime.configuration import Configuration
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
        from chargepoint.runtime import layers

        return layers.gather(self.config, self.flags)


def chosen() -> Chosen:
    """Return what the command line of the command that runs says."""
    return click.get_current_context().ensure_object(Chosen)


def configured() -> Configuration:
    """Return the configuration in force. Raises InputFileError at the first thing that cannot be."""
    from chargepoint.runtime.configuration import settle

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
    flags = [_option(option) for option in OPTIONS if option.name not in without]

    def add(command: F) -> F:
        for option in reversed([file, *flags]):
            command = option(command)
        return command

    return add


class _Backends(click.Choice[str]):
    """The names of central systems, looked up when one is given: they stand in a file."""

    def __init__(self) -> None:
        self.case_sensitive = True

    @property
    def choices(self) -> tuple[str, ...]:  # type: ignore[override]  # click's is filled at once
        from chargepoint.runtime.backends import BACKENDS

        return tuple(BACKENDS)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "NAME"


class _Number(click.FloatRange):
    """A range that is called what people call it in complaints."""

    name = "number"


def _option(option: Option) -> Callable[[F], F]:
    return click.option(
        option.flag,
        envvar=option.variable,
        type=_type(option),
        expose_value=False,
        callback=_choose,
        help=option.help,
        show_default=option.default,
    )


def _type(option: Option) -> click.ParamType[Any]:
    match option.kind:
        case OptionKind.DURABILITY:
            return click.Choice(DURABILITIES)
        case OptionKind.BACKEND:
            return _Backends()
        case OptionKind.NUMBER:
            return _Number(option.minimum, option.maximum)
        case OptionKind.INTEGER:
            return click.INT
        case OptionKind.PATH:
            return click.Path(path_type=Path)
        case OptionKind.TEXT:
            return click.STRING
