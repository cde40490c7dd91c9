"""Catalogue, sections FirmwareManagement and Diagnostics: TC_044 and TC_045, with real files from and to real servers."""

from __future__ import annotations

import json
import socket
import sys
import tarfile
from contextlib import closing
from pathlib import Path

import pytest
from ocpp.v16 import call

from chargepoint.runtime.porter import FilePlan
from tests.conformance.charge_point import ChargePointUnderTest
from tests.conformance.states import charging
from tests.conformance.tool import Tool, message, under_test
from tests.runtime.file_servers import LOCAL, ftp, web

USER = "box:s3%3Acret%40x@"
MAGIC = b"WALL"
INSTALLER = f"import pathlib, sys; sys.exit(not pathlib.Path(sys.argv[1]).read_bytes().startswith({MAGIC!r}))"
"""A program that takes an image for the right one by its first bytes."""


def files(tmp_path: Path) -> FilePlan:
    """Everything is real; the servers are on this machine."""
    return FilePlan(
        download_succeeds=None,
        upload_succeeds=None,
        install_succeeds=None,
        version="2.1.0",
        command=(sys.executable, "-c", INSTALLER),
        directory=tmp_path / "files",
        trust=LOCAL,
        failure_s=0.5,
    )


async def update(tool: Tool, location: str) -> None:
    await tool.call(call.UpdateFirmware(location=location, retrieve_date=tool.utc(), retries=0))
    await tool.expect(call.FirmwareStatusNotification, status="Downloading")


def identity_in(archive: Path) -> str:
    """Return whose diagnostics these are."""
    with tarfile.open(archive) as opened:
        member = opened.extractfile("charger.json")
        assert member is not None
        return str(json.load(member)["identity"])


async def is_in_use(tool: Tool, box: ChargePointUnderTest) -> None:
    """The charge point is Available and charges."""
    assert box.status() == "Available"
    await charging(tool, box)


@pytest.mark.parametrize("protocol", ["ftp", "http"])
async def test_TC_044_1(tmp_path: Path, protocol: str) -> None:
    image = MAGIC + bytes(range(256)) * 100
    (tmp_path / "wall-2.1.0.bin").write_bytes(image)
    with ftp(tmp_path) as ftp_port, web() as site:
        site.files["/wall-2.1.0.bin"] = image
        url = f"ftp://{USER}127.0.0.1:{ftp_port}/wall-2.1.0.bin" if protocol == "ftp" else site.url("/wall-2.1.0.bin")
        async with under_test(files=files(tmp_path)) as (tool, box):
            await update(tool, url)
            await tool.expect(call.FirmwareStatusNotification, status="Downloaded")
            await tool.expect(call.FirmwareStatusNotification, status="Installing")
            boot, available, _ = await tool.in_any_order(
                message(call.BootNotification),
                message(call.StatusNotification, connector_id=1, status="Available"),
                message(call.FirmwareStatusNotification, status="Installed"),
            )
            assert boot["firmware_version"] == "2.1.0"
            assert available.socket == boot.socket
            await is_in_use(tool, box)


@pytest.mark.parametrize("fault", ["no server", "no file"])
async def test_TC_044_2(tmp_path: Path, fault: str) -> None:
    with ftp(tmp_path) as served_port, closing(socket.socket()) as deaf:
        deaf.bind(("127.0.0.1", 0))
        port = served_port if fault == "no file" else deaf.getsockname()[1]
        async with under_test(files=files(tmp_path)) as (tool, box):
            await update(tool, f"ftp://{USER}127.0.0.1:{port}/download_fail.fwi")
            await tool.expect(call.FirmwareStatusNotification, status="DownloadFailed")
            await is_in_use(tool, box)
            assert len(tool.csms.all("BootNotification")) == 1


async def test_TC_044_3(tmp_path: Path) -> None:
    (tmp_path / "toaster-9.9.bin").write_bytes(b"TOAST")
    with ftp(tmp_path) as port:
        async with under_test(files=files(tmp_path)) as (tool, box):
            await update(tool, f"ftp://{USER}127.0.0.1:{port}/toaster-9.9.bin")
            await tool.expect(call.FirmwareStatusNotification, status="Downloaded")
            await tool.expect(call.FirmwareStatusNotification, status="Installing")
            await tool.in_any_order(
                message(call.FirmwareStatusNotification, status="InstallationFailed"),
                message(call.StatusNotification, connector_id=1, status="Available"),
                past=(call.BootNotification,),
            )
            await is_in_use(tool, box)


@pytest.mark.parametrize("protocol", ["ftp", "http"])
async def test_TC_045_1(tmp_path: Path, protocol: str) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    with ftp(tmp_path) as ftp_port, web() as site:
        url = f"ftp://{USER}127.0.0.1:{ftp_port}/logs/" if protocol == "ftp" else site.url("/logs/")
        async with under_test(files=files(tmp_path)) as (tool, box):
            answer = await tool.call(call.GetDiagnostics(location=url))
            await tool.expect(call.DiagnosticsStatusNotification, status="Uploading")
            await tool.expect(call.DiagnosticsStatusNotification, status="Uploaded")
            archive = logs / answer.file_name
            if protocol == "http":
                archive.write_bytes(site.taken[f"/logs/{answer.file_name}"])
            assert identity_in(archive) == "CP001"
            await is_in_use(tool, box)


async def test_TC_045_2(tmp_path: Path) -> None:
    with ftp(tmp_path) as port:
        async with under_test(files=files(tmp_path)) as (tool, box):
            url = f"ftp://{USER}127.0.0.1:{port}/files/failedLocation"
            await tool.call(call.GetDiagnostics(location=url, retries=0))
            await tool.expect(call.DiagnosticsStatusNotification, status="Uploading")
            await tool.expect(call.DiagnosticsStatusNotification, status="UploadFailed")
            await is_in_use(tool, box)
