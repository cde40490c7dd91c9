"""The test tool: a central system of other people's code that asks, and expects what the catalogue says.

    async with under_test(board="ac22-sim-duo", keys={"ConnectionTimeOut": "60"}) as (tool, box):
        await box.plug_in()
        await tool.expect(call.StatusNotification, connector_id=1, status="Preparing")

Time passes only while something is expected, asked or done, and only when nothing is under way (`charge_point`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ocpp.v16 import call, call_result

from tests.conformance.charge_point import ChargePointUnderTest, HeldClock
from tests.wire.independent import Csms, Heard

SOON_S = 60.0
"""How long the tool waits for a message, in charge point time."""
START = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
"""UTC when a case begins."""

INCIDENTAL: tuple[type[Any], ...] = (call.Heartbeat, call.MeterValues, call.StatusNotification)
"""What may always come in between: the tool shows an unexpected status, it does not fail for it."""


@dataclass(frozen=True)
class Expected:
    """A call of the charge point. A set is a choice of values; None is a field that is left out."""

    kind: type[Any]
    fields: Mapping[str, Any]

    def fits(self, heard: Heard) -> bool:
        if heard.action != self.kind.__name__:
            return False
        return all(_is(heard.payload.get(name), wanted) for name, wanted in self.fields.items())

    def __str__(self) -> str:
        return f"{self.kind.__name__} {dict(self.fields)}" if self.fields else self.kind.__name__


def _is(found: Any, wanted: Any) -> bool:
    return found in wanted if isinstance(wanted, set) else bool(found == wanted)


def message(kind: type[Any], **fields: Any) -> Expected:
    """One of the messages for `Tool.in_any_order`."""
    return Expected(kind, fields)


class Unexpected(AssertionError):
    """The charge point did not do what the catalogue expects."""


@dataclass
class Tool:
    """The central system side of a case: calls, expects, and is told whom to accept."""

    csms: Csms
    box: ChargePointUnderTest
    cards: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """What is said of a card, as ``idTagInfo`` with the field names of the package; Accepted if nothing is."""
    registrations: list[str] = field(default_factory=list)
    """Answers to the next BootNotifications; Accepted when they are used up."""
    _cursor: int = 0

    def __post_init__(self) -> None:
        self.csms.answers |= {
            "BootNotification": self._register,
            "Authorize": lambda payload: call_result.Authorize(self._card(payload["id_tag"])),
            "StartTransaction": self._start,
        }

    # --- answers ------------------------------------------------------------------------------------------------------

    def _card(self, tag: str) -> Any:
        return dict(self.cards.get(tag, {"status": "Accepted"}))

    def _register(self, _payload: object) -> Any:
        status = self.registrations.pop(0) if self.registrations else "Accepted"
        return call_result.BootNotification(self.utc(), self.csms.interval_s, status)  # type: ignore[arg-type]

    def _start(self, payload: Mapping[str, Any]) -> Any:
        self.csms.transaction_id += 1
        return call_result.StartTransaction(self.csms.transaction_id, self._card(payload["id_tag"]))

    def utc(self, in_s: float = 0.0) -> str:
        """Return the instant ``in_s`` from now, as messages have it."""
        return (self.csms.clock() + timedelta(seconds=in_s)).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    # --- calls --------------------------------------------------------------------------------------------------------

    async def call(self, request: object) -> Any:
        """Call the charge point and return its answer. A CALLERROR is raised, as `ocpp.exceptions.OCPPError`."""
        dialogue = self.csms.dialogue
        sent, answers = dialogue.sent, dialogue.answers
        task = asyncio.create_task(self.csms.call(request))
        while dialogue.sent == sent and not task.done():  # noqa: ASYNC110 - a thread validates it first
            await asyncio.sleep(0)
        # Some answers wait for the hardware, so time must pass for them.
        await self.box.live_to(self.box.clock.now_s + SOON_S, lambda: task.done() or dialogue.answers > answers)
        return await task

    async def accepted(self, request: object) -> Any:
        """Call the charge point, which must answer with status Accepted; return the answer."""
        return await self.answered(request, "Accepted")

    async def answered(self, request: object, *statuses: str) -> Any:
        """Call the charge point, which must answer with one of these statuses; return the answer."""
        answer = await self.call(request)
        if answer.status not in statuses:
            raise Unexpected(f"{request} was answered with {answer}, expected {' or '.join(statuses)}")
        return answer

    async def configure(self, **keys: object) -> None:
        """Set configuration keys; each must be Accepted."""
        for key, value in keys.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            await self.accepted(call.ChangeConfiguration(key=key, value=text))

    async def configuration(self, key: str) -> str:
        """Return the value of a configuration key, which the charge point must know."""
        answer = await self.call(call.GetConfiguration(key=[key]))
        if not answer.configuration_key:
            raise Unexpected(f"the charge point does not know {key}")
        return str(answer.configuration_key[0]["value"])

    # --- expectations -------------------------------------------------------------------------------------------------

    async def expect(
        self, kind: type[Any], *, within_s: float = SOON_S, past: Collection[type[Any]] = (), **fields: Any
    ) -> Heard:
        """Wait for a message; it must come next, but for incidental ones and those in ``past``. Return it."""
        return (await self.in_any_order(Expected(kind, fields), within_s=within_s, past=past))[0]

    async def in_any_order(
        self, *expected: Expected, within_s: float = SOON_S, past: Collection[type[Any]] = ()
    ) -> list[Heard]:
        """Wait for messages that may swap; return them in the order in which they were asked for."""
        passes = {kind.__name__ for kind in (*INCIDENTAL, *past)}
        found: dict[int, Heard] = {}
        skipped: list[str] = []
        deadline_s = self.box.clock.now_s + within_s
        while len(found) < len(expected):
            missing = [index for index in range(len(expected)) if index not in found]
            if not await self.box.live_to(deadline_s, self._has_more):
                self._fail([expected[index] for index in missing], f"nothing in {within_s:g} s", skipped)
            heard = self.csms.heard[self._cursor]
            fitting = [index for index in missing if expected[index].fits(heard)]
            if fitting:
                found[fitting[0]] = heard
            elif heard.action in passes:
                skipped.append(_short(heard))
            else:
                self._fail([expected[index] for index in missing], _short(heard), skipped)
            self._cursor += 1
        return [found[index] for index in range(len(expected))]

    def _has_more(self) -> bool:
        return len(self.csms.heard) > self._cursor

    def _fail(self, expected: list[Expected], instead: str, skipped: list[str]) -> None:
        wanted = " and ".join(map(str, expected))
        before = f", after {'; '.join(skipped)}" if skipped else ""
        raise Unexpected(f"expected {wanted}; instead came {instead}{before}")

    async def nothing_of(self, *kinds: type[Any], for_s: float = 10.0, **fields: Any) -> None:
        """Let time pass in which no message of these kinds, with these fields, may come."""
        await self.box.live(for_s)
        for heard in self.csms.heard[self._cursor :]:
            for kind in kinds:
                if Expected(kind, fields).fits(heard):
                    raise Unexpected(f"expected nothing of {Expected(kind, fields)}; there came {_short(heard)}")

    def overlook(self) -> None:
        """Whatever came until now is not looked at any more."""
        self._cursor = len(self.csms.heard)


def _short(heard: Heard) -> str:
    return f"{heard.action} { {name: value for name, value in heard.payload.items() if name != 'timestamp'} }"


@asynccontextmanager
async def under_test(
    board: str = "ac22-sim-socket",
    *,
    keys: Mapping[str, str] | None = None,
    boots: bool = True,
    **plan: Any,
) -> AsyncIterator[tuple[Tool, ChargePointUnderTest]]:
    """A charge point in the state in which every case begins: online, Accepted, Available; and the tool.

    ``keys`` are as the box leaves the factory, ``plan`` further fields of `ChargerPlan`. Without ``boots`` it is ready to
    be switched on.
    """
    clock = HeldClock()
    csms = Csms(clock=lambda: START + timedelta(seconds=clock.now_s))
    async with csms:
        # Pings are not the subject here, and the clock does not wait for a pong.
        ours = {"MinimumStatusDuration": "0", "WebSocketPingInterval": "0", **(keys or {})}
        box = ChargePointUnderTest(csms, board, ours, plan, clock=clock)
        tool = Tool(csms, box)
        try:
            if boots:
                box.switch_on()
                await booted(tool)
            yield tool, box
        finally:
            await box.close()
    if csms.problems:
        raise Unexpected(f"the tool had to refuse: {csms.problems}")


async def booted(tool: Tool, statuses: Mapping[int, str | set[str]] | None = None, *others: Expected) -> None:
    """A boot, and all that is told after it, see `statuses_told`."""
    await tool.expect(call.BootNotification)
    await statuses_told(tool, statuses, *others)


async def statuses_told(tool: Tool, statuses: Mapping[int, str | set[str]] | None = None, *others: Expected) -> None:
    """The status of every connector and of connector 0: Available where none is given; ``others`` may come among them."""
    wanted: dict[int, str | set[str]] = dict.fromkeys(range(len(tool.box.charger.board.outlets) + 1), "Available")
    for number, status in (statuses or {}).items():
        if number in wanted:
            wanted[number] = status
    told = [message(call.StatusNotification, connector_id=n, status=status) for n, status in wanted.items()]
    await tool.in_any_order(*told, *others)
