"""Whatever happens to the bytes of an entry, it is read as it was written or not at all."""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightship.store import entry as module
from tightship.store.entry import Entry, decode, encode

KEY = hashlib.sha256(b"a job").hexdigest()
ENTRY = Entry(
    {"text": "So it goes, größer", "segments": 3, "complete": True},
    ({"code": "input", "message": "it is short"},),
    b"1\n00:00:00,000 --> 00:00:01,000\nSo it goes\n\n",
)
BYTES = encode(KEY, ENTRY)


def forged(document: Any, content: bytes = b"", key: str = KEY) -> bytes:
    """Return bytes with a right checksum that `encode` did not write."""
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    body = module._MAGIC + struct.pack(">QQ", len(text), len(content)) + text + content
    return body + hashlib.sha256(body).digest()


@given(
    st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text()),
    st.lists(st.dictionaries(st.text(), st.text())),
    st.none() | st.binary(),
)
def test_an_entry_is_read_as_it_was_written(
    result: dict[str, Any], warnings: list[dict[str, str]], content: bytes | None
) -> None:
    """Empty files are files, and differ from none."""
    entry = Entry(result, tuple(warnings), content)

    assert decode(KEY, encode(KEY, entry)) == entry


@pytest.mark.parametrize("pattern", [0x01, 0x10, 0x80, 0xFF])
def test_every_changed_byte_shows(pattern: int) -> None:
    """At every place of the entry: head, lengths, document, file, checksum."""
    for place in range(len(BYTES)):
        changed = bytearray(BYTES)
        changed[place] ^= pattern
        assert decode(KEY, bytes(changed)) is None, place


def test_every_byte_set_to_zero_or_left_out_shows() -> None:
    """As a disk that lost a write, or a copy that slipped, would have it."""
    for place in range(len(BYTES)):
        if BYTES[place]:
            assert decode(KEY, BYTES[:place] + b"\0" + BYTES[place + 1 :]) is None, place
        assert decode(KEY, BYTES[:place] + BYTES[place + 1 :]) is None, place


def test_every_length_but_its_own_shows() -> None:
    """Cut off anywhere, gone on with anything, or begun with something else."""
    for length in range(len(BYTES)):
        assert decode(KEY, BYTES[:length]) is None, length
        assert decode(KEY, BYTES[:length].ljust(len(BYTES), b"\0")) is None, length
    for more in (b"\0", b"\xff", b"\n", BYTES, BYTES[-32:]):
        assert decode(KEY, BYTES + more) is None
        assert decode(KEY, more + BYTES) is None


def test_an_entry_under_another_name_is_none() -> None:
    """A file that was renamed or linked answers nobody's question."""
    assert decode(KEY[::-1], BYTES) is None


def test_another_schema_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole as it may be."""
    monkeypatch.setattr(module, "_MAGIC", b"tightship result 2\n")
    newer = encode(KEY, ENTRY)
    monkeypatch.undo()

    assert decode(KEY, newer) is None


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"no json",
        b"[]",
        b'"text"',
        {},
        {"key": KEY},
        {"key": KEY, "result": [], "warnings": [], "has_content": False},
        {"key": KEY, "result": {}, "warnings": 3, "has_content": False},
        {"key": KEY, "result": {}, "warnings": ["text"], "has_content": False},
        {"key": KEY, "result": {}, "warnings": []},
    ],
)
def test_nonsense_with_a_right_checksum_is_none(document: Any) -> None:
    """Anybody can compute one."""
    assert decode(KEY, forged(document)) is None


def test_lengths_that_do_not_add_up_are_none() -> None:
    """Also where the checksum covers them."""
    body = module._MAGIC + struct.pack(">QQ", 2, 2**63) + b"{}"

    assert decode(KEY, body + hashlib.sha256(body).digest()) is None
