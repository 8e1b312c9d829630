"""A cache on disks that are full or may not be written, and shared by processes."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tightship.store.cache import ResultCache
from tightship.store.config import CacheConfig
from tightship.store.entry import Entry
from tightship.store.shelf import Shelf

from .cache_host import KEYS, entry_of, key_of
from .test_disk import small_disk as small_disk
from .test_store_disk import PAGE_BYTES, fill, free

CONFIG = CacheConfig(memory_bytes=0, disk_bytes=2**24, reserve_bytes=0)
REPOSITORY = Path(__file__).resolve().parents[2]


def sharer(folder: Path, disk_bytes: int, times: int, seed: int) -> subprocess.Popen[str]:
    """Start a process that uses the cache."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.process.cache_host", *map(str, (folder, disk_bytes, times, seed))],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what it counted, when it has ended."""
    out, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    return json.loads(out)


def test_two_processes_share_a_cache_that_is_too_small(tmp_path: Path) -> None:
    """While a third damages what they write: nobody ever reads a wrong result, and the bound holds."""
    folder, bound = tmp_path / "results", 5 * 8192
    largest = 8 * PAGE_BYTES
    shelf, chance = Shelf(folder, bound), random.Random(1)
    processes = [sharer(folder, bound, 250, seed) for seed in (1, 2)]
    most_bytes = damaged = 0
    while any(process.poll() is None for process in processes):
        most_bytes = max(most_bytes, shelf.size()[1])
        damaged += _damage_one(folder, chance) if chance.random() < 0.2 else 0
    counts = [told(process) for process in processes]

    assert [count["wrong"] for count in counts] == [0, 0]
    # What both write at this moment comes on top.
    assert most_bytes <= bound + 2 * largest
    assert shelf.size()[1] <= bound
    total = {name: sum(count[name] for count in counts) for name in counts[0]}
    assert min(total["disk_hits"], total["misses"], total["disk_evicted"]) > 5, total
    assert min(damaged, total["corrupt"]) > 0, (damaged, total)


def _damage_one(folder: Path, chance: random.Random) -> int:
    try:
        path = chance.choice([path for path in folder.iterdir() if len(path.name) == 64])
        with path.open("r+b", buffering=0) as file:
            place = chance.randrange(os.fstat(file.fileno()).st_size)
            file.seek(place)
            byte = file.read(1)
            file.seek(place)
            file.write(bytes([byte[0] ^ (1 << chance.randrange(8))]))
    except (OSError, IndexError, ValueError):
        return 0  # it has gone
    return 1


def test_what_one_process_uses_another_keeps(tmp_path: Path) -> None:
    """Which result was used last stands on the disk."""
    folder = tmp_path / "results"
    cache = ResultCache(folder, CacheConfig(0, 3 * 2 * PAGE_BYTES, reserve_bytes=0))
    for number in range(3):
        cache.put(key_of(number), Entry({}, (), bytes(PAGE_BYTES)))
        os.utime(folder / key_of(number), (number, number))
    code = f"from tightship.store.shelf import Shelf; from pathlib import Path; Shelf(Path({str(folder)!r}), 1)"
    subprocess.run([sys.executable, "-c", f"{code}.read({key_of(0)!r}, 10**6)"], check=True, timeout=60)

    cache.put(key_of(3), Entry({}, (), bytes(PAGE_BYTES)))

    assert [cache.get(key_of(number)) is not None for number in range(4)] == [True, False, True, True]


def test_a_cache_on_a_full_disk(small_disk: Path) -> None:
    """With page after page more space a write fails or is whole; nothing half written is left, and nothing is lost."""
    cache = ResultCache(small_disk / "results", CONFIG)
    assert cache.put(key_of(0), entry_of(0))
    failed = 0
    for pages in range(40):
        fill(small_disk, pages * PAGE_BYTES)
        kept = cache.put(key_of(KEYS), entry_of(KEYS))
        found = cache.get(key_of(KEYS))
        free(small_disk)
        assert found == (entry_of(KEYS) if kept else None)
        assert cache.get(key_of(0)) == entry_of(0)
        assert [path.name for path in cache.folder.iterdir() if path.suffix == ".part"] == []
        if kept:
            break
        failed += 1
    else:
        pytest.fail("no amount of space was enough")

    assert failed > 3
    assert cache.report().failed_writes == failed
    assert cache.report().corrupt == 0


@pytest.fixture
def read_only() -> Iterator[Callable[[Path], None]]:
    """Make a folder one that nobody can write in, root included, until the test ends."""
    mounted: list[Path] = []

    def make(folder: Path) -> None:
        bound = subprocess.run(["mount", "--bind", folder, folder], check=False, capture_output=True)
        if bound.returncode:
            pytest.skip(f"a read-only mount needs root: {bound.stderr.decode().strip()}")
        mounted.append(folder)
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)

    yield make
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


def test_a_cache_that_may_not_be_written(
    tmp_path: Path, read_only: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """What is in it is found; what is damaged is a miss each time, and what is new is not kept: told of once."""
    cache = ResultCache(tmp_path / "results", CONFIG)
    for number in (1, 2):
        cache.put(key_of(number), entry_of(number))
    (cache.folder / key_of(2)).write_bytes(b"damaged")
    read_only(cache.folder)

    for _ in range(3):
        assert cache.get(key_of(1)) == entry_of(1)
        assert cache.get(key_of(2)) is None
        assert not cache.put(key_of(2), entry_of(2))

    report = cache.report()
    assert (report.disk_hits, report.misses, report.corrupt, report.failed_writes) == (3, 3, 3, 3)
    assert sum("Read-only file system" in record.message for record in caplog.records) == 1
    with pytest.raises(OSError, match="Read-only"):
        cache.clear()
