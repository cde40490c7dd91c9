"""A site: chargers on one clock, one store a file, and an end in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from chargepoint.runtime.charger import Phase
from chargepoint.runtime.shutdown import Shutdown, end
from chargepoint.runtime.site import Site, open_store
from chargepoint.runtime.store import Durability, Store
from tests.runtime.desk import plug_in, seat, status, swipe, until
from tests.runtime.test_pump import site_with


@pytest.mark.parametrize(
    ("identity", "name"),
    [("CP001", "CP001"), ("RDAM 123", "RDAM_123"), ("../etc/passwd", ".._etc_passwd"), ("Säule-1.a", "Säule-1.a")],
)
def test_store_has_the_name_of_its_charger(tmp_path: Path, identity: str, name: str) -> None:
    """One file for each identity, inside the data directory whatever the identity is."""
    store = open_store(tmp_path, identity)
    assert store.path == tmp_path / f"{name}.sqlite3"
    assert store.path.exists()
    store.close()


async def test_same_seed_draws_other_message_ids_in_another_life(tmp_path: Path) -> None:
    """OCPP-J erratum 3.1: a message id must differ from all that the same sender used before."""
    seen: list[str] = []
    for _life in range(2):
        async with site_with(Store(tmp_path / "cp.sqlite3")) as site:
            charger, desk = seat(site)
            charger.start()
            await until(lambda at=desk: len(at.heard("StatusNotification")) >= 2, "the boot")  # type: ignore[misc]
        seen += desk.ids
    assert len(seen) >= 6
    assert len(set(seen)) == len(seen)


async def test_identity_is_taken_once() -> None:
    """OCPP-J 3.1.1: the identity is unique; two chargers of one would take each other's place."""
    async with site_with(Store(None, Durability.RELAXED)) as site:
        seat(site, "CP1")
        with pytest.raises(ValueError, match="there is a charger CP1 already"):
            seat(site, "CP1")


async def test_calendar_of_a_fast_site_runs_ahead() -> None:
    """A scaled clock: UTC as this site has it is ahead of the wall's."""
    async with site_with(Store(None, Durability.RELAXED), 1000.0) as site:
        begin_s = site.utc_s()
        await until(lambda: site.utc_s() > begin_s + 10.0, "ten seconds")


async def test_the_end_ends_the_transaction_and_tells_it_before_the_end(tmp_path: Path) -> None:
    """6.49 Reason: Reboot: a locally initiated reset or reboot occurred."""
    store = Store(tmp_path / "cp.sqlite3")
    site = Site(store, 300.0)
    charger, desk = seat(site)
    charger.start()
    plug_in(charger)
    await until(lambda: status(charger) == "Preparing", "Preparing")
    swipe(charger)
    await until(lambda: status(charger) == "Charging", "Charging")
    assert await end(site, Shutdown())
    assert [stop["reason"] for stop in desk.heard("StopTransaction")] == ["Reboot"]
    assert charger.phase is Phase.STOPPED
    assert desk.stops == [(1001, "stopping")]
    assert store.load("CP1").get("queue", {}) == {}
    store.close()


async def test_the_end_without_a_central_system_keeps_the_stop_for_the_next_life(tmp_path: Path) -> None:
    """3.7.1: what cannot be told is queued, over the end of the process too."""
    store = Store(tmp_path / "cp.sqlite3")
    site = Site(store, 300.0)
    charger, desk = seat(site)
    charger.start()
    plug_in(charger)
    await until(lambda: status(charger) == "Preparing", "Preparing")
    swipe(charger)
    await until(lambda: status(charger) == "Charging", "Charging")
    desk.drop()
    assert await end(site, Shutdown())
    store.close()
    async with site_with(Store(tmp_path / "cp.sqlite3")) as again:
        charger, desk = seat(again)
        charger.start()
        await until(lambda: desk.heard("StopTransaction"), "the queue")
        assert [stop["reason"] for stop in desk.heard("StopTransaction")] == ["Reboot"]
