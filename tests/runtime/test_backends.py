"""Central systems known by name: the file is sound, and a preset fills in only what is not given."""

from __future__ import annotations

from pathlib import Path

import pytest

from chargepoint.runtime.address import Address
from chargepoint.runtime.backends import BACKENDS, Backend, Password, UnknownBackendError, find
from chargepoint.runtime.configuration import ConfigurationError, read
from tests.wire.independent import Csms, wallbox


def preset(url: str) -> Backend:
    return Backend(name="x", title="X", url=url, source="-")


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=lambda backend: backend.name)
def test_every_preset_can_be_dialled_and_names_its_source(backend: Backend) -> None:
    """Each with its public source; whether it was tried is told."""
    address = Address(url=backend.url_for(None), identity="CP 1", append_identity=backend.append_identity)
    assert address.target().endswith("/CP%201")
    assert backend.source.startswith("https://") or backend.name == "chargepoint"
    assert backend.title
    assert isinstance(backend.password, Password)
    assert all(note.endswith(".") for note in backend.notes)


def test_preset_that_says_it_was_tried_was_tried() -> None:
    """The others say nothing; see tests/cli/test_doctor.py and tests/wire."""
    assert [each.name for each in BACKENDS.values() if each.tried] == ["chargepoint", "mobilityhouse-ocpp"]


@pytest.mark.parametrize(
    ("given", "dialled"),
    [
        (None, "ws://localhost:8180/steve/x/{id}"),
        ("ws://box", "ws://box:8180/steve/x/{id}"),
        ("ws://box/", "ws://box:8180/steve/x/{id}"),
        ("ws://box:80", "ws://box:80/steve/x/{id}"),
        ("wss://box", "wss://box/steve/x/{id}"),
        ("ws://[::1]", "ws://[::1]:8180/steve/x/{id}"),
        ("ws://[::1]:99", "ws://[::1]:99/steve/x/{id}"),
        ("ws://box/other", "ws://box:8180/other"),
        ("http://box", "http://box"),
        ("box:80", "box:80"),
        ("ws://[::1", "ws://[::1"),
        ("ws://b ox", "ws://b ox"),
        ("ws://box/?id={id}", "ws://box:8180/?id={id}"),
    ],
)
def test_what_is_given_counts_and_the_rest_is_filled_in(given: str | None, dialled: str) -> None:
    """The preset's port is not taken over to another scheme: a TLS port is never the plain one."""
    assert preset("ws://localhost:8180/steve/x/{id}").url_for(given) == dialled


def test_preset_without_a_port_adds_none() -> None:
    assert preset("ws://localhost/{id}").url_for("ws://box") == "ws://box/{id}"


def test_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownBackendError, match="no back end 'stev'; did you mean 'steve'"):
        find("stev")


def test_file_names_a_back_end(tmp_path: Path) -> None:
    """`central_system: {backend: NAME}`: what the file says itself counts."""
    path = tmp_path / "cp.yaml"
    path.write_text("identity: A1\ncentral_system: {backend: steve, url: ws://depot, trailing_slash: true}\n")
    address = read(path).central_system
    assert address is not None
    assert address.target() == "ws://depot:8180/steve/websocket/CentralSystemService/A1/"


def test_file_without_url_dials_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "cp.yaml"
    path.write_text("central_system: {backend: evcc}\n")
    address = read(path).central_system
    assert address is not None
    assert address.target() == "ws://localhost:8887/CP001"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("central_system: {backend: stev}\n", "1:27: unknown central_system.backend 'stev'; did you mean 'steve'?"),
        ("central_system: {backend: evcc, url: 'http://x'}\n", "1:38: url: 'http://x' is no WebSocket URL"),
    ],
)
def test_mistakes_in_the_file_are_placed(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "cp.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read(path)
    assert said in str(caught.value)


async def test_class_of_the_package_ocpp_is_dialled_by_its_preset() -> None:
    """The identity alone is the path, as in the package's example."""
    async with Csms() as csms:
        url = find("mobilityhouse-ocpp").url_for(f"ws://127.0.0.1:{csms.port}")
        async with wallbox(url):
            await csms.accepted()
        request = csms.dialogue.connection.request
        assert request is not None
        assert request.path == "/CP001"
