"""`chargepoint config`: what is in force and why, what is wrong, what may stand there, and a file to begin with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import asyncssh
import pytest
import trustme
from click.testing import CliRunner, Result
from jsonschema import Draft7Validator

from chargepoint.cli import group, main
from chargepoint.cli.starting import SCHEMA_FILE, starting_file
from chargepoint.runtime.configuration import Configuration, read, settle
from chargepoint.runtime.layers import gather
from chargepoint.runtime.sections import File
from hw.binding import Declared, Help, bind, declared
from hw.document import parse
from hw.errors import InputFileError


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, ("config", *arguments), prog_name="chargepoint", catch_exceptions=False)


def ends(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run the command as `main` does; return its exit code, and what it printed on stdout and on stderr."""
    with pytest.raises(SystemExit) as exit_:
        main(("config", *arguments))
    printed = capsys.readouterr()
    assert isinstance(exit_.value.code, int)
    return exit_.value.code, printed.out, printed.err


@pytest.fixture
def box(tmp_path: Path) -> Path:
    return tmp_path / "box.yaml"


SECRET = "wallbox-0815-geheim"


# --- show -------------------------------------------------------------------------------------------------------------


def test_show_tells_where_each_value_comes_from(box: Path, system_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`config show --origin` says where each value came from: a place in a file, a variable, a flag, or the default."""
    system_file.parent.mkdir()
    system_file.write_text("central_system:\n  basic_user: depot\n  append_identity: false\n")
    box.write_text("central_system: {url: ws://h/ocpp}\nkeys: {HeartbeatInterval: 60}\ntiming: {boot_retry: 2 min}\n")
    monkeypatch.setenv("CHARGEPOINT_SEED", "7")
    shown = run("show", "--origin", "-c", str(box), "--id", "CP7").output
    origins = {}
    for line in shown.splitlines():
        text, _, origin = line.partition("  # ")
        origins[text.strip()] = origin
    assert origins["identity: CP7"] == "--id"
    assert origins["seed: 7"] == "CHARGEPOINT_SEED"
    assert origins["url: ws://h/ocpp"] == f"{box}:1:23"
    assert origins["basic_user: depot"] == f"{system_file}:2:15"
    assert origins["append_identity: false"] == f"{system_file}:3:20"
    assert origins["HeartbeatInterval: 60"] == f"{box}:2:27"
    assert origins["boot_retry: 120s"] == f"{box}:3:22"
    assert origins["board: ac11-sim"] == "default"
    assert origins[f"data: {box.parent / 'chargepoint-data'}"] == "default"
    assert origins["durability: full"] == "default"
    assert all(origins[each] for each in origins if ": " in each and not each.endswith("{}"))


def test_what_is_shown_can_be_kept_as_a_file(box: Path, tmp_path: Path) -> None:
    """Read again it means the same."""
    box.write_text(
        "identity: 'RDAM 1'\ncentral_system: {url: ws://h/ocpp, password_file: key, subprotocols: [a, b]}\n"
        "station: {serial_number: '0815', vendor: 'A, B'}\nkeys: {LocalPreAuthorize: true, Card: '0412', Empty: }\n"
        "timing: {reconnect_random: 500 ms, open_timeout: 100000.25}\n"
        "simulation: {seed: 7, register_kwh: 1.5}\nclock: {speed: 60}\n"
        "firmware: {command: [/bin/a, -b]}\ndata: state\ndurability: full\n"
    )
    (tmp_path / "key").write_text(SECRET)
    again = tmp_path / "again.yaml"
    for option in ((), ("--origin",)):
        again.write_text(run("show", "-c", str(box), *option).output)
        assert read(again) == read(box)


def test_defaults_that_are_shown_can_be_kept_as_a_file(box: Path) -> None:
    box.write_text(run("show").output)
    found = read(box)
    assert (found.plan().board, found.link) == (Configuration().plan().board, Configuration().link)
    assert (found.files, found.data) == (Configuration().files, box.parent / "chargepoint-data")


@pytest.mark.parametrize(
    "secret", ["password: wallbox-0815-geheim", "password_hex: 6765686569'm'", "headers: {K: geheim}"]
)
def test_secrets_are_not_shown(box: Path, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets are never echoed, wherever they come from; that there is one is told."""
    secret = secret.replace("'m'", "6d")
    box.write_text(f"central_system:\n  url: ws://h\n  {secret}\nkeys: {{VendorPassword: geheim, X: y}}\n")
    shown = run("show", "--origin", "-c", str(box)).output
    assert "geheim" not in shown
    assert "6765" not in shown
    assert "# VendorPassword: not shown" in shown
    key = "K" if "headers" in secret else secret.split(":")[0]
    assert re.search(rf"# {key}: not shown +# {re.escape(str(box))}:3:", shown)
    monkeypatch.setenv("CHARGEPOINT_PASSWORD", SECRET)
    shown = run("show", "--origin", "-c", str(box), "--password", "geheim-2").output
    assert "geheim" not in shown
    assert re.search(r"# password: not shown +# --password", shown)
    bind(parse(shown).mapping(), File)


MISTAKES = """\
identity: CP 1
station: {vendor: A vendor whose name is too long, modle: Wall}
central_system:
  url: http://csms.example/ocpp
  password_file: nowhere.password
keys:
  HeartbeatInterval: often
  MeterValueSampleInterval: [60]
  AuthorizationKey: "0001"
board: ac11-sin
timing: {boot_retry: 0s, open_timeout: soon}
files: {ca_file: nowhere.pem}
feature_profiles: [SmartCharging]
gone: 1
"""


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file(capsys: pytest.CaptureFixture[str], box: Path) -> None:
    """A wrong value, an unknown key, a file that is not there, a key that is refused: one run names them all."""
    box.write_text(MISTAKES)
    code, out, err = ends(capsys, "check", str(box))
    assert (code, out) == (2, "")
    told = [line.removeprefix(f"Error: {box}:").split(":")[0] for line in err.splitlines()]
    assert told == ["2", "2", "4", "5", "7", "8", "9", "10", "11", "11", "12", "13", "14"]


def test_a_section_that_is_no_mapping_is_reported_once(capsys: pytest.CaptureFixture[str], box: Path) -> None:
    """The rest is checked even where one section cannot be read, and each mistake is reported once."""
    box.write_text("keys: 5\nmqtt: []\nfiles: no\ntiming: {answer_timeout: 5s}\ncontrol: {host: 0.0.0.0}\n")
    code, _out, err = ends(capsys, "check", str(box))
    assert code == 2
    assert [line.removeprefix(f"Error: {box}:").split(":")[0] for line in err.splitlines()] == ["1", "2", "3", "5"]


def test_the_yaml_of_the_documentation_can_be_used(box: Path) -> None:
    """Each configuration file that README and docs show passes `config check` as it stands."""
    root = Path(__file__).parents[2]
    shown = [
        block
        for page in (root / "README.md", *sorted((root / "docs").glob("*.md")))
        for block in re.findall(r"^```yaml\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    ]
    assert shown
    for block in shown:
        box.write_text(block)
        read(box)


def test_answers_to_data_transfer_are_shown_as_they_can_be_read_again(box: Path) -> None:
    """`config show` is a configuration file: a list of mappings too."""
    box.write_text("data_transfer:\n- {vendor: com.acme, message: Ping, data: '12'}\n- {vendor: v, status: Rejected}\n")
    told = run("show", "-c", str(box)).output
    assert 'data_transfer: [{vendor: com.acme, message: Ping, data: "12"}, {vendor: v, status: Rejected}]' in told
    assert bind(parse(told).mapping(), File).data_transfer == bind(parse(box.read_text()).mapping(), File).data_transfer


def test_what_cannot_be_used_is_not_shown(capsys: pytest.CaptureFixture[str], box: Path) -> None:
    box.write_text(f"central_system: {{url: ws://h, password_hex: {SECRET}}}\n")
    code, out, err = ends(capsys, "show", "-c", str(box))
    assert (code, out) == (2, "")
    assert f"{box}:1:45: central_system.password_hex must be an even number of hexadecimal digits" in err
    assert SECRET not in err


# --- check ------------------------------------------------------------------------------------------------------------


def test_check_accepts_what_is_sound(capsys: pytest.CaptureFixture[str], box: Path) -> None:
    """Exit code 0; custom keys are told, since a misspelt one looks like it."""
    box.write_text("identity: CP7\nkeys: {HeartbeetInterval: 60}\n")
    code, out, err = ends(capsys, "check", str(box))
    assert (code, out) == (0, f"{box}: ok\n")
    assert "HeartbeetInterval is not one of this charger's: kept as a custom key; did you mean Heart" in err


@pytest.mark.parametrize(("scheme", "is_told"), [("ws", True), ("wss", False)])
def test_check_tells_of_roots_that_nothing_is_held_against(
    capsys: pytest.CaptureFixture[str], box: Path, scheme: str, is_told: bool
) -> None:
    """Whoever names a ca_file believes that the line is encrypted."""
    trustme.CA().cert_pem.write_to_path(box.parent / "ca.pem")
    box.write_text(f"central_system: {{url: {scheme}://h/ocpp, ca_file: ca.pem}}\n")
    code, _out, err = ends(capsys, "check", str(box))
    assert (code, "ca.pem has no effect: ws://h/ocpp is not encrypted, wss:// would be" in err) == (0, is_told)


@pytest.mark.parametrize("arguments", [("{box}",), ("-c", "{box}")])
def test_check_names_a_mistake(capsys: pytest.CaptureFixture[str], box: Path, arguments: tuple[str, ...]) -> None:
    """file:line:column, did you mean, exit code 2."""
    box.write_text("identity: CP7\ntiming:\n  boot_rety: 60s\n")
    code, out, err = ends(capsys, "check", *(each.format(box=box) for each in arguments))
    assert (code, out) == (2, "")
    assert f"{box}:3:3: unknown key 'boot_rety' in timing; did you mean 'boot_retry'?" in err


def test_check_of_one_file_leaves_the_others_alone(
    capsys: pytest.CaptureFixture[str], box: Path, system_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FILE by itself, whatever the machine says; without FILE, all that is in force."""
    system_file.parent.mkdir()
    system_file.write_text("identity: CP7\nbord: x\n")
    box.write_text("identity: CP8\n")
    assert ends(capsys, "check", str(box))[0] == 0
    code, _out, err = ends(capsys, "check")
    assert (code, f"{system_file}:2:1: unknown key 'bord'" in err) == (2, True)
    system_file.write_text("identity: CP7\n")
    assert ends(capsys, "check") == (0, f"{system_file}: ok\n", "")
    monkeypatch.setenv("CHARGEPOINT_URL", "http://h")
    code, _out, err = ends(capsys, "check")
    assert (code, "CHARGEPOINT_URL: url: 'http://h' is no WebSocket URL" in err) == (2, True)


@pytest.mark.parametrize(("variable", "value"), [("SPEED", "fast"), ("SEED", "1.5"), ("DURABILITY", "ful")])
def test_wrong_value_of_the_environment_names_the_variable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(f"CHARGEPOINT_{variable}", value)
    code, _out, err = ends(capsys, "check")
    assert (code, f"CHARGEPOINT_{variable}" in err) == (2, True)


# --- schema -----------------------------------------------------------------------------------------------------------


def schema() -> dict[str, Any]:
    found = json.loads(run("schema").output)
    assert isinstance(found, dict)
    Draft7Validator.check_schema(found)
    return found


def keys_of(properties: dict[str, Any], above: str = "") -> set[str]:
    found = set()
    for name, each in properties.items():
        found.add(f"{above}{name}")
        found |= keys_of(each.get("properties", {}), f"{above}{name}.")
    return found


def leaves(kind: type = File, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Declared, object]]:
    for field in fields(kind):
        what = declared(kind)[field.name]
        if what.section is not None:
            yield from leaves(what.section, (*above, field.name))
        else:
            yield (*above, field.name), what, field.default


def test_schema_has_every_key_that_the_reader_knows() -> None:
    """Asked for a key that is none, the reader lists what it reads; the schema has those, and no other."""
    listed = set()
    for section in ("", *(name for name, what in declared(File).items() if what.section is not None)):
        with pytest.raises(InputFileError) as caught:
            bind(parse(f"{section}: {{zzz: 1}}" if section else "zzz: 1").mapping(), File)
        valid = re.search(r"\(valid: (.*)\)", str(caught.value))
        assert valid is not None
        listed |= {f"{section}.{key}" if section else key for key in valid[1].split(", ")}
    assert keys_of(schema()["properties"]) == listed


PROBES = ["x", "real", "PUT", "full", "Core", "90s", "0a", "x" * 60, 0, 1, 30, -1, 0.5, 1000000.5, True, None, [], ["Core"],
          ["x"], [1], {}, {"a": "b"}, {"a": 1}, {"a": []}]  # fmt: skip


@pytest.mark.parametrize("path", [path for path, _what, _default in leaves()], ids=".".join)
def test_schema_and_reader_agree_on_every_key(path: tuple[str, ...]) -> None:
    """Types, choices, bounds and lengths: what the schema lets through the reader takes, and the other way round."""
    validator = Draft7Validator(schema())
    verdicts = set()
    for probe in PROBES:
        value: Any = probe
        for name in reversed(path):
            value = {name: value}
        try:
            bind(parse(json.dumps(value)).mapping(), File)
            reads = True
        except InputFileError:
            reads = False
        assert validator.is_valid(value) is reads, f"{value}: the reader says {reads}"
        verdicts.add(reads)
    assert verdicts == {True, False}


OTHERS = {
    "identity": "OTHER",
    "board": "ac22-sim-duo",
    "feature_profiles": "[Core]",
    "subprotocols": "[a]",
    "http_method": "POST",
    "append_identity": "false",
    "trailing_slash": "true",
    "require_subprotocol": "false",
    "token_file": "control.token, port: 8080",
    "names": "[wallbox.local], port: 8080",
    "start_link": '"https://pay.example/{id}", port: 8080',
    "port": "1234",
    "prefix": "other",
    "discovery_prefix": "other",
}


def other_than(default: object, what: Declared, name: str) -> str:
    """Return a value of a key, as it is written, that is not its default."""
    note = what.note(Help)
    if name in OTHERS or (note is not None and note.example):
        return OTHERS.get(name) or (note.example if note else "")
    if isinstance(default, bool):
        return str(not default).lower()
    if isinstance(default, int | float):
        return f"{default + 1:g}"
    assert what.words is not None, name
    assert "ok" in what.words, name
    return "ok"


@pytest.mark.parametrize(("path", "what", "default"), [pytest.param(*each, id=".".join(each[0])) for each in leaves()])
def test_every_key_changes_the_charger(box: Path, path: tuple[str, ...], what: Declared, default: object) -> None:
    """A key that could be written without any effect would be a lie of the schema."""
    (box.parent / "cp001.password").write_text(SECRET)
    (box.parent / "control.token").write_text("0123456789abcdef")
    (box.parent / "hosts").write_text("")
    (box.parent / "mqtt.password").write_text(SECRET)
    trustme.CA().cert_pem.write_to_path(box.parent / "mqtt-ca.pem")
    trustme.CA().cert_pem.write_to_path(box.parent / "files-ca.pem")
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(box.parent / "id_ed25519")
    Path("chargepoint.yaml").write_text("central_system: {url: ws://h, password: x}\nmqtt: {host: h, user: u}\n")
    value = other_than(default, what, path[-1])
    box.write_text(f"{path[0]}: {{{path[1]}: {value}}}\n" if len(path) > 1 else f"{path[0]}: {value}\n")
    assert settle(gather(box)) != settle(gather())


def test_every_key_has_help_and_a_default_or_an_example() -> None:
    for path, what, default in leaves():
        note = what.note(Help)
        assert note is not None, path
        assert note.text.endswith(".")
        assert note.example or default not in (None, MISSING), path


# --- init -------------------------------------------------------------------------------------------------------------


def test_init_writes_a_sound_file_with_its_schema_beside_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Generated files carry the editor's schema line, and the schema it names is there."""
    path = tmp_path / "cp.yaml"
    code, out, _err = ends(capsys, "init", str(path))
    assert (code, out.startswith(f"{path} written")) == (0, True)
    first = path.read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema={SCHEMA_FILE}"
    assert json.loads((path.parent / SCHEMA_FILE).read_text()) == schema()
    assert ends(capsys, "check", str(path)) == (0, f"{path}: ok\n", "")
    central = read(path).central_system
    assert central is not None
    assert central.target() == "ws://localhost:9000/ocpp/CP001"


def test_init_begins_here_if_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(capsys, "init")[0] == 0
    assert Path("chargepoint.yaml").exists()
    assert ends(capsys, "check")[1] == "chargepoint.yaml: ok\n"


@pytest.mark.parametrize("name", ["cp.yaml", SCHEMA_FILE])
def test_init_overwrites_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    code, _out, err = ends(capsys, "init", str(tmp_path / "cp.yaml"))
    assert (tmp_path / name).read_text() == "mine"
    if name == "cp.yaml":
        assert (code, "is there already; nothing was written" in err) == (2, True)
        assert [each.name for each in tmp_path.iterdir()] == ["cp.yaml"]


def test_init_makes_no_directory(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A path with a slip in it would be a file that nobody finds again."""
    code, _out, err = ends(capsys, "init", str(tmp_path / "new" / "cp.yaml"))
    assert code == 2
    assert f"there is no directory {tmp_path / 'new'}; make it first" in err
    assert list(tmp_path.iterdir()) == []


def test_init_into_a_file_is_a_line_not_a_traceback(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _out, err = ends(capsys, "init", str(tmp_path / "file" / "cp.yaml"))
    assert (code, "Traceback" in err) == (2, False)


def test_starting_file_holds_every_key_and_each_can_be_taken_as_it_is() -> None:
    """With the comment signs taken away all that stands there is read, and by the schema too."""
    lines = [re.sub(r"^( *)# (\w+:)", r"\1\2", line) for line in starting_file().splitlines()]
    text = "\n".join(line for line in lines if not re.match(r" *password(_hex)?:", line))
    bind(parse(text).mapping(), File)
    found, above = set(), ""
    for name in re.findall(r"^( *\w+):", "\n".join(lines), re.MULTILINE):
        if not name.startswith(" "):
            above = name
        found.add(name if not name.startswith(" ") else f"{above}.{name.strip()}")
    assert found == keys_of(schema()["properties"])
