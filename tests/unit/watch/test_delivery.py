"""Results at their places: whole, and over nothing of others."""

from __future__ import annotations

import errno
import hashlib
import os
from io import BytesIO
from pathlib import Path

import pytest

from tightship.errors import DiskFull, OutputUnwritable
from tightship.watch import delivery
from tightship.watch.delivery import NotOurs, deliver, digest_at, prepare

NEW, OLD = b"new result", b"old result"


def sha(content: bytes) -> str:
    """Return the digest of some content."""
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(params=["nameless", "named", "no links"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place on file systems that can do more, and less."""
    if request.param != "nameless":
        monkeypatch.setattr(delivery, "_nameless", lambda _folder: None)
    if request.param == "no links":

        def refuse(_path: Path, _target: Path) -> None:
            raise OSError(errno.EPERM, "no links here")

        monkeypatch.setattr(Path, "hardlink_to", refuse)
    return tmp_path / "talk.srt"


def put(place: Path, *replaceable: bytes) -> None:
    """Deliver the new result."""
    deliver(BytesIO(NEW), sha(NEW), place, frozenset(map(sha, replaceable)))


def test_result_arrives_with_the_permissions_of_new_files(place: Path) -> None:
    """And nothing else is left in the folder."""
    put(place)
    other = place.with_name("other")
    other.touch()

    assert place.read_bytes() == NEW
    assert place.stat().st_mode == other.stat().st_mode
    assert set(place.parent.iterdir()) == {place, other}


def test_ours_is_replaced(place: Path) -> None:
    """By a rename: whoever reads the old one goes on reading it."""
    place.write_bytes(OLD)
    with place.open("rb") as reader:
        put(place, OLD)
        assert reader.read() == OLD

    assert place.read_bytes() == NEW
    assert list(place.parent.iterdir()) == [place]


def test_what_is_there_already_stays(place: Path) -> None:
    """A result that was put there just before a death is not written again."""
    place.write_bytes(NEW)
    before = place.stat()

    put(place)

    assert (place.stat().st_ino, place.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("kind", ["file", "link", "dangling", "folder"])
def test_what_is_not_ours_stays(place: Path, kind: str) -> None:
    """Whatever it is."""
    other = place.with_name("other")
    match kind:
        case "file":
            place.write_bytes(b"by hand")
        case "link":
            other.write_bytes(OLD)
            place.symlink_to(other)
        case "dangling":
            place.symlink_to(other)
        case _:
            place.mkdir()

    with pytest.raises((NotOurs, OutputUnwritable)):
        put(place, OLD)

    assert sorted(path.name for path in place.parent.iterdir()) in (["talk.srt"], ["other", "talk.srt"])
    assert not other.exists() or other.read_bytes() == OLD


def test_same_result_that_comes_meanwhile_is_as_good(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two watches of one folder may end the same job."""
    copy = delivery._copy

    def be_quicker(*arguments: object) -> None:
        copy(*arguments)  # type: ignore[arg-type]
        place.write_bytes(NEW)

    monkeypatch.setattr(delivery, "_copy", be_quicker)

    put(place)
    assert list(place.parent.iterdir()) == [place]


def test_what_comes_meanwhile_is_not_replaced(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the last step somebody may write one by hand."""
    copy = delivery._copy

    def meddle(*arguments: object) -> None:
        copy(*arguments)  # type: ignore[arg-type]
        place.write_bytes(b"by hand")

    monkeypatch.setattr(delivery, "_copy", meddle)

    with pytest.raises(NotOurs):
        put(place)
    assert place.read_bytes() == b"by hand"
    assert list(place.parent.iterdir()) == [place]


def test_damaged_content_is_not_delivered(place: Path) -> None:
    """The digest says what it should be."""
    with pytest.raises(ValueError, match="digest"):
        deliver(BytesIO(b"damaged"), sha(NEW), place, frozenset())

    assert list(place.parent.iterdir()) == []


def test_full_disk_leaves_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told as what it is."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(delivery, "_copy", full)

    with pytest.raises(DiskFull):
        put(place)
    assert list(place.parent.iterdir()) == []


def test_leftover_of_a_killed_process_goes(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files cannot be without a name, the next try for the same place takes it away."""
    monkeypatch.setattr(delivery, "_nameless", lambda _folder: None)
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda _fd: (_ for _ in ()).throw(KeyboardInterrupt))
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
    with pytest.raises(KeyboardInterrupt):
        put(place)
    (part,) = place.parent.iterdir()
    monkeypatch.undo()
    assert part.name.startswith(".")
    assert os.fsync is fsync

    put(place)

    assert list(place.parent.iterdir()) == [place]


def test_digest_of_what_is_no_plain_file(tmp_path: Path) -> None:
    """A pipe is not waited for, a link not followed."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")

    assert (digest_at(tmp_path / "pipe"), digest_at(tmp_path / "link"), digest_at(tmp_path / "none")) == ("", "", None)


def test_folders_are_made_for_a_place_of_their_own_only(tmp_path: Path) -> None:
    """Beside a file that has gone no folder is made anew."""
    prepare(tmp_path / "out" / "deep" / "talk.srt", tmp_path / "out")
    assert (tmp_path / "out" / "deep").is_dir()

    with pytest.raises(OutputUnwritable):
        prepare(tmp_path / "gone" / "talk.srt", None)
