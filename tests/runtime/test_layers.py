"""Where a configuration comes from: each layer over the one below, every value with its place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from chargepoint.runtime import layers
from chargepoint.runtime.configuration import Configuration, ConfigurationError, settle
from chargepoint.runtime.layers import gather, places
from chargepoint.runtime.store import Durability
from hw.errors import InputFileError
from hw.node import Scalar


@dataclass
class House:
    """A machine with places for configuration files, and an environment."""

    root: Path
    environment: dict[str, str]

    def write(self, place: str, text: str) -> Path:
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def settle(self, named: Path | None = None, **flags: Scalar) -> Configuration:
        said = {name.replace("_", "-"): value for name, value in flags.items()}
        return settle(gather(named, said, self.environment))


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house of its own: the real /etc, home and environment stay out of it."""
    monkeypatch.setattr(layers, "SYSTEM_FILE", tmp_path / "etc/chargepoint/config.yaml")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return House(tmp_path, {"HOME": str(tmp_path / "home")})


ETC, OWN, HERE = "etc/chargepoint/config.yaml", "home/.config/chargepoint/config.yaml", "work/chargepoint.yaml"


def test_each_layer_goes_before_those_below(house: House) -> None:
    """Defaults < /etc < ~/.config < ./chargepoint.yaml < -c FILE < environment < flags."""
    seen = [house.settle().identity]
    named = house.write("elsewhere/box.yaml", "identity: NAMED\n")
    for place, identity in ((ETC, "ETC"), (OWN, "OWN"), (HERE, "HERE")):
        house.write(place, f"identity: {identity}\n")
        seen.append(house.settle().identity)
    seen.append(house.settle(named).identity)
    house.environment["CHARGEPOINT_ID"] = "ENVIRONMENT"
    seen.append(house.settle(named).identity)
    seen.append(house.settle(named, id="FLAG").identity)
    assert seen == ["CP001", "ETC", "OWN", "HERE", "NAMED", "ENVIRONMENT", "FLAG"]
    assert all(a != b for a, b in pairwise(seen))


def test_mappings_merge_deeply_and_lists_replace(house: House) -> None:
    """Merging is by key: what a layer does not say, the one below says; lists and single values replace."""
    house.write(
        ETC,
        "central_system: {url: ws://etc/ocpp, basic_user: depot, headers: {X-A: a, X-B: b}}\n"
        "keys: {HeartbeatInterval: 60, WebSocketPingInterval: 20}\n"
        "feature_profiles: [Core, Reservation]\n",
    )
    house.write(
        HERE,
        "central_system: {url: ws://here/ocpp, headers: {X-B: c}}\n"
        "keys: {HeartbeatInterval: 90}\nfeature_profiles: [Core]\n",
    )
    found = house.settle()
    assert found.central_system is not None
    assert found.central_system.url == "ws://here/ocpp"
    assert found.central_system.basic_user == "depot"
    assert dict(found.central_system.headers) == {"X-A": "a", "X-B": "c"}
    assert found.keys == {"HeartbeatInterval": "90", "WebSocketPingInterval": "20"}
    assert found.feature_profiles == ("Core",)


def test_every_key_of_the_environment_arrives_where_it_belongs(house: House, tmp_path: Path) -> None:
    """The names are stable: they stand in people's compose files."""
    (tmp_path / "key").write_text("geheim-geheim-16")
    (tmp_path / "ca.pem").write_text("")
    house.environment |= {
        "CHARGEPOINT_ID": "0815",
        "CHARGEPOINT_URL": "ws://h/ocpp",
        "CHARGEPOINT_PASSWORD_FILE": str(tmp_path / "key"),
        "CHARGEPOINT_CA_FILE": str(tmp_path / "ca.pem"),
        "CHARGEPOINT_BOARD": "ac22-sim-duo",
        "CHARGEPOINT_DATA": "state",
        "CHARGEPOINT_DURABILITY": "full",
        "CHARGEPOINT_SPEED": "60",
        "CHARGEPOINT_SEED": "7",
    }
    found = house.settle()
    address = found.central_system
    assert address is not None
    assert (address.target(), address.password) == ("ws://h/ocpp/0815", b"geheim-geheim-16")
    assert address.tls.ca_file == tmp_path / "ca.pem"
    assert (found.board, found.data, found.durability) == ("ac22-sim-duo", Path("state"), Durability.FULL)
    assert (found.speed, found.seed) == (60.0, 7)
    del house.environment["CHARGEPOINT_PASSWORD_FILE"]
    house.environment["CHARGEPOINT_PASSWORD"] = "12345678"
    address = house.settle().central_system
    assert address is not None
    assert address.password == b"12345678"


@pytest.mark.parametrize("key", ["password: lower-lower-lower", "password_hex: '3031'", "password_file: nowhere"])
def test_a_password_takes_the_place_of_one_said_in_another_way(house: House, key: str) -> None:
    """Else the password of a compose file could never go before the file of the image."""
    house.write(HERE, f"central_system: {{url: ws://h, {key}}}\n")
    house.environment["CHARGEPOINT_PASSWORD"] = "upper-upper-upper"
    found = house.settle().central_system
    assert found is not None
    assert found.password == b"upper-upper-upper"


def test_null_takes_back_what_a_lower_layer_says(house: House) -> None:
    house.write(ETC, "central_system: {url: wss://h, basic_user: depot}\nsimulation: {seed: 4}\n")
    house.write(HERE, "central_system: {basic_user: null}\nsimulation: {seed: null}\n")
    found = house.settle()
    assert found.central_system is not None
    assert (found.central_system.basic_user, found.seed) == (None, None)


def test_files_lie_beside_the_layer_that_names_them(house: House) -> None:
    """A relative path means the same wherever the command is started; from the environment it is the working directory."""
    house.write("etc/chargepoint/key", "of-etc-of-etc-16")
    house.write("work/key", "of-work-of-work-")
    house.write(ETC, "central_system: {url: ws://h, password_file: key}\ndata: state\n")
    found = house.settle()
    assert found.central_system is not None
    assert (found.central_system.password, found.data) == (b"of-etc-of-etc-16", house.root / "etc/chargepoint/state")
    house.environment |= {"CHARGEPOINT_PASSWORD_FILE": "key", "CHARGEPOINT_DATA": "state"}
    found = house.settle()
    assert found.central_system is not None
    assert (found.central_system.password, found.data) == (b"of-work-of-work-", Path("state"))


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"CHARGEPOINT_URL": "http://h"}, "CHARGEPOINT_URL: url: 'http://h' is no WebSocket URL"),
        ({"CHARGEPOINT_SPEED": "fast"}, "CHARGEPOINT_SPEED: clock.speed must be a number, got 'fast'"),
        ({"CHARGEPOINT_SPEED": "0"}, "CHARGEPOINT_SPEED: clock.speed must be 0.001..100000, got 0"),
        ({"CHARGEPOINT_SEED": "1.5"}, "CHARGEPOINT_SEED: simulation.seed must be a whole number, got 1.5"),
        ({"CHARGEPOINT_DURABILITY": "ful"}, "CHARGEPOINT_DURABILITY: unknown durability 'ful'; did you mean 'full'?"),
        ({"CHARGEPOINT_BOARD": "ac11-sin"}, "CHARGEPOINT_BOARD: no board 'ac11-sin'; did you mean 'ac11-sim'?"),
        (
            {"CHARGEPOINT_PASSWORD_FILE": "nowhere"},
            "CHARGEPOINT_PASSWORD_FILE: nowhere cannot be read: No such file or directory",
        ),
        (
            {"CHARGEPOINT_PASSWORD": "a", "CHARGEPOINT_PASSWORD_FILE": "b"},
            "central_system.password_file must be only one",
        ),
    ],
)
def test_a_wrong_value_of_the_environment_names_the_variable(
    house: House, variables: dict[str, str], said: str
) -> None:
    """An environment value that is wrong names the variable: it has no line to look at."""
    house.write(HERE, "identity: CP1\n")
    house.environment |= variables
    with pytest.raises(InputFileError) as caught:
        house.settle()
    assert said in str(caught.value)
    assert str(caught.value).startswith("CHARGEPOINT_")


@pytest.mark.parametrize(
    ("place", "text", "said"),
    [
        (ETC, "identity: E\n\nbord: x\n", ":3:1: unknown key 'bord' in the file; did you mean 'board'?"),
        (OWN, "central_system:\n  pasword: x\n", ":2:3: unknown key 'pasword' in central_system; did you mean"),
        (HERE, "keys: {HeartbeatInterval: often}\n", ":1:27: HeartbeatInterval: expected a whole number, got 'often'"),
        (HERE, "identity: [\n", ":1:11: the [ that begins here is not closed"),
    ],
)
def test_a_mistake_is_named_in_the_layer_it_stands_in(house: House, place: str, text: str, said: str) -> None:
    """Errors still name the right file, line and column, wherever the layers above and below put the rest."""
    for each in (ETC, OWN, HERE):
        house.write(each, "central_system: {url: ws://h}\ntiming: {boot_retry: 5s}\n")
    path = house.write(place, text)
    shown = path if place != HERE else "chargepoint.yaml"
    with pytest.raises(ConfigurationError) as caught:
        house.settle()
    assert str(caught.value).startswith(f"{shown}{said}")


@pytest.mark.parametrize(
    ("home", "found"),
    [
        ("xdg", "xdg/chargepoint/config.yaml"),
        ("", "home/.config/chargepoint/config.yaml"),
        (None, "home/.config/chargepoint/config.yaml"),
    ],
)
def test_own_file_is_where_the_desktop_wants_it(house: House, home: str | None, found: str) -> None:
    """XDG Base Directory, 0.8: XDG_CONFIG_HOME, $HOME/.config when it is not set or empty."""
    if home is not None:
        house.environment["XDG_CONFIG_HOME"] = str(house.root / home) if home else ""
    for each in ("xdg", "home/.config"):
        house.write(f"{each}/chargepoint/config.yaml", "identity: X\n")
    assert places(None, house.environment) == (house.root / found,)


def test_relative_xdg_directory_is_ignored(house: House) -> None:
    """XDG Base Directory, 0.8: all paths must be absolute; a relative one is invalid."""
    house.environment["XDG_CONFIG_HOME"] = "xdg"
    house.write("work/xdg/chargepoint/config.yaml", "identity: X\n")
    assert places(None, house.environment) == ()


def test_file_that_is_named_counts_once_and_must_be_there(house: House) -> None:
    """-c ./chargepoint.yaml is not two layers; a usual place may be empty, a named one not."""
    here = house.write(HERE, "identity: HERE\n")
    assert places(here, house.environment) == (here,)
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml: does not exist"):
        house.settle(Path("nowhere.yaml"))


def test_file_that_cannot_be_looked_at_is_an_error(house: House) -> None:
    """A charger must not start without what its owner has configured."""
    own = house.root / OWN
    own.parent.mkdir(parents=True)
    own.symlink_to(own)
    with pytest.raises(ConfigurationError, match=f"{re.escape(str(own))}: cannot be read"):
        house.settle()


def test_flag_that_nobody_gave_or_that_is_empty_says_nothing(house: House) -> None:
    house.write(HERE, "identity: HERE\n")
    house.environment["CHARGEPOINT_ID"] = ""
    assert house.settle(id="", url=None).identity == "HERE"
    assert house.settle().central_system is None
