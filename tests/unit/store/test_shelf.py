"""Files within a bound, the least recently used go first; nothing but those files is touched."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from tightship.store import shelf as module
from tightship.store.shelf import Shelf

BLOCK = 4096
MOST = 10 * BLOCK


def key(number: int) -> str:
    """Return a key."""
    return f"{number:064x}"


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Room for four files of one block."""
    return Shelf(tmp_path / "shelf", 4 * BLOCK)


def used_at(shelf: Shelf, number: int, second: int) -> None:
    """Say when a file was last used."""
    os.utime(shelf.folder / key(number), (second, second))


def names(shelf: Shelf) -> set[int]:
    """Return which files there are."""
    return {int(path.name, 16) for path in shelf.folder.iterdir()}


def test_a_file_is_read_as_it_was_written(shelf: Shelf) -> None:
    """Also after it was replaced; for its owner alone, and none is half written."""
    assert shelf.read(key(1), MOST) is None
    before_s = time.time()
    shelf.write(key(1), b"first")
    shelf.write(key(1), b"second")

    found = shelf.read(key(1), MOST)
    assert found is not None
    assert found.data == b"second"
    assert before_s - 1 < found.made_s < time.time() + 1
    assert shelf.size() == (1, BLOCK)
    assert (shelf.folder / key(1)).stat().st_mode & 0o777 == 0o600
    assert shelf.folder.stat().st_mode & 0o777 == 0o700
    assert names(shelf) == {1}


def test_the_least_recently_used_make_room(shelf: Shelf) -> None:
    """Reading counts as use, and so does `use`; as many go as are needed."""
    for number in (1, 2, 3, 4):
        shelf.write(key(number), b"x")
        used_at(shelf, number, number)
    shelf.read(key(1), MOST)
    shelf.use(key(3))

    assert shelf.write(key(5), b"x" * (BLOCK + 1)) == 2
    assert names(shelf) == {1, 3, 5}
    assert shelf.size() == (3, 4 * BLOCK)


def test_two_shelves_on_one_folder_agree_on_what_was_used(shelf: Shelf) -> None:
    """The order stands in the files, not in anybody's memory."""
    other = Shelf(shelf.folder, shelf.limit_bytes)
    for number in (1, 2, 3, 4):
        (shelf if number % 2 else other).write(key(number), b"x")
        used_at(shelf, number, number)
    other.read(key(1), MOST)
    shelf.write(key(5), b"x")
    used_at(shelf, 5, 5)
    other.write(key(6), b"x")

    assert names(shelf) == {1, 4, 5, 6}


def test_there_are_only_so_many_files(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """However short they are."""
    monkeypatch.setattr(module, "MOST_FILES", 2)
    for number in (1, 2, 3):
        shelf.write(key(number), b"x")
        used_at(shelf, number, number)

    assert names(shelf) == {2, 3}


def test_a_full_shelf_is_not_gone_through_for_each_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some more than one go at a time, so that the next ones need no look; the bound holds all the same."""
    monkeypatch.setattr(module, "MOST_FILES", 256)
    shelf = Shelf(tmp_path / "shelf", 256 * BLOCK)
    for number in range(300):
        shelf.write(key(number), b"x")
    looks = []
    held = shelf._all
    monkeypatch.setattr(shelf, "_all", lambda: looks.append(1) or held())
    for number in range(300, 400):
        shelf.write(key(number), b"x")
        assert len(names(shelf)) <= 256

    assert len(looks) <= 40
    assert min(names(shelf)) > 140


def test_what_a_killed_writer_left_goes(shelf: Shelf) -> None:
    """After ten minutes; that of one who writes right now stays, and both count."""
    shelf.write(key(1), b"x")
    left = shelf.folder / f"{key(2)}.{'a' * 16}.part"
    new = shelf.folder / f"{key(3)}.{'b' * 16}.part"
    for part in (left, new):
        part.write_bytes(b"half")
    os.utime(left, (time.time() - 3600,) * 2)
    assert shelf.size() == (3, 3 * BLOCK)

    shelf.write(key(4), b"x")

    assert {path.name for path in shelf.folder.iterdir()} == {key(1), new.name, key(4)}


def test_use_makes_no_file_younger(shelf: Shelf) -> None:
    """Files go by the time that they were put there, however often they were read since."""
    for number in (1, 2, 3):
        shelf.write(key(number), b"x")
        used_at(shelf, number, number)
    shelf.read(key(1), MOST)
    shelf.use(key(2))

    found = shelf.read(key(1), MOST)
    assert found is not None
    assert found.made_s == 1
    assert shelf.expire(before_s=2.5) == 2
    assert names(shelf) == {3}
    assert Shelf(shelf.folder / "nowhere", 1).expire(before_s=1.0) == 0


def test_files_of_others_are_left_alone(shelf: Shelf) -> None:
    """They neither count nor go."""
    shelf.folder.mkdir()
    (shelf.folder / "README").write_bytes(b"x" * 10 * BLOCK)
    (shelf.folder / key(9)).mkdir()
    shelf.write(key(1), b"x")

    assert shelf.size() == (1, BLOCK)
    assert shelf.clear() == 1
    assert {path.name for path in shelf.folder.iterdir()} == {"README", key(9)}


@pytest.mark.parametrize("kind", ["folder", "link", "pipe", "long"])
def test_what_is_no_file_of_ours_is_empty(shelf: Shelf, tmp_path: Path, kind: str) -> None:
    """It is not read, and nobody waits for it."""
    shelf.folder.mkdir()
    place, secret = shelf.folder / key(1), tmp_path / "secret"
    secret.write_text("secret")
    make = {
        "folder": place.mkdir,
        "link": lambda: place.symlink_to(secret),
        "pipe": lambda: os.mkfifo(place),
        "long": lambda: place.write_bytes(b"x" * (MOST + 1)),
    }
    make[kind]()

    found = shelf.read(key(1), MOST)
    assert found is not None
    assert found.data == b""


def test_the_rest_of_the_disk_is_left_to_others(tmp_path: Path) -> None:
    """What would take of it is refused like on a full disk."""
    shelf = Shelf(tmp_path / "shelf", BLOCK, reserve_bytes=2**62)

    with pytest.raises(OSError, match="left to others") as refused:
        shelf.write(key(1), b"x")
    assert refused.value.errno == errno.ENOSPC
    assert list(shelf.folder.iterdir()) == []


def test_a_write_that_fails_leaves_nothing(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what was there before stays."""
    shelf.write(key(1), b"before")

    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        shelf.write(key(1), b"after")

    found = shelf.read(key(1), MOST)
    assert found is not None
    assert found.data == b"before"
    assert names(shelf) == {1}
