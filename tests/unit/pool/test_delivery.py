"""Putting a result where it was asked for."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tightship.errors import ConversionFailed, DiskFull, OutputUnwritable
from tightship.pool import delivery
from tightship.pool.delivery import check_destination, deliver


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A folder that a worker left a result in."""
    folder = tmp_path / "attempt"
    folder.mkdir()
    (folder / "out.gif").write_bytes(b"GIF89a")
    return folder


def test_result_moves(scratch: Path, tmp_path: Path) -> None:
    """The file is at its destination and no longer in the scratch."""
    deliver(scratch, "out.gif", tmp_path / "a.gif")

    assert (tmp_path / "a.gif").read_bytes() == b"GIF89a"
    assert list(scratch.iterdir()) == []


def test_link_at_the_destination_is_replaced_not_followed(scratch: Path, tmp_path: Path) -> None:
    """What a link points to stays as it was."""
    (tmp_path / "other").write_text("other")
    (tmp_path / "a.gif").symlink_to(tmp_path / "other")

    deliver(scratch, "out.gif", tmp_path / "a.gif")

    assert (tmp_path / "other").read_text() == "other"
    assert not (tmp_path / "a.gif").is_symlink()


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EROFS, OutputUnwritable)]
)
def test_failing_copy_leaves_nothing(
    scratch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    """A copy to another file system that fails half way is removed, and what was there stays."""
    target = tmp_path / "a.gif"
    target.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", lambda *_, **__: (_ for _ in ()).throw(OSError(errno.EXDEV, "other disk")))
    monkeypatch.setattr(delivery.shutil, "copyfileobj", fail)

    with pytest.raises(error):
        deliver(scratch, "out.gif", target)
    assert target.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gif", "attempt"]


@pytest.mark.parametrize("name", ["..", "../out.gif", "sub/out.gif", "", None, 3, "missing"])
def test_only_a_plain_file_of_the_folder_is_taken(scratch: Path, tmp_path: Path, name: object) -> None:
    """Names that lead elsewhere are no results."""
    with pytest.raises(ConversionFailed):
        deliver(scratch, name, tmp_path / "a.gif")


def test_pipe_is_no_result(scratch: Path, tmp_path: Path) -> None:
    """A pipe in the scratch is refused without waiting for its writer."""
    os.mkfifo(scratch / "pipe")

    with pytest.raises(ConversionFailed):
        deliver(scratch, "pipe", tmp_path / "a.gif")


@pytest.mark.parametrize("target", ["missing/a.gif", "folder", "/dev/null"])
def test_impossible_destination_is_refused_early(tmp_path: Path, target: str) -> None:
    """A missing folder, a folder's own name and a device are refused before any work."""
    (tmp_path / "folder").mkdir()

    with pytest.raises(OutputUnwritable):
        check_destination(tmp_path / target)
