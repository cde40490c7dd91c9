"""An address is checked once, says what to do when it is wrong, and never shows its secrets."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from chargepoint.runtime.address import Address, AddressError, Tls

KEY = bytes.fromhex("0001020304050607FFFFFFFFFFFFFFFFFFFFFFFF")


def address(url: str = "ws://csms.example/ocpp", identity: str = "CP001", **knobs: Any) -> Address:
    return Address(url=url, identity=identity, **knobs)


@pytest.mark.parametrize(
    ("url", "identity", "knobs", "target"),
    [
        ("ws://host/ocpp", "CP001", {}, "ws://host/ocpp/CP001"),
        ("ws://host/ocpp/", "CP001", {}, "ws://host/ocpp/CP001"),
        ("ws://host/ocpp//", "CP001", {}, "ws://host/ocpp//CP001"),
        ("ws://host", "CP001", {}, "ws://host/CP001"),
        ("WSS://Host:8443/a", "CP001", {"append_identity": False}, "wss://Host:8443/a"),
        ("ws://host", "CP001", {"append_identity": False}, "ws://host"),
        ("ws://host", "CP001", {"append_identity": False, "trailing_slash": True}, "ws://host/"),
        ("ws://host/ocpp", "RDAM 123", {}, "ws://host/ocpp/RDAM%20123"),
        ("ws://host/ocpp", "a/b:c#d?e%f", {}, "ws://host/ocpp/a%2Fb%3Ac%23d%3Fe%25f"),
        ("ws://host/ocpp", "Az09-._~", {}, "ws://host/ocpp/Az09-._~"),
        ("ws://host/ocpp", "Säule", {}, "ws://host/ocpp/S%C3%A4ule"),
        ("ws://host/ocpp?tenant=7", "CP001", {}, "ws://host/ocpp/CP001?tenant=7"),
        ("ws://host/ocpp?tenant=7", "CP001", {"trailing_slash": True}, "ws://host/ocpp/CP001/?tenant=7"),
        ("ws://host/{id}/ws", "A B", {}, "ws://host/A%20B/ws"),
        ("ws://host/ws?id={id}&v=1", "A&B", {}, "ws://host/ws?id=A%26B&v=1"),
        ("ws://host/{id}", "{id}", {}, "ws://host/%7Bid%7D"),
        ("ws://[::1]:9000/x", "CP001", {}, "ws://[::1]:9000/x/CP001"),
        ("ws://büro.example/straße/a%20b", "RDAM 123", {}, "ws://xn--bro-hoa.example/stra%C3%9Fe/a%20b/RDAM%20123"),
    ],
)
def test_target_is_endpoint_and_encoded_identity(url: str, identity: str, knobs: dict[str, Any], target: str) -> None:
    """The URL is the endpoint, "/", and the identity "percent-encoded as necessary" (OCPP-J 1.6, 3.1.1)."""
    assert address(url, identity, **knobs).target() == target


def test_basic_header_is_the_one_of_the_standard() -> None:
    """AL1000 and key 0001020304050607FFFFFFFFFFFFFFFFFFFFFFFF: the example of OCPP-J 1.6, 6.2.2."""
    assert address(identity="AL1000", password=KEY).authorization() == "Basic QUwxMDAwOgABAgMEBQYH////////////////"


def test_basic_user_defaults_to_the_plain_identity() -> None:
    """The user name is the identity as it is, not as it stands in the URL (OCPP-J 1.6, 6.2.2)."""
    assert address(identity="RDAM 123", password=b"x").authorization() == "Basic UkRBTSAxMjM6eA=="
    assert address(password=b"x", basic_user="depot").user == "depot"
    assert address(basic_user="depot").user is None
    assert address().authorization() is None


@pytest.mark.parametrize(
    ("knobs", "field", "words"),
    [
        ({"url": "http://host/ocpp"}, "url", "write ws:// instead"),
        ({"url": "https://host/ocpp"}, "url", "write wss:// instead"),
        ({"url": "host/ocpp"}, "url", "must begin with ws:// or wss://"),
        ({"url": "ws:///ocpp"}, "url", "names no host"),
        ({"url": "ws://host:70000/"}, "url", "Port out of range"),
        ({"url": "ws://host:0/"}, "url", "port 0"),
        ({"url": "ws://[::1/"}, "url", "Invalid IPv6"),
        ({"url": "ws://host/a b"}, "url", "write a space as %20"),
        ({"url": "ws://host/a\n"}, "url", "control character"),
        ({"url": "ws://host/#a"}, "url", "write # as %23"),
        ({"url": "ws://{id}.example/"}, "url", "not in the host"),
        ({"url": "ws://host/{identity}"}, "url", "the only placeholder is {id}"),
        ({"url": "ws://ä" + "x" * 80 + "/"}, "url", "cannot be a domain name"),
        ({"url": "ws://user:hunter2@host/"}, "url", "set basic_user and password"),
        ({"identity": ""}, "identity", "is empty"),
        ({"identity": "\ud800"}, "identity", "UTF-8"),
        ({"identity": "a:b", "password": KEY}, "identity", "set basic_user"),
        ({"basic_user": "a:b", "password": KEY}, "basic_user", "without"),
        ({"subprotocols": ()}, "subprotocols", "ocpp1.6"),
        ({"subprotocols": ("ocpp 1.6",)}, "subprotocols", "ocpp1.6"),
        ({"headers": (("X Y", "1"),)}, "headers", "no header name"),
        ({"headers": (("X-Key", "1\r\nX-Other: 2"),)}, "headers", "line end"),
        ({"headers": (("Sec-WebSocket-Protocol", "x"),)}, "headers", "leave it out"),
        ({"headers": (("Authorization", "x"),), "password": KEY}, "headers", "leave one of them out"),
        ({"url": "wss://host/", "tls": Tls(ca_file=Path("missing.pem"))}, "ca_file", "cannot be read"),
        ({"url": "wss://host/", "tls": Tls(client_key=Path(__file__))}, "client_key", "set both or neither"),
        ({"url": "wss://host/", "tls": Tls(ca_file=Path(__file__))}, "ca_file", "no PEM certificate"),
    ],
)
def test_a_bad_address_says_what_to_do(knobs: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(AddressError, match=re.escape(words)) as caught:
        address(**knobs)
    assert caught.value.field == field
    assert "hunter2" not in str(caught.value)


def test_an_identity_with_a_colon_is_fine_without_basic() -> None:
    assert address(identity="a:b").target() == "ws://csms.example/ocpp/a%3Ab"
    assert address(identity="a:b", basic_user="ab", password=KEY).user == "ab"


def test_secrets_are_not_printed() -> None:
    text = repr(address(password=b"hunter2", headers=(("X-Api-Key", "hunter3"),)))
    assert "hunter" not in text


def test_equal_trust_is_one_context(tmp_path: Path) -> None:
    """A fleet of 5,000 shares one context, whatever name each expects of its server."""
    ca = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(ca)
    first = address("wss://a/", tls=Tls(ca_file=ca))
    other = address("wss://b/", "CP002", tls=Tls(ca_file=ca, server_name="c"))
    assert first.tls.context() is other.tls.context()
    assert first.tls.context() is not Tls(ca_file=ca, check_server_name=False).context()


def test_a_renewed_file_counts_from_the_next_dial_on(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    trust = Tls(ca_file=ca)
    trustme.CA().cert_pem.write_to_path(ca)
    before = trust.context()
    ca.write_bytes(trustme.CA().cert_pem.bytes() + trustme.CA().cert_pem.bytes())
    assert trust.context() is not before


def test_context_offers_what_the_white_paper_asks_for(tmp_path: Path) -> None:
    """TLS 1.2 or higher, and at least one of the two pairs of suites (security white paper, profiles 2 and 3)."""
    context = Tls().context()
    offered = {cipher["name"] for cipher in context.get_ciphers()}
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"} <= offered
    assert {"AES128-GCM-SHA256", "AES256-GCM-SHA384"} <= offered
    assert all("GCM" in name or "CHACHA20" in name for name in offered)


def test_a_key_with_a_passphrase_is_refused_without_asking(tmp_path: Path) -> None:
    """OpenSSL would ask on the terminal and stand still."""
    pair = trustme.CA().issue_cert("cp001.example")
    plain = serialization.load_pem_private_key(pair.private_key_pem.bytes(), password=None)
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    pair.cert_chain_pems[0].write_to_path(certificate)
    key.write_bytes(
        plain.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(AddressError, match="without a passphrase"):
        address("wss://host/", tls=Tls(client_certificate=certificate, client_key=key))


def test_a_certificate_with_another_key_is_refused(tmp_path: Path) -> None:
    ca = trustme.CA()
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    ca.issue_cert("a.example").cert_chain_pems[0].write_to_path(certificate)
    ca.issue_cert("b.example").private_key_pem.write_to_path(key)
    with pytest.raises(AddressError, match="PEM pair") as caught:
        address("wss://host/", tls=Tls(client_certificate=certificate, client_key=key))
    assert caught.value.field == "client_certificate"
