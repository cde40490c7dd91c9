"""Records as rows of the store: body as JSON text, and the checksum that tells whether a row is as it was written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from zlib import crc32

from chargepoint.model.outbox import Save

COPY_MASK = 0xFFFFFFFF
"""What the checksum of a second copy differs by (xor), so that a salvage tells it from its record."""

Row = tuple[str, str, str, str, int]
"""Charger, kind, key, the encoded body, and the checksum of all four."""
Place = tuple[str, str, str]
"""Charger, kind, key."""
Parameters = tuple[str | bytes, str | bytes, str | bytes]
"""A place for SQL that casts each part to text: bytes where a part is no UTF-8."""
Bodies = dict[Place, Mapping[str, Any] | None]
"""None: the record is dropped."""

def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_decode = json.JSONDecoder(parse_constant=_refuse).decode


def checksum(charger: str, kind: str, key: str, body: str) -> int:
    """Return the CRC-32 of a record: of its place as well, so that a record under a wrong key is found too."""
    return crc32(f"{charger}\0{kind}\0{key}\0{body}".encode())


def last(rows: Iterable[tuple[str, Save]]) -> Bodies:
    """Return the last word on each record of a batch: the only one that a reader could ever see."""
    return {(charger, save.kind, save.key): save.body for charger, save in rows}


def instant(body: Mapping[str, Any] | None) -> float:
    """Return when a body was made, in s of UTC; 0.0 when it does not say."""
    at = None if body is None else body.get("at")
    return float(at) if isinstance(at, (int, float)) else 0.0


def encoded(bodies: Bodies) -> tuple[list[Row], list[Parameters], dict[str, str]]:
    """Return what to write, what to drop, and why for each charger that has a record no store could hold."""
    puts: list[Row] = []
    drops: list[Parameters] = []
    refused: dict[str, str] = {}
    for place, body in bodies.items():
        try:
            if body is None:
                drops.append(parameters(*place))
            else:
                text = _encode(body)
                puts.append((*place, text, checksum(*place, text)))
        except (TypeError, ValueError) as error:
            refused[place[0]] = f"a record of kind {place[1]} cannot be stored: {error}"
    return puts, drops, refused


def row(charger: str, save: Save) -> Row:
    """Return one record as a row. Raises ValueError and TypeError for what no store could hold."""
    text = _encode(save.body)
    return charger, save.kind, save.key, text, checksum(charger, save.kind, save.key, text)


def decoded(charger: str, kind: str, key: str, body: str, crc: int) -> tuple[dict[str, Any], str]:
    """Return the body of a record, or why it cannot be used."""
    try:
        if crc != checksum(charger, kind, key, body):
            return {}, "its checksum is wrong"
        value = _decode(body)
    except UnicodeError:
        return {}, "its checksum is wrong"  # bytes that are no UTF-8 were never written
    except (ValueError, RecursionError):
        return {}, "it is no JSON"
    return (value, "") if isinstance(value, dict) else ({}, "it is no JSON object")


def text(found: bytes) -> str:
    """Return bytes as text; those that are no UTF-8 become lone surrogates, which `parameters` turns back."""
    return found.decode("utf-8", "surrogateescape")


def parameters(charger: str, kind: str, key: str) -> Parameters:
    """Return a place for SQL. Raises ValueError for surrogates that `text` has not made."""
    return _parameter(charger), _parameter(kind), _parameter(key)


def _parameter(part: str) -> str | bytes:
    return part if part.isascii() else part.encode("utf-8", "surrogateescape")
