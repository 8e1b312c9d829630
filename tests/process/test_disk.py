"""A disk that is full in the middle of a write."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tightship.errors import DiskFull, TightshipError
from tightship.pool.config import PoolConfig
from tightship.pool.pool import Pool
from tightship.pool.task import Task

from .conftest import HERE, MakeTask

#: Files, folders included, that a small disk holds.
FEW_FILES = 24


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    yield from _disk(tmp_path, "size=4m")


@pytest.fixture
def few_files(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few files."""
    yield from _disk(tmp_path, f"size=4m,nr_inodes={FEW_FILES}")


def _disk(tmp_path: Path, options: str) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"a small tmpfs needs root: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_scratch_is_a_clear_error(small_disk: Path, misdeed: MakeTask, tmp_path: Path) -> None:
    """A worker that fills its scratch disk ends with `disk_full`; no file stays and the slot goes on."""
    with Pool(PoolConfig(import_paths=(str(HERE),)), home=small_disk) as pool:
        outcome = pool.run(misdeed("write", mib=8, deliver=tmp_path / "out"))

        assert isinstance(outcome.error, DiskFull)
        assert not (tmp_path / "out").exists()
        assert pool.run(misdeed("write", mib=2, deliver=tmp_path / "small")).error is None
    assert list((small_disk / "scratch").iterdir()) == []


@pytest.mark.parametrize("warm", [False, True])
def test_disk_without_room_for_a_folder_is_a_clear_error(few_files: Path, misdeed: MakeTask, warm: bool) -> None:
    """However little room there is when a slot or an attempt begins: it works, or the disk is said to be full."""
    codes = set[str | None]()
    with Pool(PoolConfig(import_paths=(str(HERE),)), home=few_files / "home") as pool:
        for room in range(6):
            for slot in pool.slots():
                pool.recycle(slot.pid)
            if warm:
                pool.run(misdeed("leave_files")).unwrap()  # its folder is not used again
            for number in range(FEW_FILES):
                with suppress(OSError):
                    (few_files / f"{number}").touch()
            for number in range(room):
                (few_files / f"{number}").unlink(missing_ok=True)
            codes.add(_code_of(pool, misdeed("nothing")))
            for path in few_files.glob("[0-9]*"):
                path.unlink()
            assert _code_of(pool, misdeed("nothing")) is None
    assert codes <= {None, "disk_full"}
    assert "disk_full" in codes


def _code_of(pool: Pool, task: Task) -> str | None:
    try:
        error = pool.run(task).error
    except TightshipError as refused:
        error = refused
    return None if error is None else error.code


def test_full_destination_keeps_what_was_there(pool: Pool, small_disk: Path, misdeed: MakeTask, tmp_path: Path) -> None:
    """A result that does not fit on its disk leaves no half file, and the file it was to replace stays."""
    (small_disk / "out").write_text("old")

    outcome = pool.run(misdeed("write", mib=8, deliver=small_disk / "out"))

    assert isinstance(outcome.error, DiskFull)
    assert [path.name for path in small_disk.iterdir()] == ["out"]
    assert (small_disk / "out").read_text() == "old"


def test_result_crosses_to_another_disk(pool: Pool, small_disk: Path, misdeed: MakeTask) -> None:
    """A result that fits is copied whole to another file system."""
    pool.run(misdeed("write", mib=2, deliver=small_disk / "out")).unwrap()

    assert (small_disk / "out").stat().st_size == 2 * 2**20
    assert [path.name for path in small_disk.iterdir()] == ["out"]
