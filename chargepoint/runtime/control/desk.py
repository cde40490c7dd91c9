"""Where verbs arrive, whoever brings them: finds the charger, judges the arguments, and does it."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from chargepoint.runtime.charger import Charger
from chargepoint.runtime.clock import RunningClock

from . import documents, portrait
from .documents import Document
from .verbs import VERBS, Arguments, NotFound, Verb


class Desk:
    """Verbs for some chargers on one clock. ``chargers`` is looked at whenever a verb arrives."""

    def __init__(self, chargers: Mapping[str, Charger], clock: RunningClock) -> None:
        self.chargers = chargers
        self.clock = clock

    def verb(self, name: str) -> Verb:
        """Return a verb. Raises NotFound with the nearest one."""
        found = VERBS.get(name.replace("_", "-"))
        if found is None:
            near = get_close_matches(name, VERBS, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(VERBS)}"
            raise NotFound(f"{name!r} is no verb: {hint}")
        return found

    def charger(self, named: str | None) -> Charger:
        """Return the charger whose identity is, or alone begins with, ``named``; None means the only one.

        Raises NotFound, with the choices.
        """
        chargers = self.chargers
        if named is not None and named in chargers:
            return chargers[named]
        found = [identity for identity in chargers if named is None or identity.startswith(named)]
        if len(found) == 1:
            return chargers[found[0]]
        choices = ", ".join([*list(found or chargers)[:5], *(["..."] if len(found or chargers) > 5 else [])])
        if not found:
            raise NotFound(f"no charger {named!r}: there is {choices}" if chargers else "there is no charger")
        raise NotFound(f"which charger? {len(found)} fit: {choices}")

    def summaries(self) -> documents.Chargers:
        """Every charger in a line."""
        return documents.Chargers(chargers=[portrait.summary(charger) for charger in self.chargers.values()])

    def do(self, verb: Verb, charger: Charger, told: Arguments) -> Document:
        """Do a verb and return what it tells. Raises DeedError."""
        return verb.run(charger, self.clock, told)
