"""Reads the records of a damaged store straight from its pages, past everything that SQLite stumbles over.

A record carries the checksum of its place and body, so each one is judged by itself: neither the tree above it nor the
page around it has to be sound. The write-ahead log is read as SQLite would, but past a frame that has changed. Deleted
records do not come back: `Store` overwrites what it deletes.

Source: https://www.sqlite.org/fileformat2.html (sections 1.2-1.6, 2.1, 4); both tables are index b-trees (WITHOUT ROWID).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

MAGIC = b"SQLite format 3\0"
PAGE_BYTES = 2048
"""Of a new store. A commit writes whole pages into the log: with half of SQLite's 4096 an hour of charging writes half as
much, and most records still fit on a page."""
_COLUMNS = 5
_INTERIOR, _LEAF = 0x02, 0x0A
_LOG_HEADER, _FRAME_HEADER = 32, 24

Row = tuple[str, str, str, str]
"""Charger, kind, key, body."""
Checksum = Callable[[str, str, str, str], int]


class _Bad(Exception):
    """Bytes that are no cell."""


@dataclass(slots=True)
class Salvaged:
    """What was found. A row of ``records`` comes with its checksum, right or wrong; ``copies`` are right."""

    records: dict[tuple[str, str, str], tuple[str, int]] = field(default_factory=dict)
    copies: dict[tuple[str, str, str], str] = field(default_factory=dict)
    intact: int = 0
    """Records whose checksum is right."""
    lost_cells: int = 0
    """Places in pages at which a record stood that cannot be told any more."""


def salvage(path: Path, checksum: Checksum, copy_mask: int) -> Salvaged:
    """Return every record that can be read. ``copy_mask`` is what tells a copy's checksum from a record's (xor)."""
    data = path.read_bytes()
    log_file = path.with_name(f"{path.name}-wal")
    log = log_file.read_bytes() if log_file.exists() else b""
    size = _page_size(data)
    # Where the header does not say, the size that yields most is the right one: pages of another begin with no page.
    tries = [_salvage(data, log, each, checksum, copy_mask) for each in ((size,) if size else (PAGE_BYTES, 4096))]
    return max(tries, key=lambda found: found.intact + len(found.copies))


def _salvage(data: bytes, log: bytes, size: int, checksum: Checksum, copy_mask: int) -> Salvaged:
    pages, count = _logged(log, size)
    count = count or -(-len(data) // size)

    def page(number: int) -> bytes:
        found = pages.get(number)
        return data[(number - 1) * size : number * size] if found is None else found

    found = Salvaged()
    for number in range(2, count + 1):
        for row in _rows(page, number, size, found):
            _take(found, row, checksum, copy_mask)
    return found


def is_log_damaged(log: Path) -> bool:
    """Whether a frame of a write-ahead log has changed since it was written; SQLite would drop all commits behind it.

    A log that ends in the middle of a commit is not damaged: a power cut leaves it so, and nobody relies on that commit.
    """
    if not log.exists():
        return False
    frames = list(_frames(log.read_bytes()))
    bad = next((index for index, frame in enumerate(frames) if not frame.is_intact), None)
    return bad is not None and sum(frame.is_commit for frame in frames[bad:]) > 1


# --- pages ------------------------------------------------------------------------------------------------------------


def _page_size(data: bytes) -> int:
    """Return the size that the header names, 0 when it names none."""
    if data[: len(MAGIC)] == MAGIC:
        (size,) = struct.unpack_from(">H", data, 16)
        size = 65536 if size == 1 else size
        if 512 <= size <= 65536 and size & (size - 1) == 0:
            return int(size)
    return 0


def _rows(
    page: Callable[[int], bytes], number: int, size: int, found: Salvaged
) -> Iterator[tuple[bytes, bytes, bytes, bytes, int]]:
    data = page(number)
    if len(data) < size or data[0] not in (_INTERIOR, _LEAF):
        return
    head = 12 if data[0] == _INTERIOR else 8
    (cells,) = struct.unpack_from(">H", data, 3)
    if head + 2 * cells > size:
        return
    for start in struct.unpack_from(f">{cells}H", data, head):
        try:
            yield _row(_payload(page, data, start + (4 if data[0] == _INTERIOR else 0), size))
        except (_Bad, IndexError, struct.error):
            found.lost_cells += 1


def _payload(page: Callable[[int], bytes], data: bytes, start: int, size: int) -> bytes:
    length, start = _varint(data, start)
    most = (size - 12) * 64 // 255 - 23
    if length <= most:
        return data[start : start + length]
    least = (size - 12) * 32 // 255 - 23
    local = least + (length - least) % (size - 4)
    local = local if local <= most else least
    found = [data[start : start + local]]
    (following,) = struct.unpack_from(">I", data, start + local)
    left = length - local
    for _page in range(length // (size - 4) + 1):
        more = page(following) if following else b""
        if left <= 0 or len(more) < size:
            break
        (following,) = struct.unpack_from(">I", more)
        found.append(more[4 : 4 + left])
        left -= size - 4
    return b"".join(found)


def _row(payload: bytes) -> tuple[bytes, bytes, bytes, bytes, int]:
    """Return four texts and an integer (file format, section 2.1)."""
    head, position = _varint(payload, 0)
    types = []
    while position < head:
        kind, position = _varint(payload, position)
        types.append(kind)
    if len(types) != _COLUMNS or position != head:
        raise _Bad
    texts: list[bytes] = []
    for kind in types[:-1]:
        length = (kind - 13) // 2
        if kind < 13 or not kind & 1 or position + length > len(payload):
            raise _Bad
        texts.append(payload[position : position + length])
        position += length
    return texts[0], texts[1], texts[2], texts[3], _integer(payload, position, types[-1])


def _integer(payload: bytes, position: int, kind: int) -> int:
    if kind in (8, 9):
        return kind - 8
    width = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}.get(kind, 0)
    if not width or position + width != len(payload):
        raise _Bad
    return int.from_bytes(payload[position:], "big", signed=True)


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for _byte in range(8):
        byte = data[position]
        position += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, position
    return value << 8 | data[position], position + 1


def _take(found: Salvaged, row: tuple[bytes, bytes, bytes, bytes, int], checksum: Checksum, copy_mask: int) -> None:
    try:
        charger, kind, key, body = (part.decode() for part in row[:4])
    except UnicodeDecodeError:
        found.lost_cells += 1
        return
    place, expected = (charger, kind, key), checksum(charger, kind, key, body)
    if row[4] == expected ^ copy_mask:
        found.copies[place] = body
    elif row[4] == expected:
        found.intact += 1
        found.records[place] = body, row[4]
    else:
        found.records.setdefault(place, (body, row[4]))


# --- the write-ahead log ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Frame:
    number: int
    count: int
    """Pages of the database after the commit that this frame ends; 0: it ends none."""
    data: bytes
    is_intact: bool

    @property
    def is_commit(self) -> bool:
        return self.count > 0


def _frames(log: bytes) -> Iterator[_Frame]:
    """Yield the frames since the log was begun anew last, whatever has become of them."""
    if len(log) < _LOG_HEADER:
        return
    magic, _version, size, _sequence, salt_1, salt_2, *sums = struct.unpack_from(">8I", log)
    if magic & ~1 != 0x377F0682 or not 512 <= size <= 65536:
        return
    order = ">" if magic & 1 else "<"
    before = (sums[0], sums[1])
    for start in range(_LOG_HEADER, len(log) - size - _FRAME_HEADER + 1, size + _FRAME_HEADER):
        number, count, *salts, sum_1, sum_2 = struct.unpack_from(">6I", log, start)
        if (salts[0], salts[1]) != (salt_1, salt_2):
            return
        data = log[start + _FRAME_HEADER : start + _FRAME_HEADER + size]
        expected = _frame_checksum(log[start : start + 8] + data, before, order)
        # The next frame goes on from what is written here: so one that has changed spoils no other.
        before = (sum_1, sum_2)
        yield _Frame(number, count, data, expected == before)


def _frame_checksum(data: bytes, before: tuple[int, int], order: str) -> tuple[int, int]:
    one, two = before
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for first in words:
        one = one + first + two & 0xFFFFFFFF
        two = two + next(words) + one & 0xFFFFFFFF
    return one, two


def _logged(log: bytes, size: int) -> tuple[dict[int, bytes], int]:
    """Return the pages that committed frames hold, and how many pages the database has; 0: the log does not say."""
    pages: dict[int, bytes] = {}
    pending: dict[int, bytes] = {}
    count = 0
    for frame in _frames(log):
        if len(frame.data) != size:
            break
        pending[frame.number] = frame.data
        if frame.is_commit:
            pages |= pending
            pending, count = {}, frame.count
    return pages, count
