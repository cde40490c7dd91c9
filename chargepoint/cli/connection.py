"""The options that say where the central system is, laid over what a configuration file says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from chargepoint.runtime.address import Address
from chargepoint.runtime.backends import Backend, find
from chargepoint.runtime.configuration import Configuration

F = TypeVar("F", bound=Callable[..., Any])

backend_option = click.option(
    "--backend",
    metavar="NAME",
    help="Central system by name: fills in what --url leaves out (`chargepoint backend list`).",
)


def identity_options(command: F) -> F:
    """Add the options that `with_options` lays over a file, but for --url."""
    for option in (
        click.option("--ca-file", type=click.Path(path_type=Path), help="Roots to trust for wss://."),
        click.option("--password", help="Password for HTTP Basic; better in the file as password_file."),
        click.option("--id", "identity", help="Charge point identity.  [default: CP001]"),
        backend_option,
    ):
        command = option(command)
    return command


def with_options(
    settings: Configuration,
    url: str | None,
    identity: str | None,
    password: str | None,
    ca_file: Path | None,
    backend: str | None = None,
) -> Configuration:
    """Lay the options that concern the address over the file.

    Raises AddressError for what cannot be dialled, and UnknownBackendError for a back end nobody knows.
    """
    identity = identity or settings.identity
    address = settings.central_system
    preset = None if backend is None else find(backend)
    if preset is not None:
        url = preset.url_for(url or (address.url if address is not None else None))
    if url is not None and address is None:
        address = Address(url=url, identity=identity)
    if address is not None:
        tls = replace(address.tls, ca_file=ca_file) if ca_file else address.tls
        secret = password.encode() if password else address.password
        address = replace(address, url=url or address.url, identity=identity, password=secret, tls=tls)
        address = address if preset is None else shaped(address, preset)
    return replace(settings, identity=identity, central_system=address)


def shaped(address: Address, backend: Backend) -> Address:
    """Return the address with what a back end expects of the dial. Raises AddressError."""
    return replace(
        address,
        basic_user=address.basic_user or backend.basic_user,
        append_identity=backend.append_identity,
        trailing_slash=backend.trailing_slash,
        subprotocols=backend.subprotocols,
        require_subprotocol=backend.require_subprotocol,
    )
