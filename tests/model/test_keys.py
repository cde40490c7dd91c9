"""Configuration keys: declared once, typed, found whatever the case (OCPP 1.6 section 9)."""

from __future__ import annotations

import pytest
from ocpp.v16.enums import ConfigurationStatus as Status

from chargepoint.model.keys import Access, Entry, KeyFamily, Keyring, Settings, boolean, integer, items, text

FLAG = boolean("StopIt", True, source="test")
COUNT = integer("HowMany", 5, minimum=1, maximum=10, source="test")
WORD = text("Word", "x", source="test")
LIST = items("Colours", ("red",), check=lambda c: c in ("red", "blue", "green"), expected="a colour", maximum=2, source="t")
FIXED = integer("Fixed", 3, access=Access.READ_ONLY, source="test")
SECRET = text("Secret", "hush", access=Access.WRITE_ONLY, source="test")
FAMILY = KeyFamily("Greeting", COUNT.parse, COUNT.write, "integer", "test", "one for each language")
FOREIGN = integer("Foreign", 1, source="test")
ALL = (FLAG, COUNT, WORD, LIST, FIXED, SECRET)


@pytest.fixture
def settings() -> Settings:
    return Settings(Keyring(ALL))


def test_a_key_has_its_default_until_it_is_changed(settings: Settings) -> None:
    """Values travel as text; what the text means is the key's business."""
    assert settings.get(COUNT) == 5
    assert settings.change("HowMany", " 7 ") == (Status.accepted, "HowMany", "")
    assert settings.get(COUNT) == 7
    assert settings.text("HowMany") == "7"


@pytest.mark.parametrize("name", ["HowMany", "howmany", "HOWMANY"])
def test_names_are_found_whatever_their_case(settings: Settings, name: str) -> None:
    """Keys are CiString50Type; the canonical spelling is told."""
    assert settings.change(name, "8")[1] == "HowMany"
    assert settings.entry(name) == Entry("HowMany", readonly=False, value="8")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HowMany", "0"), ("HowMany", "11"), ("HowMany", "5.0"), ("HowMany", "five"), ("HowMany", ""), ("HowMany", "٥"),
        ("HowMany", "--5"), ("HowMany", "-5"), ("HowMany", "1_0"), ("HowMany", "0x5"), ("StopIt", "1"), ("StopIt", "yes"),
        ("StopIt", ""), ("Colours", "red,pink"), ("Colours", "red,red"), ("Colours", "red,blue,green"), ("Colours", ","),
        ("Fixed", "4"),
    ],
)  # fmt: skip
def test_what_a_key_does_not_take_is_rejected_and_changes_nothing(settings: Settings, name: str, value: str) -> None:
    """1.3 row 21: "value unparsable or out of range → Rejected"; read-only keys too; "whole key unchanged"."""
    before = settings.text(name)
    status, _, reason = settings.change(name, value)
    assert status is Status.rejected
    assert reason
    assert settings.text(name) == before


def test_an_unknown_key_is_not_supported(settings: Settings) -> None:
    """1.3 row 21: "key unknown → NotSupported"."""
    assert settings.change("Nonsense", "1")[0] is Status.not_supported
    assert settings.text("Nonsense") is None
    assert settings.entry("Nonsense") is None


@pytest.mark.parametrize(("value", "meaning"), [("true", True), ("FALSE", False), (" True ", True)])
def test_a_flag_is_true_or_false_in_any_case(settings: Settings, value: str, meaning: bool) -> None:
    """Booleans are told in lower case."""
    assert settings.change("StopIt", value)[0] is Status.accepted
    assert settings.get(FLAG) is meaning
    assert settings.text("StopIt") == str(meaning).lower()


@pytest.mark.parametrize(("value", "meaning"), [("", ()), ("blue", ("blue",)), (" blue , red ", ("blue", "red"))])
def test_a_list_keeps_its_order_and_may_be_empty(settings: Settings, value: str, meaning: tuple[str, ...]) -> None:
    """Comma-separated lists; blanks do not matter."""
    assert settings.change("Colours", value)[0] is Status.accepted
    assert settings.get(LIST) == meaning


def test_a_secret_is_never_told(settings: Settings) -> None:
    """Write-only values (AuthorizationKey) do not appear in GetConfiguration."""
    assert settings.change("Secret", "new")[0] is Status.accepted
    assert settings.get(SECRET) == "new"
    assert settings.entry("Secret") == Entry("Secret", readonly=False, value=None)
    assert "Secret" not in [entry.key for entry in settings.entries()]


def test_every_key_that_may_be_read_is_listed_in_order(settings: Settings) -> None:
    """GetConfiguration without keys: all readable ones."""
    settings.configure("Vendor.Extra", "1")
    names = [entry.key for entry in settings.entries()]
    assert names == ["StopIt", "HowMany", "Word", "Colours", "Fixed", "Vendor.Extra"]
    assert settings.entry("Fixed") == Entry("Fixed", readonly=True, value="3")


def test_a_configuration_file_may_set_what_a_central_system_may_not(settings: Settings) -> None:
    """Set a key from a configuration file, read-only ones too; a bad value is refused there as well."""
    settings.configure("Fixed", "9")
    assert settings.get(FIXED) == 9
    with pytest.raises(ValueError, match="whole number"):
        settings.configure("HowMany", "many")


def test_a_custom_key_can_be_read_and_changed(settings: Settings) -> None:
    """An unknown name in the configuration becomes a custom key."""
    settings.configure("Vendor.Extra", "1")
    assert settings.change("vendor.extra", "2") == (Status.accepted, "Vendor.Extra", "")
    assert settings.entry("VENDOR.EXTRA") == Entry("Vendor.Extra", readonly=False, value="2")


ABSENT = {"AuthorizationKey": "belongs to security", "MeterPublicKey[]": "belongs to signing"}


@pytest.mark.parametrize("name", ["AuthorizationKey", "authorizationkey", "MeterPublicKey1", "meterpublickey12"])
def test_a_key_with_a_meaning_that_is_not_honoured_is_no_custom_key(name: str) -> None:
    """If the key does not correspond to a configuration setting supported by Charge Point: NotSupported (5.3)."""
    settings = Settings(Keyring(ALL, absent=ABSENT))
    with pytest.raises(ValueError, match=f"{name} belongs to s"):
        settings.configure(name, "1")
    assert settings.entry(name) is None
    assert settings.entries() == Settings(Keyring(ALL)).entries()
    status, _, reason = settings.change(name, "1")
    assert (status, reason.startswith(f"{name} belongs to s")) == (Status.not_supported, True)
    settings.configure("MeterPublic1", "a name that only looks like one")


def test_a_custom_key_is_one_whatever_its_case(settings: Settings) -> None:
    """Keys are CiString50Type (6.7, 6.23): two spellings name one key."""
    settings.configure("Vendor.Extra", "1")
    settings.configure("vendor.EXTRA", "2")
    assert settings.entries()[-1] == Entry("Vendor.Extra", readonly=False, value="2")
    assert len(settings.entries()) == len(ALL)


def test_a_key_that_is_not_in_use_is_not_there(settings: Settings) -> None:
    """Keys are "honoured or truthfully absent"."""
    assert not settings.has(FOREIGN)
    with pytest.raises(KeyError, match="Foreign"):
        settings.get(FOREIGN)


def test_a_board_may_fix_default_and_access() -> None:
    """``fixed`` gives keys another default, and access, for this kind."""
    settings = Settings(Keyring(ALL, {"HowMany": (2, Access.READ_ONLY)}))
    assert settings.get(COUNT) == 2
    assert settings.change("HowMany", "3")[0] is Status.rejected


def test_two_keys_of_one_name_are_a_mistake() -> None:
    """Raises ValueError when two declarations share a name, in whatever case."""
    with pytest.raises(ValueError, match="twice"):
        Keyring((COUNT, integer("HOWMANY", 1, source="test")))


def test_settings_of_two_chargers_are_their_own() -> None:
    """A keyring is shared by every charger of a kind."""
    keyring = Keyring(ALL)
    one, other = Settings(keyring), Settings(keyring)
    one.change("HowMany", "9")
    assert (one.get(COUNT), other.get(COUNT)) == (9, 5)


@pytest.fixture
def greetings() -> Settings:
    return Settings(Keyring(ALL, families=(FAMILY,)))


@pytest.mark.parametrize("name", ["Greeting,de", "greeting, DE "])
def test_one_of_a_family_exists_once_it_has_a_value(greetings: Settings, name: str) -> None:
    """Keys of one kind, one for each variant; unknown until they are set, and listed from then on."""
    assert greetings.entry(name) is None
    assert greetings.text(name) is None
    assert greetings.change(name, "7") == (Status.accepted, "Greeting,de", "")
    assert greetings.entry("GREETING,de") == Entry("Greeting,de", readonly=False, value="7")
    assert [entry.key for entry in greetings.entries()][-1] == "Greeting,de"
    assert greetings.members(FAMILY) == {"de": 7}


@pytest.mark.parametrize(("name", "value"), [("Greeting", "7"), ("Greeting,", "7"), ("Greeting,de", "11")])
def test_a_family_refuses_what_has_no_variant_or_no_value(greetings: Settings, name: str, value: str) -> None:
    """Rejected, not unknown: the family is there."""
    assert greetings.change(name, value)[0] == Status.rejected
    assert (greetings.entry(name), greetings.members(FAMILY)) == (None, {})


def test_a_value_can_be_taken_back(settings: Settings) -> None:
    """The default is in force again."""
    settings.set(COUNT, 7)
    settings.unset(COUNT)
    settings.unset(COUNT)
    assert settings.get(COUNT) == 5
