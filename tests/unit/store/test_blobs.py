"""Files under the digest of their content."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tightship.core import procfs
from tightship.errors import DiskFull, MediaTooLarge, OutputUnwritable
from tightship.store.blobs import BlobStore

CONTENT = b"a video"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    """An empty store of files."""
    return BlobStore(tmp_path / "blobs")


def put(blobs: BlobStore, content: bytes = CONTENT) -> str:
    """Bring a file and let go of it."""
    with blobs.open_upload(100) as upload:
        upload.write(content)
        return upload.commit().digest


def incoming(blobs: BlobStore) -> list[Path]:
    """Return what is half written."""
    return list((blobs.root / "incoming").iterdir())


def test_file_lies_under_its_digest(blobs: BlobStore) -> None:
    """Its content is what was written, and nobody else may read it."""
    with blobs.open_upload(100) as upload:
        upload.write(CONTENT[:3])
        upload.write(memoryview(CONTENT)[3:])
        blob = upload.commit()

    path = blobs.path(blob.digest)
    assert (blob.digest, blob.size_bytes) == (DIGEST, 7)
    assert path.read_bytes() == CONTENT
    assert path.stat().st_mode & 0o077 == 0
    assert list(blobs.digests()) == [DIGEST]
    assert incoming(blobs) == []


def test_same_content_lies_there_once(blobs: BlobStore) -> None:
    """Whoever brings it again adopts the one that is there."""
    assert put(blobs) == put(blobs)
    assert list(blobs.digests()) == [DIGEST]
    assert incoming(blobs) == []


def test_upload_that_is_left_is_gone(blobs: BlobStore) -> None:
    """Without a commit, nothing stays."""
    with blobs.open_upload(100) as upload:
        upload.write(CONTENT)

    assert incoming(blobs) == []
    assert list(blobs.digests()) == []
    with pytest.raises(ValueError, match="ended"):
        upload.write(b"more")


def test_upload_over_its_limit_is_gone(blobs: BlobStore) -> None:
    """It is refused before the byte too many is written."""
    with blobs.open_upload(7) as upload:
        upload.write(CONTENT)
        with pytest.raises(MediaTooLarge):
            upload.write(b"!")
        assert incoming(blobs) == []


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_full_disk_leaves_nothing(blobs: BlobStore, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """At whichever call the disk tells that it is full."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space")

    def send(content: bytes) -> None:
        with blobs.open_upload(100) as upload:
            monkeypatch.setattr(os, call, full)
            upload.write(content)
            upload.commit()

    with pytest.raises(DiskFull):
        send(CONTENT)
    assert incoming(blobs) == []
    assert list(blobs.digests()) == []


def test_other_faults_of_the_disk_are_told_as_they_are(blobs: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken disk is not a full one; nothing stays either."""

    def broken(*_: object) -> int:
        raise OSError(errno.EIO, "broken")

    with blobs.open_upload(100) as upload:
        monkeypatch.setattr(os, "write", broken)
        with pytest.raises(OSError, match="broken"):
            upload.write(CONTENT)
    assert incoming(blobs) == []


def test_file_is_moved_in(blobs: BlobStore, tmp_path: Path) -> None:
    """It is no longer where it was."""
    path = tmp_path / "out.gif"
    path.write_bytes(CONTENT)

    with blobs.put_file(path) as blob:
        assert blobs.path(blob.digest).read_bytes() == CONTENT

    assert blob.digest == DIGEST
    assert not path.exists()


def test_file_of_another_disk_is_copied_in(blobs: BlobStore) -> None:
    """Where it cannot be renamed, it is copied and removed."""
    path = Path("/dev/shm", f"tightship-test-{os.getpid()}")
    if not path.parent.is_dir() or path.parent.stat().st_dev == blobs.root.stat().st_dev:
        pytest.skip("there is no second disk at /dev/shm")
    path.write_bytes(CONTENT)

    with blobs.put_file(path) as blob:
        assert blobs.path(blob.digest).read_bytes() == CONTENT
    assert not path.exists()


@pytest.mark.parametrize("kind", ["link", "second name", "pipe"])
def test_only_a_plain_file_is_moved_in(blobs: BlobStore, tmp_path: Path, kind: str) -> None:
    """What a worker has left in its folder may be a trap."""
    secret, path = tmp_path / "secret", tmp_path / "out.gif"
    secret.write_bytes(CONTENT)
    {"link": path.symlink_to, "second name": path.hardlink_to, "pipe": lambda _: os.mkfifo(path)}[kind](secret)

    with pytest.raises((OutputUnwritable, OSError)), blobs.put_file(path):
        pass

    assert secret.read_bytes() == CONTENT
    assert list(blobs.digests()) == []


def test_file_that_is_referred_to_stays(blobs: BlobStore) -> None:
    """The database knows who needs it."""
    put(blobs)

    assert not blobs.discard(DIGEST, lambda digest: digest == DIGEST)
    assert list(blobs.digests()) == [DIGEST]


def test_file_that_nobody_refers_to_goes(blobs: BlobStore) -> None:
    """And when it is gone already, that is no fault."""
    put(blobs)

    assert blobs.discard(DIGEST, lambda _: False)
    assert not blobs.discard(DIGEST, lambda _: False)
    assert list(blobs.digests()) == []


def test_file_that_is_held_stays(blobs: BlobStore) -> None:
    """Whoever has brought it, or brought it again, is about to refer to it."""
    with blobs.open_upload(100) as first, blobs.open_upload(100) as second:
        for upload in (first, second):
            upload.write(CONTENT)
            upload.commit()
        assert not blobs.discard(DIGEST, lambda _: False)
        first.abort()
        assert not blobs.discard(DIGEST, lambda _: False)

    assert blobs.discard(DIGEST, lambda _: False)


def test_file_brought_while_it_is_removed_is_there(blobs: BlobStore, eventually: Callable[..., None]) -> None:
    """Who comes with the same content in the middle of a removal does not lose it."""
    put(blobs)
    held, seen = [], threading.Event()

    def bring() -> None:
        with blobs.open_upload(100) as upload:
            upload.write(CONTENT)
            held.append(upload.commit())
            seen.wait(10)

    bringer = threading.Thread(target=bring)

    def nobody(_: str) -> bool:
        bringer.start()
        eventually(lambda: incoming(blobs), "the upload has begun")
        return False

    assert blobs.discard(DIGEST, nobody)
    eventually(lambda: held, "the upload is committed")
    assert blobs.path(DIGEST).read_bytes() == CONTENT
    seen.set()
    bringer.join()


def test_half_written_file_without_a_writer_is_swept(blobs: BlobStore) -> None:
    """The lock of a dead writer is gone with it; that of a living one is not."""
    (blobs.root / "incoming" / "left").write_bytes(CONTENT)
    with blobs.open_upload(100) as upload:
        assert blobs.sweep_uploads() == 1
        assert len(incoming(blobs)) == 1
        upload.write(CONTENT)
        upload.commit()


@pytest.mark.parametrize("digest", ["", "..", "../../etc/passwd", "AB" * 32, "ab" * 31])
def test_only_a_digest_is_a_path(blobs: BlobStore, digest: str) -> None:
    """Nothing else leads anywhere."""
    with pytest.raises(ValueError, match="not a digest"):
        blobs.path(digest)


def test_no_descriptor_is_left(blobs: BlobStore, tmp_path: Path) -> None:
    """Whichever way a file comes and goes."""
    put(blobs)
    before = procfs.fds(os.getpid())
    for _ in range(3):
        put(blobs)
        (tmp_path / "out").write_bytes(b"other")
        with blobs.put_file(tmp_path / "out") as blob:
            pass
        blobs.discard(blob.digest, lambda _: False)
        blobs.sweep_uploads()

    assert procfs.fds(os.getpid()) == before


def test_a_sweep_spares_a_file_that_is_being_moved_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep that comes right after the file has its place among the uploads leaves it there."""
    blobs = BlobStore(tmp_path / "blobs")
    (tmp_path / "result").write_bytes(b"GIF89a")
    rename = Path.rename

    def rename_and_sweep(path: Path, target: Path) -> Path:
        moved = rename(path, target)
        blobs.sweep_uploads()
        return moved

    monkeypatch.setattr(Path, "rename", rename_and_sweep)

    with blobs.put_file(tmp_path / "result") as blob:
        assert blobs.path(blob.digest).read_bytes() == b"GIF89a"
