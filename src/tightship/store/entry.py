"""A remembered result as one run of bytes, in which every changed bit shows."""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Grows when an entry is written differently. It is part of every key, so that an older entry is never even found.
SCHEMA = 1
_MAGIC = b"tightship result %d\n" % SCHEMA
#: Lengths of the document and of the file.
_LENGTHS = struct.Struct(">QQ")
_CHECKSUM_BYTES = hashlib.sha256().digest_size


@dataclass(frozen=True)
class Entry:
    """What came of a job.

    Args:
        result: As the job told it, but for where its file went.
        warnings: Where the result is less than what was asked for: `code` and `message` each.
        content: The file that was made; None where none was wanted.
    """

    result: Mapping[str, Any]
    warnings: tuple[Mapping[str, str], ...] = ()
    content: bytes | None = None


def encode(key: str, entry: Entry) -> bytes:
    """Return the entry as bytes; the last of them are the SHA-256 of all others.

    Raises:
        ValueError, TypeError: The result is no JSON.
    """
    told = {
        "key": key,
        "result": dict(entry.result),
        "warnings": [dict(warning) for warning in entry.warnings],
        "has_content": entry.content is not None,
    }
    document = json.dumps(told, separators=(",", ":"), allow_nan=False).encode()
    content = entry.content or b""
    data = b"".join((_MAGIC, _LENGTHS.pack(len(document), len(content)), document, content))
    return data + hashlib.sha256(data).digest()


def decode(key: str, data: bytes) -> Entry | None:
    """Return the entry that `encode` wrote under this key; None where not every bit of it is as it was written."""
    whole = memoryview(data)
    if not hmac.compare_digest(hashlib.sha256(whole[:-_CHECKSUM_BYTES]).digest(), data[-_CHECKSUM_BYTES:]):
        return None
    try:
        return _read(key, whole[:-_CHECKSUM_BYTES])
    except (struct.error, ValueError, KeyError, TypeError):
        return None


def _read(key: str, body: memoryview) -> Entry | None:
    """Return what a body with the right checksum tells; anybody can compute one, so nothing else is believed."""
    start = len(_MAGIC) + _LENGTHS.size
    document_bytes, content_bytes = _LENGTHS.unpack(body[len(_MAGIC) : start])
    if body[: len(_MAGIC)] != _MAGIC or start + document_bytes + content_bytes != len(body):
        return None
    told = json.loads(bytes(body[start : start + document_bytes]))
    if told["key"] != key or not isinstance(told["result"], dict):
        return None
    content = bytes(body[start + document_bytes :]) if told["has_content"] else None
    return Entry(told["result"], tuple(dict(warning) for warning in told["warnings"]), content)
