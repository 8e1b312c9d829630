"""Find and change what an MP4 declares, byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Iterator

#: Atoms that hold other atoms.
_PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts"}


def atoms(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, offset of the payload and end of every atom, parents first."""
    at, end = start, len(data) if end is None else end
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8:
            return
        yield kind, at + 8, min(at + size, end)
        if kind in _PARENTS:
            yield from atoms(data, at + 8, min(at + size, end))
        at += size


def payload(data: bytes, kind: bytes, nth: int = 0) -> int:
    """Return the offset of the payload of the `nth` atom of a kind."""
    return [start for found, start, _ in atoms(data) if found == kind][nth]


def patched(data: bytes, kind: bytes, offset: int, value: int, width: int = 4, nth: int = 0) -> bytes:
    """Return the file with the number at `offset` in the payload of an atom replaced."""
    at = payload(data, kind, nth) + offset
    return data[:at] + value.to_bytes(width, "big") + data[at + width :]


def atom(kind: bytes, body: bytes = b"") -> bytes:
    """Return an atom."""
    return struct.pack(">I4s", 8 + len(body), kind) + body
