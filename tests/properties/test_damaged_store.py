"""A store that is damaged in any record, page or frame: the box comes up, what is lost is reported, a charge is billed.

One script of charges is lived once. At some of its moments the files are copied, as a kill leaves them: database and log.
Each damage gets such a copy, and a charger that starts from it. What the central system has been billed is compared with
what the outlet has supplied until the kill.

More: ``./run test tests/properties/test_damaged_store.py --damages 3000``.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from ocpp.v16.enums import Reason

from chargepoint.model.faults import Trouble
from chargepoint.model.journal import TransactionEnded, TransactionStarted
from chargepoint.model.records import COPIED
from chargepoint.model.timebase import utc_text
from chargepoint.runtime.control import history
from chargepoint.runtime.record_codec import checksum
from chargepoint.runtime.salvage import PAGE_BYTES
from chargepoint.runtime.store_file import beside
from hw.sim.circuit import Circuit
from tests.conftest import DAMAGES, count
from tests.watch import no_exception_logged
from tests.world import EPOCH_UTC_S, World

PAGE, FRAME, LOG_HEADER = PAGE_BYTES, PAGE_BYTES + 24, 32
BOARD, POWER_W = "ac11-sim-socket", 11_040.0
KEYS = {
    "MeterValueSampleInterval": "20",
    "StopTxnSampledData": "Energy.Active.Import.Register",
    "TransactionMessageAttempts": "1",
    "AllowOfflineTxForUnknownId": "true",
    "UnlockConnectorOnEVSideDisconnect": "false",
    "CustomDisplayCostAndPrice": "true",
    "CustomIdleFeeAfterStop": "true",
    "MinimumStatusDuration": "0",
}
LEAST_UNBILLED_WH, MOST_UNBILLED_WH = -1.0, POWER_W / 60.0
"""A minute of energy; meter values are cut to whole Wh."""
HISTORY = ("session", "session_id", "day")


@dataclass(frozen=True)
class Moment:
    """A kill: the files it leaves, what the outlet has supplied in transactions, and what the central system has heard."""

    name: str
    at_s: float
    files: dict[str, bytes]
    supplied_wh: float
    billed_wh: float
    starts: dict[int, int]
    """meterStart by transactionId, as the central system has heard it."""


# --- the script -------------------------------------------------------------------------------------------------------


def script(world: World) -> Iterator[str]:
    """Charges, online and offline, with everything set that is stored; yields the name of each moment of a kill."""

    def cost(message: str, **fields: object) -> None:
        vendor = "org.openchargealliance.costmsg"
        world.ask("DataTransfer", vendorId=vendor, messageId=message, data=json.dumps(fields))

    world.store.begin_life()
    world.configure(HeartbeatInterval=600)
    listed = [{"idTag": f"L{number}", "idTagInfo": {"status": "Accepted"}} for number in range(3)]
    world.ask("SendLocalList", listVersion=1, updateType="Full", localAuthorizationList=listed)
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}]}
    world.ask(
        "SetChargingProfile",
        connectorId=0,
        csChargingProfiles={
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "ChargePointMaxProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {**schedule, "startSchedule": utc_text(EPOCH_UTC_S)},
        },
    )
    world.charger.limit(1, 16.0 - 1e-9)
    world.peer.answers["MeterValues"] = lambda payload: "NotSupported"
    cost("SetUserPrice", idToken="A1", priceText="EUR 0.39/kWh")
    world.charge().run(50)
    cost("RunningCost", transactionId=1, cost=1)
    yield "charging, samples refused"
    world.tap("A1").run(10).unplug().run(60)
    del world.peer.answers["MeterValues"]
    world.charge().run(45)
    world.ask("ChangeAvailability", connectorId=1, type="Inoperative")
    yield "charging"
    expiry = utc_text(EPOCH_UTC_S + world.now_s + 86_400)
    retrieve = {"location": "ftp://h/f", "retrieveDate": expiry}
    world.ask("UpdateFirmware", **retrieve)
    world.network(False).run(75)
    yield "charging offline"
    world.unplug_car().run(10)
    yield "stopped offline"
    world.network(True).run(20).tap("A1").run(5).unplug().run(5)
    world.ask("ChangeAvailability", connectorId=1, type="Operative")
    answer = world.ask("ReserveNow", connectorId=1, expiryDate=expiry, idTag="R1", reservationId=-5)
    assert answer == {"status": "Accepted"}, (answer, world.tells(1))
    world.ask("GetDiagnostics", location="ftp://nobody/there", retries=3, retryInterval=3600)
    world.network(False).run(1)
    yield "reserved"
    world.charge("R1").run(100).tap("R1").run(10)
    yield "a whole charge waits, plug in"
    world.unplug().run(5)
    world.charge("A1").run(95)
    yield "charging, a whole charge waits"
    world.network(True).run(25)
    yield "charging, all is told"
    world.connector().save_fault(Trouble.CONTACTOR_WELDED, "stored only: the contactor opens")
    world.model.wind_down(Reason.reboot.value, world.now_s)
    world.pump.settle()
    yield "winding down"


def circuit(world: World) -> Circuit:
    return next(process for process in world.charger.board.processes if isinstance(process, Circuit))


def supplied_wh(world: World) -> float:
    """What was supplied in transactions: those that ended, and the one that runs, by the register of the circuit."""
    starts: dict[str, int] = {}
    total = 0.0
    for _at_s, entry in world.journal:
        if isinstance(entry, TransactionStarted):
            starts[entry.key] = entry.meter_start_wh
        elif isinstance(entry, TransactionEnded):
            del starts[entry.key]
            total += entry.energy_wh
    return total + sum(circuit(world).register.energy_wh - start_wh for start_wh in starts.values())


def heard(world: World, starts: dict[int, int]) -> float:
    """Return the energy of all StopTransactions, and add the StartTransactions by the id they were answered with."""
    energy_wh = 0.0
    answers = {seen.frame[1]: seen.frame[2] for seen in world.peer.seen if seen.frame[0] == 3}
    for seen in world.peer.seen:
        if not seen.is_from_charger or seen.frame[0] != 2:
            continue
        _, message_id, action, payload = seen.frame
        if action == "StartTransaction":
            starts[answers[message_id]["transactionId"]] = payload["meterStart"]
        elif action == "StopTransaction":
            # A stop with an id that was never given is no bill.
            energy_wh += payload["meterStop"] - starts.get(payload["transactionId"], payload["meterStop"])
    return energy_wh


@cache
def moments() -> tuple[Moment, ...]:
    """Live the script once."""
    found = []
    with TemporaryDirectory() as directory:
        path = Path(directory) / "cp.sqlite3"
        # The first charge ends before midnight, the others after it.
        world = World(BOARD, KEYS, store_path=path, begins_s=86_400.0 - 150.0)
        world.run(5)
        for name in script(world):
            files = {suffix: beside(path, suffix).read_bytes() for suffix in ("", "-wal")}
            starts: dict[int, int] = {}
            billed_wh = heard(world, starts)
            found.append(Moment(name, world.now_s, files, supplied_wh(world), billed_wh, starts))
        world.store.close()
    return tuple(found)


# --- a charger that starts from what is left --------------------------------------------------------------------------


class Revived:
    """A charger that starts after a kill and a damage, and what the central system hears of it."""

    def __init__(self, moment: Moment, directory: Path, damage: Callable[[Path], None]) -> None:
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        path = directory / "cp.sqlite3"
        for suffix, content in moment.files.items():
            beside(path, suffix).write_bytes(content)
            beside(path, suffix).chmod(0o600)
        damage(path)
        self.moment = moment
        self.world = world = World(BOARD, KEYS, store_path=path, begins_s=moment.at_s + 5.0, starts_online=False)
        world.peer.next_transaction_id = max(moment.starts, default=0) + 1
        world.network(True).run(40)
        self.losses = list(world.model.losses)
        starts = dict(moment.starts)
        self.unbilled_wh = moment.supplied_wh - moment.billed_wh - heard(world, starts)

    def check(self, *, is_billed: bool = True) -> None:
        """The box is up and serves people; at most a minute of energy is unbilled, and none is billed twice."""
        world = self.world
        if is_billed:
            assert LEAST_UNBILLED_WH <= self.unbilled_wh <= MOST_UNBILLED_WH, f"{self.unbilled_wh:.0f} Wh are not billed"
        assert world.calls("BootNotification")
        is_told = any(code == "InternalError" for _status, code, _info in world.tells(0))
        assert is_told == bool(self.losses), "the central system is told"
        history.statistics(world.store.load("CP1", history.KINDS), 10)
        history.sessions(world.store.load("CP1", history.KINDS), 10)
        assert world.ask("GetConfiguration", key=["HeartbeatInterval"])["configurationKey"]
        world.store.close()


# --- records ----------------------------------------------------------------------------------------------------------


def other_types(value: Any) -> Any:
    """Return JSON in which each value is of another type."""
    if isinstance(value, dict):
        return {name: other_types(each) for name, each in value.items()}
    if isinstance(value, bool):
        return "true"
    if isinstance(value, (int, float)):
        return [value]
    return 7 if isinstance(value, str) else {"": value}


NASTY: tuple[Any, ...] = (
    *(None, True, 0, 1, -1, 7, 99, 2**31, 2**63, 10**400, 0.5, -0.5, 1e17, 1e300, float("nan"), float("inf")),
    *("", "1", "-1", "\0", "\ud800", "x" * 3000, "2026-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00", "Local", "{}", "[[["),
    *([], {}, [None], [1, 2], {"": 0}, [[0, 6.0, None]]),
)


def one_value(body: str, rng: Random) -> Any:
    """Return a body in which one value, however deep, is another one."""

    def change(value: Any, path: tuple[Any, ...]) -> Any:
        if not path:
            return rng.choice(NASTY)
        new = dict(value) if isinstance(value, dict) else list(value)
        new[path[0]] = change(value[path[0]], path[1:])
        return new

    def paths(value: Any) -> Iterator[tuple[Any, ...]]:
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for name, each in inner:
            yield (name,)
            for path in paths(each):
                yield (name, *path)

    value = json.loads(body)
    # The payload of a message is checked where it is made; here it is text.
    return change(value, rng.choice([path for path in paths(value) if path != ("payload",)]))


def spoiled(sort: str, body: str, rng: Random) -> bytes:
    if sort == "emptied":
        return b"{}"
    if sort == "one value":
        return json.dumps(one_value(body, rng)).encode()
    if sort == "no JSON":
        return b"no JSON"
    if sort == "other types":
        return json.dumps(other_types(json.loads(body))).encode()
    data = bytearray(body.encode())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


SORTS = ("deleted", "emptied", "no JSON", "other types", "flipped")


def spoil(path: Path, kind: str, key: str, sort: str, rng: Random, *, is_sealed: bool) -> None:
    """Damage one record; ``is_sealed``: under a right checksum, as a fault of the program would write it."""
    database = sqlite3.connect(path, isolation_level=None)
    where = "charger = 'CP1' AND kind = ? AND key = ?" if kind != "store" else "kind = ? AND key = ?"
    if sort == "deleted":
        database.execute(f"DELETE FROM record WHERE {where}", (kind, key))
    else:
        (body,) = database.execute(f"SELECT body FROM record WHERE {where}", (kind, key)).fetchone()
        new = spoiled(sort, body, rng)
        database.execute(f"UPDATE record SET body = CAST(? AS TEXT) WHERE {where}", (new, kind, key))
        if is_sealed:
            crc = checksum("CP1", kind, key, new.decode())
            database.execute(f"UPDATE record SET crc = ? WHERE {where}", (crc, kind, key))
    database.close()


Case = tuple[Moment, str, str, str, bool]
"""Moment, kind, key, sort of damage, whether it is sealed."""


@cache
def cases() -> tuple[Case, ...]:
    """Every damage of one record of each kind at each moment; the last record of a kind, as it is written most."""
    found: list[Case] = []
    with TemporaryDirectory() as directory:
        for moment in moments():
            path = Path(directory) / "cp.sqlite3"
            for suffix, content in moment.files.items():
                beside(path, suffix).write_bytes(content)
            with closing(sqlite3.connect(path)) as database:
                rows = database.execute("SELECT kind, max(key), min(key) FROM record GROUP BY kind").fetchall()
            for kind, last, first in rows:
                for key in {first, last}:
                    found += [(moment, kind, key, sort, False) for sort in SORTS]
                    found += [(moment, kind, key, sort, True) for sort in SORTS[1:4] if kind != "store"]
    return tuple(found)


def test_the_script_writes_every_kind_of_record() -> None:
    """A kind that no moment has would be damaged in no test."""
    from tests.model.test_record import KINDS

    written = {kind for _moment, kind, _key, _sort, _is_sealed in cases()}
    assert {kind.name for kind in KINDS} == written
    assert [moment.name for moment in moments() if moment.supplied_wh < 50] == []


def try_record(case: Case, directory: Path, rng: Random) -> None:
    moment, kind, key, sort, is_sealed = case
    revived = Revived(moment, directory, lambda path: spoil(path, kind, key, sort, rng, is_sealed=is_sealed))
    # What a right checksum says is what was written: then there is no better copy, and the loss is reported.
    revived.check(is_billed=not is_sealed or kind not in ("transaction", "queue"))
    is_noticed = sort != "deleted" or kind in COPIED
    if is_noticed and kind not in (*HISTORY, "store") and not _is_sample_in_queue(moment, kind, sort):
        assert any(f"{kind}/" in loss for loss in revived.losses), f"{revived.losses}"


def _is_sample_in_queue(moment: Moment, kind: str, sort: str) -> bool:
    """MeterValues have no copy: one that is deleted cannot be noticed."""
    return sort == "deleted" and kind in ("queue", "undelivered")


def test_no_damage_at_all_is_no_loss(tmp_path: Path) -> None:
    """A kill alone costs at most the energy since the last register, and nothing is reported."""
    for moment in moments():
        revived = Revived(moment, tmp_path / "box", lambda path: None)
        assert revived.losses == [], moment.name
        revived.check()


@pytest.mark.timeout(0)
def test_record_of_any_kind_may_be_damaged(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """[D] "a store damaged at every record kind: at most a minute of energy unbilled, everything lost is reported, the box
    comes up"."""
    everything = list(cases())
    rng = Random(1)
    # Each kind and sort at least once, then by chance.
    first = {(kind, sort): case for case in rng.sample(everything, len(everything)) for kind, sort in [(case[1], case[3])]}
    most = count(request.config, DAMAGES)
    chosen = [*first.values(), *rng.sample(everything, min(most, len(everything)))]
    for case in chosen:
        moment, kind, key, sort, is_sealed = case
        try:
            try_record(case, tmp_path / "box", rng)
        except Exception as error:
            raise AssertionError(f"{moment.name}: {kind}/{key} {sort}{' and sealed' * is_sealed}: {error}") from error


@pytest.mark.timeout(0)
def test_body_may_be_anything(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Under a right checksum one value is another one, of the right type or not: whatever is made of it, no box stops."""
    rng = Random(2)
    chosen = [case[:3] for case in cases() if case[1] != "store" and case[3] == "deleted"]
    for number in range(count(request.config, DAMAGES) * 2):
        moment, kind, key = rng.choice(chosen)
        seen: list[bytes] = []

        def damage(path: Path, kind: str = kind, key: str = key, seen: list[bytes] = seen) -> None:
            spoil(path, kind, key, "one value", rng, is_sealed=True)
            with closing(sqlite3.connect(path)) as database:
                found = database.execute("SELECT body FROM record WHERE kind = ? AND key = ?", (kind, key)).fetchone()
            seen.append(found[0])

        try:
            with no_exception_logged() as logged:
                Revived(moment, tmp_path / "box", damage).check(is_billed=False)
            assert not logged, logged[0].getMessage()
        except Exception as error:
            raise AssertionError(f"number {number}, {moment.name}: {kind}/{key} {seen}: {error}") from error


# --- pages and frames -------------------------------------------------------------------------------------------------


def overwrite(data: bytearray, start: int, length: int, rng: Random) -> str:
    """Damage a stretch of bytes somehow; return how."""
    sort = rng.choice(("bytes of chance", "zeros", "one bit", "a few bytes"))
    if sort == "bytes of chance":
        data[start : start + length] = rng.randbytes(length)
    elif sort == "zeros":
        data[start : start + length] = bytes(length)
    else:
        for _flip in range(1 if sort == "one bit" else 16):
            data[start + rng.randrange(length)] ^= 1 << rng.randrange(8)
    return sort


def try_pages(seed: int, directory: Path, pages: int) -> None:
    """Damage so many pages of the database; a log beside it is moved into it first, or it would hide them."""
    rng = Random(f"pages {pages} {seed}")
    moment = rng.choice(moments())
    told = ""

    def damage(path: Path) -> None:
        nonlocal told
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        data = bytearray(path.read_bytes())
        for page in rng.sample(range(len(data) // PAGE), pages):
            told += f"page {page + 1}: {overwrite(data, page * PAGE, PAGE, rng)}; "
        path.write_bytes(data)

    try:
        revived = Revived(moment, directory, damage)
        revived.check(is_billed=pages == 1)
    except Exception as error:
        raise AssertionError(f"seed {seed}, {moment.name}, {told}{error}") from error


@pytest.mark.timeout(0)
def test_page_of_the_file_may_be_damaged(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """[D] "a store damaged in random pages: at most a minute of energy unbilled, everything lost is reported, the box comes
    up"."""
    for seed in range(count(request.config, DAMAGES)):
        try_pages(seed, tmp_path / "box", 1)


@pytest.mark.timeout(0)
def test_several_pages_may_be_damaged(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Record and copy may both be gone then: the box comes up and says so."""
    for seed in range(count(request.config, DAMAGES) // 3):
        try_pages(seed, tmp_path / "box", 3)


@pytest.mark.timeout(0)
def test_log_may_be_damaged(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """SQLite drops a changed frame and all commits behind it: here they are read past it."""
    for seed in range(count(request.config, DAMAGES) // 3):
        rng = Random(f"log {seed}")
        moment = rng.choice([each for each in moments() if len(each.files["-wal"]) > 3 * FRAME])
        log = bytearray(moment.files["-wal"])
        frame = rng.randrange((len(log) - LOG_HEADER) // FRAME)
        sort = overwrite(log, LOG_HEADER + frame * FRAME + 24, PAGE, rng)

        def damage(path: Path, log: bytearray = log) -> None:
            beside(path, "-wal").write_bytes(log)

        try:
            Revived(moment, tmp_path / "box", damage).check()
        except Exception as error:
            raise AssertionError(f"seed {seed}, {moment.name}, frame {frame}: {sort}: {error}") from error


# --- tests of the test ------------------------------------------------------------------------------------------------


def test_the_sweep_notices_that_there_are_no_copies(tmp_path: Path) -> None:
    """Without the second copies the damage of one record costs a charge."""

    def damage(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("DELETE FROM copy")
            running = "SELECT key FROM record WHERE kind = 'transaction' AND body LIKE '%\"ended\":false%'"
            (key,) = database.execute(running).fetchone()
        spoil(path, "transaction", key, "flipped", Random(1), is_sealed=False)

    moment = next(each for each in moments() if each.name == "charging offline")
    with pytest.raises(AssertionError, match="Wh are not billed"):
        Revived(moment, tmp_path / "box", damage).check()
