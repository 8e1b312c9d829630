"""What a file holds, read once and known again."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from tightship.errors import Cancelled, UnsupportedMedia
from tightship.pool.content import Content


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file."""
    path = tmp_path / "in.mp3"
    path.write_bytes(b"a sound")
    return path


def test_a_file_is_read_under_the_limit_only(source: Path) -> None:
    """What is too long is refused later, and not read for that."""
    content = Content.of(source, 7)

    assert content is not None
    assert content.digest.startswith("8bd4") or len(content.digest) == 64
    assert content.digest == hashlib.sha256(b"a sound").hexdigest()
    assert content.is_current()
    assert Content.of(source, 6) is None


def test_a_file_that_changed_is_not_current(source: Path) -> None:
    """In any way, or gone."""
    content = Content.of(source, 100)
    assert content is not None
    source.write_bytes(b"another")
    assert not content.is_current()
    source.unlink()
    assert not content.is_current()


def test_a_file_that_grows_is_read_no_further_than_it_was(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes as fast as it is read keeps nobody reading."""
    read, rounds = os.read, iter(range(100))

    def read_and_grow(fd: int, size_bytes: int) -> bytes:
        if next(rounds, None) is not None:
            with source.open("ab") as file:
                file.write(b"more")
        return read(fd, size_bytes)

    monkeypatch.setattr(os, "read", read_and_grow)

    content = Content.of(source, 100)

    assert content is not None
    assert content.digest == hashlib.sha256(b"a sound").hexdigest()
    assert not content.is_current()


def test_a_file_that_tells_no_size_is_read_all_the_same() -> None:
    """Or all such files would be taken for one."""
    path = Path("/proc/version")
    assert path.stat().st_size == 0

    content = Content.of(path, 10_000)

    assert content is not None
    assert content.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_reading_has_a_deadline(source: Path) -> None:
    """What takes longer than its use is worth is given up; the file is as good as before."""
    assert Content.of(source, 100, limit_s=0.0) is None
    assert Content.of(source, 100, limit_s=60.0) is not None


def test_reading_can_be_cancelled(source: Path, tmp_path: Path) -> None:
    """Between two blocks; and a pipe is not waited for."""
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        Content.of(source, 100, cancel)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnsupportedMedia):
        Content.of(tmp_path / "pipe", 100)
