"""A disk that is full in the middle of a write."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tightship.errors import DiskFull
from tightship.pool.config import PoolConfig
from tightship.pool.pool import Pool

from .conftest import HERE, MakeTask


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], check=False, capture_output=True
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
