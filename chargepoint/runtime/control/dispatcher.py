"""Where commands arrive, whoever brings them: finds the charger, checks the arguments, and does it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from chargepoint.runtime.charger import Charger, Phase
from chargepoint.runtime.clock import RunningClock
from hw.errors import ChargePointError

from . import arguments, commands, responses, views
from .actions import ACTIONS
from .commands import Command
from .errors import CommandError, NotFoundError
from .queries import QUERIES
from .responses import Document
from .waiting import Waiting

log = logging.getLogger(__name__)

AT_ONCE = 50
"""Chargers that are looked at in one go, which takes about 2 ms."""


class CommandDispatcher:
    """Commands for some chargers on one clock. ``chargers`` is looked at whenever a command arrives."""

    def __init__(
        self,
        chargers: Mapping[str, Charger],
        clock: RunningClock,
        is_store_failing: Callable[[], bool] = lambda: False,
    ) -> None:
        self.all_chargers = chargers
        """Also those that are only built: a fleet that comes up starts them some at a time."""
        self.clock = clock
        self.is_store_failing = is_store_failing
        self._warned: set[str] = set()

    @property
    def chargers(self) -> Mapping[str, Charger]:
        """Those that were started: before that there is nothing to see."""
        return {name: each for name, each in self.all_chargers.items() if each.phase is not Phase.BUILT}

    def command(self, name: str) -> Command:
        """Return a command by its name; an earlier name is logged once. Raises NotFoundError with the nearest one."""
        found = commands.find(name)
        warning = commands.renamed(name)
        if warning is not None and name not in self._warned:
            self._warned.add(name)
            log.warning("%s", warning)
        return found

    def charger(self, named: str | None) -> Charger:
        """Return the charger whose identity is, or alone begins with, ``named``; None means the only one.

        Raises NotFoundError, with the choices.
        """
        chargers = self.chargers
        if named is not None and named in chargers:
            return chargers[named]
        found = [identity for identity in chargers if named is None or identity.startswith(named)]
        if len(found) == 1:
            return chargers[found[0]]
        choices = ", ".join([*list(found or chargers)[:5], *(["..."] if len(found or chargers) > 5 else [])])
        if not found:
            raise NotFoundError(f"no charger {named!r}: there is {choices}" if chargers else "there is no charger")
        raise NotFoundError(f"which charger? {len(found)} fit: {choices}")

    def summaries(self) -> Iterator[list[responses.Summary]]:
        """Yield every charger in a line, some at a time: whoever has a loop to keep turning lets it turn in between."""
        for some in self._some_at_a_time():
            yield [views.summary(charger, self.clock.charge_s()) for charger in some]

    def energies(self) -> Iterator[list[views.Energy]]:
        """Yield what the meters of every charger show, some at a time, as `summaries`."""
        for some in self._some_at_a_time():
            yield [views.energy(charger, self.clock.charge_s()) for charger in some]

    def _some_at_a_time(self) -> Iterator[list[Charger]]:
        chargers = iter(list(self.chargers.values()))
        while some := list(islice(chargers, AT_ONCE)):
            yield some

    def all_summaries(self) -> responses.Chargers:
        """Return every charger in a line, of as many as a process has on its standard input and output."""
        return responses.Chargers(chargers=[each for some in self.summaries() for each in some])

    def do(self, command: Command, charger: Charger, given: Mapping[str, Any]) -> Document | Waiting:
        """Check the arguments, given as JSON values, do a command, and return its result.

        A command that has to wait returns a `Waiting`, which holds the result later. Raises CommandError, also when board
        or store fail at it.
        """
        return self.run(command, charger, arguments.check(command, given))

    def run(self, command: Command, charger: Charger, checked: Mapping[str, Any]) -> Document | Waiting:
        """Do a command whose arguments are checked already, see `do`."""
        try:
            if command.is_query:
                return QUERIES[command.name](charger, self.clock, **checked)
            return ACTIONS[command.name](charger, **checked)
        except CommandError:
            raise
        except ChargePointError as error:
            raise CommandError(str(error)) from error
