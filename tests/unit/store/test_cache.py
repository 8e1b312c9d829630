"""Two tiers, checked on every read; a cache that fails harms nobody."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tightship.errors import InvalidOptions
from tightship.store.cache import ResultCache
from tightship.store.config import NO_CACHE, CacheConfig
from tightship.store.entry import Entry, encode
from tightship.testing import FakeClock

CONFIG = CacheConfig(memory_bytes=2**20, disk_bytes=2**20, entry_bytes=2**18, reserve_bytes=0)
ON_DISK = replace(CONFIG, memory_bytes=0)
IN_MEMORY = replace(CONFIG, disk_bytes=0)
ENTRY = Entry({"text": "So it goes"}, (), b"So it goes\n")


def key(number: int = 1) -> str:
    """Return a key."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def opened(tmp_path: Path, config: CacheConfig = CONFIG) -> ResultCache:
    """Open a cache in the test's folder."""
    return ResultCache(tmp_path / "results", config)


def counts(cache: ResultCache) -> dict[str, int]:
    """Return what was counted, zeros left out."""
    held = ("memory_bytes", "memory_entries", "disk_bytes", "disk_entries")
    return {name: count for name, count in vars(cache.report()).items() if count and name not in held}


def test_what_was_put_is_found(tmp_path: Path) -> None:
    """In memory first, on disk by whoever comes later, and then in his memory too."""
    first = opened(tmp_path)
    assert first.get(key()) is None
    assert first.put(key(), ENTRY)
    assert first.get(key()) == ENTRY

    second = opened(tmp_path)
    assert [second.get(key()), second.get(key())] == [ENTRY, ENTRY]

    assert counts(first) == {"misses": 1, "memory_hits": 1}
    assert counts(second) == {"disk_hits": 1, "memory_hits": 1}
    assert first.report().disk_entries == second.report().memory_entries == 1


def test_a_job_that_asks_twice_misses_once(tmp_path: Path) -> None:
    """Before the look at its input, and before the work."""
    cache = opened(tmp_path)
    cache.get(key())
    cache.get(key(), again=True)

    assert counts(cache) == {"misses": 1}


@pytest.mark.parametrize("config", [ON_DISK, IN_MEMORY])
def test_either_tier_does_alone(tmp_path: Path, config: CacheConfig) -> None:
    """The one that has no room is left out."""
    cache = opened(tmp_path, config)

    assert cache.put(key(), ENTRY)
    assert cache.get(key()) == ENTRY
    assert (tmp_path / "results").exists() == (config is ON_DISK)


def test_no_room_at_all_remembers_nothing(tmp_path: Path) -> None:
    """And says so."""
    cache = opened(tmp_path, NO_CACHE)

    assert not NO_CACHE.enabled
    assert not cache.put(key(), ENTRY)
    assert cache.get(key()) is None
    assert list(tmp_path.iterdir()) == []


def test_memory_is_bounded(tmp_path: Path) -> None:
    """By bytes, what surrounds an entry included; the least recently used go, and what is too long stays out."""
    cache = opened(tmp_path, replace(IN_MEMORY, memory_bytes=10_000))
    for number in range(8):
        cache.put(key(number), Entry({}, (), bytes(2000)))
        cache.get(key(0))
    cache.put(key(99), Entry({}, (), bytes(10_000)))

    report = cache.report()
    assert report.memory_bytes <= 10_000
    assert (report.memory_entries, report.memory_evicted) == (3, 5)
    assert cache.get(key(0)) is not None
    assert cache.get(key(99)) is None


def test_disk_is_bounded(tmp_path: Path) -> None:
    """Those that go are counted."""
    cache = opened(tmp_path, replace(ON_DISK, disk_bytes=3 * 4096))
    for number in range(5):
        cache.put(key(number), ENTRY)

    assert (cache.report().disk_entries, cache.report().disk_evicted) == (3, 2)


def test_a_result_that_is_too_long_is_not_remembered(tmp_path: Path) -> None:
    """It would be read into memory whole."""
    cache = opened(tmp_path)

    assert not cache.put(key(), Entry({}, (), bytes(CONFIG.entry_bytes)))
    assert counts(cache) == {}


def test_a_result_that_never_fits_drives_nobody_out(tmp_path: Path) -> None:
    """A disk is taken by blocks: one byte too many is a block too many."""
    cache = opened(tmp_path, replace(ON_DISK, disk_bytes=2 * 4096 - 1))
    cache.put(key(1), ENTRY)

    assert not cache.put(key(2), Entry({}, (), bytes(5000)))
    assert cache.get(key(1)) == ENTRY


def test_what_is_used_in_memory_stays_on_disk(tmp_path: Path) -> None:
    """Or what is asked for most would be the first to go from there."""
    cache = opened(tmp_path)
    for number in (1, 2):
        cache.put(key(number), ENTRY)
        os.utime(cache.folder / key(number), (number, number))
    cache.get(key(1))

    assert cache.report().disk_entries == 2
    assert (cache.folder / key(1)).stat().st_atime > (cache.folder / key(2)).stat().st_atime


@pytest.mark.parametrize("pattern", [0x01, 0x80, 0xFF])
def test_every_changed_byte_on_disk_is_a_miss(tmp_path: Path, pattern: int) -> None:
    """The entry is dropped and counted, never returned, and done anew it is found again."""
    cache = opened(tmp_path, ON_DISK)
    data = encode(key(), ENTRY)
    cache.put(key(), ENTRY)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= pattern
        (cache.folder / key()).write_bytes(changed)

        assert cache.get(key()) is None, place
        assert not (cache.folder / key()).exists()

    assert counts(cache) == {"misses": len(data), "corrupt": len(data)}
    assert cache.put(key(), ENTRY)
    assert cache.get(key()) == ENTRY


def test_every_length_on_disk_is_a_miss(tmp_path: Path) -> None:
    """Cut off, or gone on with."""
    cache = opened(tmp_path, ON_DISK)
    data = encode(key(), ENTRY)
    cache.put(key(), ENTRY)
    for length in (*range(len(data)), len(data) + 1, 2 * len(data), CONFIG.entry_bytes + 1):
        (cache.folder / key()).write_bytes((data * 1000)[:length])
        assert cache.get(key()) is None, length
        assert not (cache.folder / key()).exists()


def test_memory_is_checked_too(tmp_path: Path) -> None:
    """What changed there is dropped there, and found on disk."""
    cache = opened(tmp_path)
    cache.put(key(), ENTRY)
    held = cache._memory[key()]
    cache._memory[key()] = held._replace(data=held.data[:-1] + bytes([held.data[-1] ^ 1]))

    assert cache.get(key()) == ENTRY
    assert counts(cache) == {"corrupt": 1, "disk_hits": 1}
    assert cache._memory[key()].data == held.data


def test_a_damaged_entry_that_cannot_be_removed_is_a_miss_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is neither returned nor waited for."""
    cache = opened(tmp_path, ON_DISK)
    cache.put(key(), ENTRY)
    (cache.folder / key()).write_bytes(b"damaged")
    monkeypatch.setattr(cache._shelf, "remove", _refuse)
    monkeypatch.setattr(cache._shelf, "write", _refuse)

    for _ in range(3):
        assert cache.get(key()) is None
        assert not cache.put(key(), ENTRY)

    assert counts(cache) == {"misses": 3, "corrupt": 3, "failed_writes": 3}
    assert sum("cannot be remembered" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_something_else_in_an_entrys_place_is_a_miss(tmp_path: Path, kind: str) -> None:
    """Nobody waits for it, follows it or falls over it."""
    cache = opened(tmp_path, ON_DISK)
    cache.folder.mkdir()
    place = cache.folder / key()
    {"folder": place.mkdir, "pipe": lambda: os.mkfifo(place), "link": lambda: place.symlink_to("/etc/passwd")}[kind]()

    assert cache.get(key()) is None
    assert counts(cache) == {"misses": 1, "corrupt": 1}
    assert cache.put(key(), ENTRY) == (kind != "folder")
    assert Path("/etc/passwd").exists()


@pytest.mark.parametrize("place", ["results", "."])
def test_a_file_in_the_folders_place_is_survived(tmp_path: Path, place: str, caplog: pytest.LogCaptureFixture) -> None:
    """Memory remembers; the fault is counted each time and logged once."""
    caplog.set_level(logging.WARNING)
    (tmp_path / "home").write_text("a file")
    cache = ResultCache(tmp_path / "home" / place, CONFIG)

    for number in (1, 2):
        assert cache.put(key(number), ENTRY)
        assert cache.get(key(number)) == ENTRY
    assert opened(tmp_path).get(key()) is None

    assert counts(cache) == {"memory_hits": 2, "failed_writes": 2}
    assert len(caplog.records) == 1
    assert cache.report().disk_entries == 0


def test_a_folder_that_is_taken_away_is_made_anew(tmp_path: Path) -> None:
    """Between two jobs, by somebody who cleans up."""
    cache = opened(tmp_path, ON_DISK)
    cache.put(key(), ENTRY)
    (cache.folder / key()).unlink()
    cache.folder.rmdir()

    assert cache.get(key()) is None
    assert cache.put(key(), ENTRY)
    assert cache.get(key()) == ENTRY


@pytest.mark.parametrize("fault", [errno.EACCES, errno.EROFS, errno.EIO, errno.EMFILE])
def test_an_entry_that_cannot_be_read_is_a_miss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The fault is counted each time and logged once."""
    cache = opened(tmp_path, ON_DISK)
    cache.put(key(), ENTRY)

    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr(os, "open", refuse)
    assert [cache.get(key()), cache.get(key())] == [None, None]
    monkeypatch.undo()

    assert counts(cache) == {"misses": 2, "failed_reads": 2}
    assert len(caplog.records) == 1
    assert cache.get(key()) == ENTRY


def test_a_result_that_is_no_json_is_not_remembered(tmp_path: Path) -> None:
    """What a slot told may be anything."""
    cache = opened(tmp_path)

    assert not cache.put(key(), Entry({"text": float("nan")}))
    assert not cache.put(key(), Entry({"text": object()}))
    assert counts(cache) == {"failed_writes": 2}


def test_clearing_reaches_the_memory_of_others(tmp_path: Path) -> None:
    """Who empties a cache wants its texts gone, wherever they are."""
    server, command = opened(tmp_path), opened(tmp_path)
    server.put(key(), ENTRY)

    assert command.clear() == 1

    assert server.get(key()) is None
    assert (server.report().memory_entries, server.report().disk_entries) == (0, 0)
    assert server.put(key(), ENTRY)
    assert server.get(key()) == ENTRY
    assert opened(tmp_path / "nothing").clear() == 0


def test_one_entry_is_forgotten_everywhere(tmp_path: Path) -> None:
    """In memory, on disk, and in the memory of others; what else they know they read again."""
    server, command = opened(tmp_path), opened(tmp_path)
    for number in (1, 2):
        server.put(key(number), ENTRY)

    command.forget(key(1))
    command.forget(key(3))

    assert [server.get(key(1)), server.get(key(2))] == [None, ENTRY]
    assert counts(server) == {"disk_hits": 1, "misses": 1}
    alone = opened(tmp_path / "nothing", IN_MEMORY)
    alone.put(key(1), ENTRY)
    alone.forget(key(1))
    assert alone.get(key(1)) is None


def test_what_cannot_be_forgotten_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In the log; it harms no job."""
    cache = opened(tmp_path)
    cache.put(key(), ENTRY)
    monkeypatch.setattr(cache._shelf, "remove", _refuse)

    cache.forget(key())

    assert "a result cannot be forgotten: Read-only file system" in caplog.text
    assert counts(cache) == {"failed_writes": 1}


@pytest.mark.parametrize("config", [CONFIG, ON_DISK, IN_MEMORY])
def test_what_has_been_kept_for_its_time_is_gone(tmp_path: Path, config: CacheConfig) -> None:
    """However often it was asked for; what is younger stays."""
    clock = FakeClock(wall_s=time.time())
    cache = ResultCache(tmp_path / "results", replace(config, ttl_s=600), clock)
    cache.put(key(1), ENTRY)
    for _ in range(9):
        clock.advance(60)
        assert cache.get(key(1)) == ENTRY
    clock.advance(61)

    assert cache.get(key(1)) is None
    assert (cache.report().memory_entries, cache.report().disk_entries) == (0, 0)


def test_what_nobody_asks_for_goes_too(tmp_path: Path) -> None:
    """From memory and disk, also what another process has left; a look that comes too soon does nothing."""
    clock = FakeClock(wall_s=time.time())
    config = replace(CONFIG, ttl_s=600)
    ResultCache(tmp_path / "results", CONFIG).put(key(1), ENTRY)
    cache = ResultCache(tmp_path / "results", config, clock)
    cache.put(key(2), ENTRY)
    cache.expire()
    assert cache.report().disk_entries == 2
    clock.advance(601)

    cache.expire()

    assert list(cache.folder.iterdir()) == []
    assert cache.report().memory_entries == 0
    cache._shelf.expire = _refuse  # type: ignore[method-assign]
    cache.expire()
    assert counts(cache) == {}
    clock.advance(600)
    cache.expire()
    assert counts(cache) == {"failed_writes": 1}


@pytest.mark.parametrize("look", [ResultCache.expire, lambda cache: cache.get(key())])
def test_what_a_wrong_clock_has_put_there_goes(tmp_path: Path, look: Callable[[ResultCache], object]) -> None:
    """A clock that was a year ahead makes nothing stay for a year."""
    config = replace(ON_DISK, ttl_s=600)
    cache = ResultCache(tmp_path / "results", config, FakeClock(wall_s=time.time()))
    cache.put(key(), ENTRY)
    ahead_s = time.time() + 365 * 86400
    os.utime(cache.folder / key(), (ahead_s, ahead_s))

    look(cache)

    assert list(cache.folder.iterdir()) == []


def test_what_was_kept_before_a_clock_was_set_back_goes(tmp_path: Path) -> None:
    """From memory as from disk: it would else stay until the clock has come so far again."""
    clock = FakeClock(wall_s=time.time())
    cache = ResultCache(tmp_path / "results", replace(CONFIG, ttl_s=600), clock)
    cache.put(key(1), ENTRY)
    clock.set_wall(time.time() - 365 * 86400)

    assert cache.get(key(1)) is None
    assert (cache.report().memory_entries, cache.report().disk_entries) == (0, 0)


def test_without_a_time_nothing_goes(tmp_path: Path) -> None:
    """That is how it is usually."""
    clock = FakeClock(wall_s=time.time())
    cache = ResultCache(tmp_path / "results", CONFIG, clock)
    cache.put(key(), ENTRY)
    clock.advance(10**9)
    cache.expire()

    assert cache.get(key()) == ENTRY


@pytest.mark.parametrize("ttl_s", [0, -1.0, 1e300])
def test_no_time_at_all_is_refused(ttl_s: float) -> None:
    """Whoever wants nothing remembered says so by its size."""
    with pytest.raises(InvalidOptions, match="ttl_s"):
        CacheConfig(ttl_s=ttl_s)


@pytest.mark.parametrize("name", ["memory_bytes", "disk_bytes", "entry_bytes", "reserve_bytes"])
def test_a_size_below_nothing_is_refused(name: str) -> None:
    """By name."""
    with pytest.raises(InvalidOptions, match=name):
        CacheConfig(**{name: -1})


def _refuse(*_: Any) -> NoReturn:
    raise OSError(errno.EROFS, "Read-only file system")
