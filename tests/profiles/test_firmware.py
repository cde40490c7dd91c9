"""UpdateFirmware and GetDiagnostics (OCPP 1.6 5.19, 5.9, 4.4, 4.5; test cases 044, 045, 054)."""

from __future__ import annotations

from typing import Any

import pytest

from chargepoint.model.outbox import StartTransfer
from chargepoint.model.timebase import utc_text
from chargepoint.model.transfer import Transferred, failed
from chargepoint.runtime.porter import FilePlan, version_in
from tests.world import EPOCH_UTC_S, SILENCE, World

URL = "ftp://files.example/wall-2.1.0.bin"


def box(board: str = "ac11-sim", **files: Any) -> World:
    """A charger whose files move as planned, booted and forgotten."""
    return World(board=board, plan={"files": FilePlan(**files)}).run(5).forget()


def update(world: World, in_s: float = 0, **more: Any) -> World:
    at = utc_text(EPOCH_UTC_S + world.now_s + in_s)
    assert world.ask("UpdateFirmware", location=URL, retrieveDate=at, **more) == {}
    return world


def firmware(world: World) -> list[str]:
    return [p["status"] for p in world.calls("FirmwareStatusNotification")]


def diagnostics(world: World) -> list[str]:
    return [p["status"] for p in world.calls("DiagnosticsStatusNotification")]


def trigger(world: World, kind: str) -> None:
    answer = world.ask("TriggerMessage", requestedMessage=f"{kind}StatusNotification")
    assert answer == {"status": "Accepted"}


# --- download and install ---------------------------------------------------------------------------------------------


def test_an_update_tells_every_step() -> None:
    """conf; Downloading; Downloaded; Installing; BN; SN(Available); Installed (test case 044_1)."""
    world = update(box()).run(60)
    assert [line.split()[0] for line in world.story() if "Unavailable" not in line] == [
        "FirmwareStatusNotification",
        "FirmwareStatusNotification",
        "FirmwareStatusNotification",
        "BootNotification",
        "StatusNotification",
        "StatusNotification",
        "FirmwareStatusNotification",
    ]
    assert firmware(world) == ["Downloading", "Downloaded", "Installing", "Installed"]
    assert world.told() == "Available"


def test_the_boot_after_an_update_tells_the_new_version() -> None:
    """BootNotification: firmwareVersion of the new image (6.3)."""
    world = update(box()).run(60)
    assert world.last("BootNotification")["firmwareVersion"] == "2.1.0"
    assert world.cut_power().last("BootNotification")["firmwareVersion"] == "2.1.0"


def test_an_update_without_a_restart_sends_no_boot() -> None:
    """alt: manual reboot after firmware update (5.19)."""
    world = update(box(restarts=False)).run(60)
    assert firmware(world) == ["Downloading", "Downloaded", "Installing", "Installed"]
    assert world.calls("BootNotification") == []
    assert world.cut_power().last("BootNotification")["firmwareVersion"] == "2.1.0"


def test_a_download_that_fails_leaves_the_box_in_use() -> None:
    """[Downloading]; DownloadFailed; usable again (test case 044_2)."""
    world = update(box(download_succeeds=False), retries=0).run(60)
    assert firmware(world) == ["Downloading", "DownloadFailed"]
    assert world.statuses() == []
    assert world.charge().told() == "Charging"


def test_an_installation_that_fails_leaves_the_box_in_use() -> None:
    """Downloading; Downloaded; [Installing]; InstallationFailed; [SN(Available)] (test case 044_3)."""
    world = update(box(install_succeeds=False)).run(60)
    assert firmware(world) == ["Downloading", "Downloaded", "Installing", "InstallationFailed"]
    assert world.statuses() == ["Unavailable", "Available"]
    assert world.calls("BootNotification") == []


def test_nothing_is_fetched_before_its_date() -> None:
    """a date and time after which the Charge Point is allowed to retrieve the new firmware (5.19)."""
    world = update(box(), in_s=3600).run(3590)
    assert firmware(world) == []
    assert firmware(world.run(60)) == ["Downloading", "Downloaded", "Installing", "Installed"]


@pytest.mark.parametrize(("retries", "lasts_s"), [(0, 10), (2, 10 + 2 * 110)])
def test_a_download_is_tried_again_as_often_as_asked(retries: int, lasts_s: float) -> None:
    """retries: how many times Charge Point must try to download; retryInterval: the interval in seconds (6.55)."""
    world = update(box(download_succeeds=False), retries=retries, retryInterval=100).run(lasts_s - 1)
    assert firmware(world) == ["Downloading"]
    assert firmware(world.run(2)) == ["Downloading", "DownloadFailed"]


REFUSED = failed("HTTP 401", is_final=True)
IMPOSSIBLE = failed("unsupported scheme", is_final=True, is_impossible=True)


@pytest.mark.parametrize(
    ("end", "more", "attempts"),
    [
        (failed("no answer"), {"retries": 2}, 3),
        (REFUSED, {"retries": 2}, 3),
        (REFUSED, {"retries": 0}, 1),
        (REFUSED, {}, 1),
        (IMPOSSIBLE, {"retries": 2}, 1),
    ],
)
@pytest.mark.parametrize("action", ["UpdateFirmware", "GetDiagnostics"])
def test_the_retries_of_the_central_system_are_obeyed(
    action: str, end: Transferred, more: dict[str, int], attempts: int
) -> None:
    """This specifies how many times Charge Point must retry to upload the diagnostics before giving up (6.25, erratum
    3.50). If this field is not present, it is left to Charge Point to decide how many times it wants to retry.

    Left to us [D]: what another attempt cannot change is not tried again. Never tried again: what cannot be tried.
    """
    world = box()
    begun: list[Any] = []
    world.charger.porter.carry = begun.append  # type: ignore[assignment,method-assign]
    date = {} if action == "GetDiagnostics" else {"retrieveDate": utc_text(EPOCH_UTC_S)}
    world.ask(action, location=URL, retryInterval=10, **date, **more)
    for _each in range(5):
        if isinstance(begun[-1], StartTransfer):
            world.charger.on_transfer(begun[-1].ref, end)
        world.run(11)
    assert len([errand for errand in begun if isinstance(errand, StartTransfer)]) == attempts
    told = firmware(world) if action == "UpdateFirmware" else diagnostics(world)
    assert told == (["Downloading", "DownloadFailed"] if action == "UpdateFirmware" else ["Uploading", "UploadFailed"])


def test_without_numbers_the_box_tries_three_times_more() -> None:
    """If this field is not present, it is left to Charge Point to decide (6.55)."""
    world = update(box(download_succeeds=False)).run(4 * 10 + 3 * 30 - 1)
    assert firmware(world) == ["Downloading"]
    assert firmware(world.run(2)) == ["Downloading", "DownloadFailed"]


def test_a_newer_request_cancels_the_older() -> None:
    world = update(box(), in_s=3600)
    update(world, in_s=7200).run(7100)
    assert firmware(world) == []
    assert firmware(world.run(300)) == ["Downloading", "Downloaded", "Installing", "Installed"]


def test_a_request_during_an_installation_comes_after_it() -> None:
    world = update(box(install_s=60)).run(30)
    assert firmware(world)[-1] == "Installing"
    update(world).run(300)
    assert firmware(world) == ["Downloading", "Downloaded", "Installing", "Installed"] * 2


def test_no_reset_while_firmware_is_written() -> None:
    """Rejected when e.g. firmware installation forbids it (5.14)."""
    world = update(box(install_s=60)).run(30)
    assert world.ask("Reset", type="Hard") == {"status": "Rejected"}


# --- drivers ----------------------------------------------------------------------------------------------------------


def test_an_installation_waits_for_the_transaction() -> None:
    """it is RECOMMENDED to wait until Charging Session has ended before commencing installation (5.19)."""
    world = box("ac22-sim-duo")
    world.charge(connector=1).forget()
    update(world).run(600)
    assert firmware(world) == ["Downloading", "Downloaded"]
    assert world.statuses(1) == []
    assert world.remote_stop(1) == "Accepted"
    assert firmware(world.run(60)) == ["Downloading", "Downloaded", "Installing", "Installed"]
    assert world.statuses(1)[:2] == ["Finishing", "Unavailable"]
    story = world.story()
    assert story.index("StopTransaction Remote") < story.index("BootNotification")


def test_connectors_not_in_use_become_unavailable_meanwhile() -> None:
    """It is RECOMMENDED to set connectors that are not in use to UNAVAILABLE (5.19)."""
    world = box("ac22-sim-duo")
    world.charge(connector=1).forget()
    update(world).run(60)
    assert world.statuses(2) == ["Unavailable"]
    world.plug(2).tap("B2", reader=0)
    assert world.calls("StartTransaction") == []


def test_what_waits_for_an_installation_cannot_be_reserved() -> None:
    """If the Charge Point or connector is Unavailable, ReserveNow.conf says Unavailable, not Occupied (5.13)."""
    world = update(box("ac22-sim-duo").charge("A1", 1)).run(30)
    assert (world.told(1), world.told(2)) == ("Charging", "Unavailable")
    later = utc_text(EPOCH_UTC_S + world.now_s + 600)
    answers = [
        world.ask("ReserveNow", connectorId=number, expiryDate=later, idTag="B1", reservationId=1)["status"]
        for number in (1, 2, 0)
    ]
    assert answers == ["Occupied", "Unavailable", "Occupied"]


def test_what_the_central_system_made_inoperative_stays_so() -> None:
    """connectors go back to their former state (handbook, messages 5)."""
    world = box()
    world.availability("Inoperative")
    update(world).run(60)
    assert world.told() == "Unavailable"
    assert firmware(world)[-1] == "Installed"


# --- power cuts and outages -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut_s", [1, 11])
def test_an_update_goes_on_after_a_power_cut(cut_s: float) -> None:
    """Scheduled or fetching: it begins again and ends well."""
    world = update(box(), in_s=5).run(cut_s).cut_power().run(120)
    assert firmware(world)[0] == "Downloading"
    assert firmware(world)[-3:] == ["Downloaded", "Installing", "Installed"]


def test_a_power_cut_in_the_last_attempt_is_a_failure() -> None:
    """never silent: the attempt was spent, none is left."""
    world = update(box(), retries=0).run(5).cut_power().run(60)
    assert firmware(world) == ["Downloading", "DownloadFailed"]


def test_a_power_cut_while_waiting_for_a_driver_keeps_the_update() -> None:
    world = box("ac22-sim-duo").charge(connector=1)
    update(world).run(60).cut_power().run(120)
    assert firmware(world)[-2:] == ["Installing", "Installed"]
    assert world.last("BootNotification")["firmwareVersion"] == "2.1.0"


def test_a_power_cut_during_the_installation_is_told() -> None:
    """Nobody knows what is there: that is InstallationFailed, and the box is in use again."""
    world = update(box(install_s=60)).run(30).cut_power().run(60)
    assert firmware(world) == ["Downloading", "Downloaded", "Installing", "InstallationFailed"]
    assert world.told() == "Available"


def test_statuses_of_an_outage_are_told_afterwards() -> None:
    """SHALL be sent to keep the Central System updated (4.5): in order, none left out, none twice."""
    world = update(box(restarts=False), in_s=10).network(False).run(120)
    assert firmware(world) == []
    assert firmware(world.network(True).run(5)) == ["Downloading", "Downloaded", "Installing", "Installed"]


def test_a_status_that_is_never_answered_does_not_stop_the_others() -> None:
    world = box()
    world.peer.answers["DiagnosticsStatusNotification"] = lambda _payload: SILENCE
    world.ask("GetDiagnostics", location="ftp://files.example/")
    assert diagnostics(world.run(600)) == ["Uploading"] * 3 + ["Uploaded"] * 3


# --- diagnostics ------------------------------------------------------------------------------------------------------


def test_diagnostics_are_named_and_sent() -> None:
    """conf; Uploading; Uploaded (test case 045_1)."""
    world = box()
    name = world.ask("GetDiagnostics", location="ftp://files.example/")["fileName"]
    assert name.startswith("diagnostics-CP1-20260101T")
    assert name.endswith(".tar.gz")
    assert [seen.frame[0] for seen in world.peer.seen if seen.is_from_charger][:2] == [3, 2]
    assert diagnostics(world) == ["Uploading"]
    assert diagnostics(world.run(10)) == ["Uploading", "Uploaded"]


def test_an_upload_that_fails_is_told() -> None:
    """conf; Uploading; UploadFailed (test case 045_2)."""
    world = box(upload_succeeds=False)
    world.ask("GetDiagnostics", location="ftp://files.example/", retries=0)
    assert diagnostics(world.run(10)) == ["Uploading", "UploadFailed"]


@pytest.mark.parametrize(
    "period",
    [
        {"startTime": "2030-01-01T00:00:00Z"},
        {"startTime": "2025-02-01T00:00:00Z", "stopTime": "2025-01-01T00:00:00Z"},
    ],
)
def test_without_anything_to_send_there_is_no_name(period: dict[str, str]) -> None:
    """If no diagnostics file is available, then GetDiagnostics.conf SHALL NOT contain a file name (5.9)."""
    world = box()
    assert world.ask("GetDiagnostics", location="ftp://files.example/", **period) == {}
    assert diagnostics(world.run(10)) == []


def test_a_newer_request_for_diagnostics_cancels_the_older() -> None:
    world = box()
    for _ in range(2):
        world.ask("GetDiagnostics", location="ftp://files.example/")
    assert diagnostics(world.run(10)) == ["Uploading", "Uploading", "Uploaded"]


def test_an_upload_goes_on_after_a_power_cut() -> None:
    world = box()
    world.ask("GetDiagnostics", location="ftp://files.example/")
    assert diagnostics(world.cut_power().run(10)) == ["Uploading", "Uploaded"]


# --- triggers ---------------------------------------------------------------------------------------------------------


def test_idle_is_told_only_when_it_is_asked_for() -> None:
    """Status Idle SHALL only be used when triggered (7.24, 7.25; test case 054)."""
    world = box()
    trigger(world, "Firmware")
    trigger(world, "Diagnostics")
    assert (firmware(world), diagnostics(world)) == (["Idle"], ["Idle"])
    assert "Idle" not in firmware(update(world.forget()).run(100))


@pytest.mark.parametrize(("after_s", "status"), [(5, "Downloading"), (20, "Installing"), (100, "Idle")])
def test_a_trigger_tells_what_goes_on(after_s: float, status: str) -> None:
    """the Charge Point sends the current status (5.17)."""
    world = update(box()).run(after_s).forget()
    trigger(world, "Firmware")
    assert firmware(world) == [status]


def test_a_trigger_tells_of_an_upload() -> None:
    world = box()
    world.ask("GetDiagnostics", location="ftp://files.example/")
    trigger(world.forget(), "Diagnostics")
    assert diagnostics(world) == ["Uploading"]


@pytest.mark.parametrize(
    ("url", "version"),
    [
        (URL, "2.1.0"),
        ("https://u:p@10.0.0.1/fw.bin", None),
        ("http://h/v1.2-rc1/wall_3.4.5-beta.img?x=9.9", "3.4.5-beta"),
    ],
)
def test_the_name_of_the_file_tells_the_version(url: str, version: str | None) -> None:
    assert version_in(url) == version
