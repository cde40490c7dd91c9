"""What each query answers. The name of a function is that of its command, in `commands.COMMANDS`.

A query takes the charger, its clock and the checked arguments of its command, and returns a document. It changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from chargepoint.model.keys import Entry
from chargepoint.runtime.charger import Charger
from chargepoint.runtime.clock import RunningClock
from chargepoint.runtime.secrecy import HIDDEN, is_secret_name, masked_text
from profiles.smart_charging import SmartCharging

from . import history, responses, views
from .responses import Document

Query = Callable[..., Document]

QUERIES: dict[str, Query] = {}
"""By the name of the command."""

F = TypeVar("F", bound=Query)


def query(function: F) -> F:
    """Enter what a query answers."""
    QUERIES[function.__name__.replace("_", "-")] = function
    return function


@query
def state(charger: Charger, clock: RunningClock) -> responses.Charger:
    return views.charger(charger, clock)


@query
def keys(charger: Charger, clock: RunningClock, key: Sequence[str] = ()) -> responses.Keys:
    settings = charger.model.settings
    found = [settings.entry(name) for name in key] if key else settings.entries()
    return responses.Keys(
        keys=[responses.Key(key=e.key, value=_shown(e), readonly=e.readonly) for e in found if e is not None],
        unknown=[name for name in key if settings.entry(name) is None],
    )


def _shown(entry: Entry) -> str | None:
    """Return the value as it may be shown: a custom key may be a password, or a URL with one."""
    if entry.value is None:
        return None
    return HIDDEN if is_secret_name(entry.key) else masked_text(entry.value)


@query
def queue(charger: Charger, clock: RunningClock) -> responses.Queue:
    return views.queue(charger)


@query
def charging_profiles(charger: Charger, clock: RunningClock) -> responses.ChargingProfiles:
    try:
        installed = charger.model.feature(SmartCharging).installed
    except LookupError:
        installed = ()
    return responses.ChargingProfiles(profiles=[views.charging_profile(each) for each in installed])


@query
def sessions(charger: Charger, clock: RunningClock, last: int = 20) -> responses.Sessions:
    return history.sessions(charger.stored(history.KINDS), last)


@query
def statistics(charger: Charger, clock: RunningClock, days: int = 31) -> responses.Statistics:
    return history.statistics(charger.stored(history.KINDS), days)
