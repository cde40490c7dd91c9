"""The night: a car park's box with two sockets and one reader, three sessions, from 22:00 to 06:00 UTC.

Every frame of it, both ways, is kept in ``tests/transcripts/night.jsonl``; a change of behaviour shows there as a diff.
A sampled value, of which there are thousands, is written there as one string: its fields in the order of `FIELDS`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from ocpp.v16 import call

from chargepoint.model import wire
from chargepoint.model.timebase import utc_seconds, utc_text
from chargepoint.runtime.assembly import ChargerPlan
from chargepoint.runtime.central_records import Transaction
from chargepoint.runtime.stepped import SteppedSite
from chargepoint.runtime.wire_pair import Direction
from hw.loader import plan_board
from hw.ports import Board, Hands
from tests.conftest import CheckTranscript

BOX = "DUO1"
EVENING = utc_seconds("2026-03-14T22:00:00Z")
CARD_A, CARD_B, CARD_C = "04A1A1A1A1A1A1", "04B2B2B2B2B2B2", "04C3C3C3C3C3C3"
KEYS = {
    "MeterValueSampleInterval": "30",
    "MeterValuesSampledData": "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage",
    "ClockAlignedDataInterval": "900",
    "StopTxnSampledData": "Energy.Active.Import.Register",
    "StopTxnAlignedData": "Energy.Active.Import.Register",
}
FIELDS = ("value", "context", "measurand", "phase", "location", "unit")


@dataclass(frozen=True)
class Seen:
    """A frame as it was put on the wire."""

    utc_s: float
    direction: Direction
    text: str

    @property
    def line(self) -> str:
        """As it stands in a transcript. Nothing of the frame is lost: `frame_of` gives it back."""
        at, frame = utc_text(self.utc_s), compact(json.loads(self.text, object_hook=_shorten))
        return f'{{"at":"{at}","way":"{self.direction}","frame":{frame}}}'


def compact(frame: object) -> str:
    return json.dumps(frame, separators=(",", ":"))


def _shorten(found: dict[str, Any]) -> object:
    return "|".join(found.get(field, "") for field in FIELDS) if "measurand" in found else found


def _lengthen(found: dict[str, Any]) -> dict[str, Any]:
    if "sampledValue" in found:
        pairs = [zip(FIELDS, short.split("|"), strict=True) for short in found["sampledValue"]]
        found["sampledValue"] = [{field: value for field, value in each if value} for each in pairs]
    return found


def frame_of(line: str) -> str:
    """Return the text of the frame that a line of a transcript shows."""
    return compact(json.loads(line, object_hook=_lengthen)["frame"])


class Scene:
    """One box on the stepped clock, with everything that passed its wire, and people around it."""

    def __init__(self, board: str, keys: dict[str, str]) -> None:
        self.site = SteppedSite(start_utc_s=EVENING, seed=22)
        self.seen: list[Seen] = []
        self.site.add(ChargerPlan(identity=BOX, board=plan_board(board), keys=keys, seed=22))
        self.site.wires[BOX].loss = self._watch

    def _watch(self, direction: Direction, text: str) -> tuple[str, ...]:
        self.seen.append(Seen(self.site.utc_s(), direction, text))
        return (text,)

    def at(self, clock: str) -> Scene:
        """Go on to a time of this night, HH:MM or HH:MM:SS."""
        hours, minutes, seconds = [*map(int, clock.split(":")), 0][:3]
        self.site.run_until_utc(EVENING + ((hours - 22) % 24 * 60 + minutes) * 60 + seconds)
        return self

    def tap(self, card: str) -> None:
        self.site.act(BOX, lambda board, now_s: board.readers[0].present(card, now_s))

    def plug(self, outlet: int) -> None:
        self.site.act(BOX, lambda board, now_s: hands(board, outlet).plug_in(now_s))

    def unplug(self, outlet: int) -> None:
        self.site.act(BOX, lambda board, now_s: hands(board, outlet).unplug(now_s))

    def wants_energy(self, outlet: int, wants: bool) -> None:
        self.site.act(BOX, lambda board, now_s: hands(board, outlet).wants_energy(wants, now_s))

    def transactions(self) -> list[Transaction]:
        return list(self.site.central.chargers[BOX].transactions.values())

    def calls(self, action: str) -> Iterator[tuple[Seen, dict[str, Any]]]:
        """The charger's calls of an action with their payloads, oldest first."""
        for seen in self.seen:
            frame = json.loads(seen.text)
            if frame[0] == 2 and frame[2] == action:
                yield seen, frame[3]

    def story(self, connector: int) -> list[str]:
        """What was told of a connector: status and the minute it began."""
        told = [payload for _, payload in self.calls("StatusNotification") if payload["connectorId"] == connector]
        return [f"{payload['timestamp'][11:16]} {payload['status']}" for payload in told]


def hands(board: Board, outlet: int) -> Hands:
    found = board.outlet(outlet).hands
    assert found is not None
    return found


def live_the_night() -> Scene:
    scene = Scene("ac22-sim-duo", KEYS)
    # A charges on outlet 1 and stops it with the card.
    scene.at("22:10").plug(1)
    scene.at("22:10:12").tap(CARD_A)
    # B charges on outlet 2 until the car is full, and pulls the cable out of the car.
    scene.at("23:05").plug(2)
    scene.at("23:05:20").tap(CARD_B)
    scene.at("23:50").tap(CARD_A)
    scene.at("23:50:40").unplug(1)
    # C brings the card first, pauses in between, and is stopped from the office.
    scene.at("03:14:50").tap(CARD_C)
    scene.at("03:15").plug(1)
    scene.at("04:05").wants_energy(1, False)
    scene.at("04:50").wants_energy(1, True)
    scene.at("05:10").unplug(2)
    scene.at("05:10:10").unplug(2)
    scene.at("05:40:10")
    running = scene.site.central.chargers[BOX].connectors[1].transaction
    assert running is not None
    scene.site.central.call(BOX, call.RemoteStopTransaction(running))
    scene.at("05:45").unplug(1)
    scene.at("06:00:30")
    return scene


@pytest.fixture(scope="module")
def night() -> Scene:
    return live_the_night()


def test_the_night_goes_as_it_always_went(night: Scene, check_transcript: CheckTranscript) -> None:
    """Golden: every frame in both directions, in order, with its instant."""
    check_transcript("night", [seen.line for seen in night.seen])


def test_the_transcript_hides_nothing(night: Scene) -> None:
    assert all(frame_of(seen.line) == seen.text for seen in night.seen)


def test_everything_said_at_night_fits_the_schemas(night: Scene) -> None:
    actions: dict[str, str] = {}
    for seen in night.seen:
        kind, message_id, *rest = json.loads(seen.text)
        if kind == 2:
            actions[message_id] = rest[0]
            wire.validate_outgoing(rest[0], compact(rest[1]))
        else:
            assert kind == 3
            wire.validate_outgoing(actions.pop(message_id), compact(rest[0]), is_result=True)
    assert not actions, "calls without an answer"


def test_the_night_tells_its_story(night: Scene) -> None:
    """Connector states, section 7.2: a pause of the car is SuspendedEV; the transaction goes on."""
    evening, morning = ["22:00 Available"], ["05:45 Available"]
    first = ["22:10 Preparing", "22:10 Charging", "23:50 Finishing", "23:50 Available"]
    third = ["03:14 Preparing", "03:15 Charging", "04:05 SuspendedEV", "04:50 Charging", "05:40 Finishing"]
    assert night.story(0) == evening
    assert night.story(1) == evening + first + third + morning
    second = ["23:05 Preparing", "23:05 Charging", "04:34 SuspendedEV", "05:10 Finishing", "05:10 Available"]
    assert night.story(2) == evening + second
    ended = [(t.connector, t.id_tag, t.reason) for t in night.transactions()]
    assert ended == [(1, CARD_A, "Local"), (2, CARD_B, "EVDisconnected"), (1, CARD_C, "Remote")]


def test_aligned_values_keep_to_the_grid_and_samples_to_their_transaction(night: Scene) -> None:
    """Aligned at :00, :15, :30, :45 for both connectors, midnight included; samples at T0 + k x 30 s (4.7, 9.1.5)."""
    grid: dict[int, list[float]] = {1: [], 2: []}
    sampled: dict[int, list[float]] = {t.id: [] for t in night.transactions()}
    for _, payload in night.calls("MeterValues"):
        (value,) = payload["meterValue"]
        instant = utc_seconds(value["timestamp"])
        if value["sampledValue"][0]["context"] == "Sample.Clock":
            grid[payload["connectorId"]].append(instant)
        else:
            sampled[payload["transactionId"]].append(instant)
    assert grid[1] == grid[2] == [EVENING + 900.0 * k for k in range(1, 33)]
    for transaction in night.transactions():
        assert transaction.stopped_utc_s is not None
        count = int((transaction.stopped_utc_s - transaction.started_utc_s) / 30.0)
        expected = [transaction.started_utc_s + 30.0 * k for k in range(1, count + 1)]
        assert sampled[transaction.id] == pytest.approx(expected, abs=1e-3)


def test_stop_carries_its_values_in_order_from_begin_to_end(night: Scene) -> None:
    """transactionData: chronological, begin first, end last; registers as in meterStart and meterStop (4.10)."""
    for (_, stop), transaction in zip(night.calls("StopTransaction"), by_end(night), strict=True):
        data = stop["transactionData"]
        contexts = [value["sampledValue"][0]["context"] for value in data]
        registers = [int(value["sampledValue"][0]["value"]) for value in data]
        stamps = [value["timestamp"] for value in data]
        assert (contexts[0], contexts[-1]) == ("Transaction.Begin", "Transaction.End")
        assert set(contexts[1:-1]) == {"Sample.Periodic", "Sample.Clock"}
        assert (registers[0], registers[-1]) == (transaction.meter_start_wh, stop["meterStop"])
        assert stamps == sorted(set(stamps))
        assert registers == sorted(registers)
        assert utc_seconds(stamps[0]) == transaction.started_utc_s
        assert stamps[-1] == stop["timestamp"]


def by_end(scene: Scene) -> list[Transaction]:
    return sorted(scene.transactions(), key=lambda each: each.stopped_utc_s or 0.0)


def power_samples(scene: Scene) -> list[tuple[float, float]]:
    """Instant and total power in W of every periodic sample."""
    found = []
    for _, payload in scene.calls("MeterValues"):
        (value,) = payload["meterValue"]
        for sampled in value["sampledValue"]:
            if sampled["measurand"] == "Power.Active.Import" and "phase" not in sampled:
                found.append((utc_seconds(value["timestamp"]), float(sampled["value"])))
    return found


def integral_wh(samples: Iterable[tuple[float, float]]) -> float:
    return (
        sum((later - at) * (power + next_power) / 2.0 for (at, power), (later, next_power) in pairwise(samples))
        / 3600.0
    )


def test_energy_is_the_integral_of_power() -> None:
    """From the first ramp over a pause and the taper to a full car: the register counts what the meter shows."""
    keys = {"MeterValueSampleInterval": "10", "MeterValuesSampledData": "Power.Active.Import"}
    scene = Scene("ac11-sim", keys).at("22:10")
    scene.plug(1)
    scene.tap(CARD_A)
    scene.at("23:00").wants_energy(1, False)
    scene.at("23:20").wants_energy(1, True)
    scene.at("04:30").tap(CARD_A)
    scene.at("04:31")
    (transaction,) = scene.transactions()
    assert scene.story(1)[-3:] == ["23:20 Charging", "03:59 SuspendedEV", "04:30 Finishing"]
    assert transaction.energy_wh == pytest.approx(integral_wh(power_samples(scene)), rel=0.005)
    assert 0.8 * 58_000 < transaction.energy_wh < 0.93 * 58_000, "80 % of the battery, and the losses"


def test_a_car_of_16_a_on_three_phases_draws_11_kw() -> None:
    """EV model: bev_3p16_mid below its taper at 16 A, 230 V: 11.04 kW, and so the register rises."""
    scene = Scene(
        "ac11-sim", {"MeterValueSampleInterval": "60", "MeterValuesSampledData": KEYS["MeterValuesSampledData"]}
    )
    scene.at("22:10").plug(1)
    scene.tap(CARD_A)
    scene.at("23:12")
    powers = [power_w for _, power_w in power_samples(scene)]
    assert len(powers) == 61
    assert powers == pytest.approx([11_040.0] * 61, rel=0.001)
    registers = [int(p["meterValue"][0]["sampledValue"][0]["value"]) for _, p in scene.calls("MeterValues")]
    assert registers[-1] - registers[0] == pytest.approx(11_040, rel=0.001)
