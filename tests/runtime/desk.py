"""A running clock without a socket: chargers on a `Site` whose link ends at a desk that answers by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chargepoint.model.outbox import Save
from chargepoint.runtime.assembly import ChargerPlan
from chargepoint.runtime.charger import Charger
from chargepoint.runtime.connection import CloseCause, Closed
from chargepoint.runtime.site import Site
from chargepoint.runtime.store import Rows, Store, StoreError
from hw.loader import plan_board

PATIENCE_S = 30.0


async def until(condition: Callable[[], object], what: str = "") -> None:
    """Wait until something is true. Raises TimeoutError, naming it, when it does not become so."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise TimeoutError(f"in vain for {PATIENCE_S:g} s: {what}") from None


class Desk:
    """A link in memory and the central system behind it: keeps the charger's calls and accepts everything."""

    def __init__(self, charger: Charger) -> None:
        self.charger = charger
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.ids: list[str] = []
        self.is_idle = True
        self.is_held = False
        self.stops: list[tuple[int, str]] = []
        self._is_wanted = False

    def start(self) -> None:
        self._is_wanted = True
        asyncio.get_running_loop().call_soon(self._open)

    def _open(self) -> None:
        if self._is_wanted and self.is_idle:
            self.is_idle = False
            self.charger.on_open("ocpp1.6")

    def stop(self, code: int = 1001, reason: str = "") -> None:
        self._is_wanted = False
        self.stops.append((code, reason))
        self.drop()

    def redial(self, code: int = 1000, reason: str = "", *, at_once: bool = True) -> None:
        self.drop()

    def drop(self) -> None:
        if not self.is_idle:
            self.is_idle = True
            self.charger.on_closed(Closed(CloseCause.LOST, 1006, "the desk is closed"))

    def hold(self, network_down: bool) -> None:
        raise NotImplementedError

    def send_text(self, text: str) -> bool:
        if self.is_idle:
            return False
        kind, message_id, *rest = json.loads(text)
        if kind == 2:
            action, payload = rest
            self.calls.append((action, payload))
            self.ids.append(message_id)
            answer = json.dumps([3, message_id, _ANSWERS.get(action, {})])
            asyncio.get_running_loop().call_soon(self._answer, answer)
        return True

    def _answer(self, text: str) -> None:
        if not self.is_idle:
            self.charger.on_text(text)

    def set_ping_interval(self, interval_s: float) -> None:
        pass

    def reset_backoff(self) -> None:
        pass

    def heard(self, action: str) -> list[dict[str, Any]]:
        """Payloads of the calls of an action, oldest first."""
        return [payload for name, payload in self.calls if name == action]


_ANSWERS: Mapping[str, Any] = {
    "BootNotification": {"status": "Accepted", "currentTime": "2026-01-01T00:00:00Z", "interval": 3600},
    "Heartbeat": {"currentTime": "2026-01-01T00:00:00Z"},
    "Authorize": {"idTagInfo": {"status": "Accepted"}},
    "StartTransaction": {"idTagInfo": {"status": "Accepted"}, "transactionId": 1},
    "DataTransfer": {"status": "Accepted"},
}


def seat(site: Site, identity: str = "CP1", **plan: Any) -> tuple[Charger, Desk]:
    """Put a charger into a site, its link ending at a desk; not started yet."""
    charger = site.add(ChargerPlan(identity=identity, board=plan_board("ac11-sim"), **plan), Desk)
    assert isinstance(charger.link, Desk)
    return charger, charger.link


def plug_in(charger: Charger) -> None:
    hands = charger.board.outlet(1).hands
    assert hands is not None
    charger.act(lambda _board, now_s: hands.plug_in(now_s))


def swipe(charger: Charger, tag: str = "A1") -> None:
    charger.act(lambda board, now_s: board.readers[0].present(tag, now_s))


def status(charger: Charger) -> str:
    return charger.model.connector(1).status.value


class Moody(Store):
    """A store that fails while it has a ``problem`` (with records of one ``kind``, or all), and knows its ``commits``."""

    problem: str | None = None
    kind: str | None = None
    commits: tuple[Rows, ...] = ()
    failures = 0

    def commit(self, rows: Iterable[tuple[str, Save]]) -> None:
        rows = list(rows)
        if self.problem is not None and any(self.kind in (None, save.kind) for _identity, save in rows):
            self.failures += 1
            raise StoreError(self.problem)
        super().commit(rows)
        self.commits = (*self.commits, rows)


def record(kind: str, key: str, body: Mapping[str, Any] | None) -> tuple[str, Save]:
    return "CP1", Save(kind, key, body)
