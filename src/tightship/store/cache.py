"""Results that were worked out before: some in memory, more on disk, each checked whenever it is read.

A cache never harms a job. What is damaged is dropped and counts as missing; what cannot be read or written is counted,
told of in the log, and the job goes on without.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cachetools import TLRUCache

from tightship.core.clock import Clock, SystemClock
from tightship.store.config import CacheConfig
from tightship.store.entry import Entry, decode, encode
from tightship.store.shelf import Found, Shelf

#: Bytes that an entry in memory takes beside its own: key, places in two tables, heads of objects.
_OVERHEAD_BYTES = 512
#: Set anew when the cache is emptied, so that other processes empty their memory too.
_CLEARED = "cleared"
#: Seconds between two looks for what has been kept for its time: a look at 10,000 files takes 60 ms.
_EXPIRE_EVERY_S = 60.0

_log = logging.getLogger("tightship")


@dataclass(frozen=True)
class CacheReport:
    """What a cache holds, and what this process has found in it since it opened it.

    Args:
        memory_bytes, memory_entries: Held in this process's memory.
        disk_bytes, disk_entries: Held on disk, by whichever process.
        memory_hits, disk_hits, misses: What was asked for, and where it was found.
        corrupt: Entries that were not as they had been written, and were dropped.
        memory_evicted, disk_evicted: Entries that made room for others.
        failed_reads, failed_writes: What could not be read or kept.
    """

    memory_bytes: int
    memory_entries: int
    disk_bytes: int
    disk_entries: int
    memory_hits: int
    disk_hits: int
    misses: int
    corrupt: int
    memory_evicted: int
    disk_evicted: int
    failed_reads: int
    failed_writes: int


class ResultCache:
    """Remember entries under keys of 64 hexadecimal digits; threads and processes may share one.

    Args:
        folder: Where the entries on disk lie.
        config: How much is remembered.
        clock: Tells how old a result is.
    """

    def __init__(self, folder: Path, config: CacheConfig, clock: Clock | None = None) -> None:
        self.folder = folder
        self.config = config
        self._shelf = Shelf(folder, config.disk_bytes, config.reserve_bytes)
        self._lock = threading.Lock()
        self._clock = clock or SystemClock()
        self._memory: TLRUCache[str, Found] = TLRUCache(
            config.memory_bytes, self._ends_s, self._clock.wall_s, getsizeof=_held_bytes
        )
        self._expire_at_s = -math.inf
        self._counts: Counter[str] = Counter()
        self._last_fault: str | None = None
        self._cleared_ns = self._when_cleared()

    def get(self, key: str, *, again: bool = False) -> Entry | None:
        """Return what is remembered under the key; None when there is nothing, or nothing that is whole.

        Args:
            again: It has been asked for before by the same job, and counts as missing once.
        """
        entry = self._from_memory(key) or self._from_disk(key)
        if entry is None and not again:
            self._count("misses")
        return entry

    def put(self, key: str, entry: Entry) -> bool:
        """Remember an entry; False where it is too long, or could be kept nowhere."""
        try:
            data = encode(key, entry)
        except (TypeError, ValueError) as unfit:
            self._failed("failed_writes", f"a result is no JSON: {unfit}")
            return False
        if len(data) > self.config.entry_bytes:
            return False
        in_memory = self._into_memory(key, Found(data, self._clock.wall_s()))
        return self._onto_disk(key, data) or in_memory

    def forget(self, key: str) -> None:
        """Have an entry worked out again; other processes, which may hold it in memory, empty theirs."""
        with self._lock:
            self._memory.pop(key, None)
        if not self.config.disk_bytes:
            return
        try:
            self._shelf.remove(key)
            self._tell_others()
        except OSError as fault:
            self._failed("failed_writes", f"a result cannot be forgotten: {fault.strerror}")

    def clear(self) -> int:
        """Forget everything, in other processes too, and return how many entries were on disk.

        Raises:
            OSError: One cannot be removed.
        """
        with self._lock:
            self._memory.clear()
        gone = self._shelf.clear()
        self._tell_others()
        return gone

    def expire(self) -> None:
        """Remove what has been kept for its time. It may be called often, and looks seldom."""
        now_s = self._clock.monotonic_s()
        if self.config.ttl_s is None or now_s < self._expire_at_s:
            return
        self._expire_at_s = now_s + min(self.config.ttl_s, _EXPIRE_EVERY_S)
        with self._lock:
            self._memory.expire()
        try:
            now_s = self._clock.wall_s()
            self._shelf.expire(now_s - self.config.ttl_s, now_s + self.config.ttl_s)
        except OSError as fault:
            self._failed("failed_writes", f"a result cannot be forgotten: {fault.strerror}")

    def report(self) -> CacheReport:
        """Return what is held, and what has been counted."""
        try:
            entries, size_bytes = self._shelf.size()
        except OSError:
            entries = size_bytes = 0
        with self._lock:
            return CacheReport(
                memory_bytes=int(self._memory.currsize),
                memory_entries=len(self._memory),
                disk_bytes=size_bytes,
                disk_entries=entries,
                **{name: self._counts[name] for name in _COUNTS},
            )

    # --- in memory -------------------------------------------------------------------------------

    def _from_memory(self, key: str) -> Entry | None:
        cleared_ns = self._when_cleared()
        with self._lock:
            if cleared_ns != self._cleared_ns:
                self._memory.clear()
                self._cleared_ns = cleared_ns
            found = self._memory.get(key)
            # The memory reckons with the time of day at which it was put there; a clock that was wrong is set back.
            if found is None or self._ends_s(key, found, now_s := self._clock.wall_s()) <= now_s:
                self._memory.pop(key, None)
                return None
        entry = decode(key, found.data)
        if entry is None:
            self._dropped(key, "in memory")
            with self._lock:
                self._memory.pop(key, None)
            return None
        self._count("memory_hits")
        self._shelf.use(key)  # or what is asked for most would be the first to go from the disk
        return entry

    def _ends_s(self, _key: str, found: Found, now_s: float) -> float:
        ttl_s = math.inf if self.config.ttl_s is None else self.config.ttl_s
        # What comes from so far ahead was put there by a clock that was wrong.
        return found.made_s + ttl_s if found.made_s <= now_s + ttl_s else -math.inf

    def _into_memory(self, key: str, found: Found) -> bool:
        with self._lock:
            self._memory.pop(key, None)
            if _held_bytes(found) > self.config.memory_bytes:
                return False
            before = len(self._memory)
            self._memory[key] = found
            self._counts["memory_evicted"] += before + 1 - len(self._memory)
        return True

    # --- on disk ---------------------------------------------------------------------------------

    def _from_disk(self, key: str) -> Entry | None:
        if not self.config.disk_bytes:
            return None
        try:
            found = self._shelf.read(key, self.config.entry_bytes)
        except OSError as fault:
            self._failed("failed_reads", f"a remembered result cannot be read: {fault.strerror}")
            return None
        if found is None:
            return None
        now_s = self._clock.wall_s()
        is_old = self._ends_s(key, found, now_s) <= now_s
        entry = None if is_old else decode(key, found.data)
        if entry is not None:
            self._count("disk_hits")
            self._into_memory(key, found)
            return entry
        if not is_old:
            self._dropped(key, "on disk")
        with suppress(OSError):  # where it cannot be removed it is missing all the same, whenever it is asked for
            self._shelf.remove(key)
        return None

    def _onto_disk(self, key: str, data: bytes) -> bool:
        if not self._shelf.fits(len(data)):
            return False
        try:
            evicted = self._shelf.write(key, data)
        except OSError as fault:
            self._failed("failed_writes", f"a result cannot be remembered: {fault.strerror}")
            return False
        self._count("disk_evicted", evicted)
        self._last_fault = None
        return True

    def _tell_others(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.folder / _CLEARED).touch(mode=0o600)

    def _when_cleared(self) -> int | None:
        try:
            return (self.folder / _CLEARED).stat().st_mtime_ns
        except OSError:
            return None

    # --- what is told ----------------------------------------------------------------------------

    def _count(self, name: str, by: int = 1) -> None:
        with self._lock:
            self._counts[name] += by

    def _dropped(self, key: str, where: str) -> None:
        self._count("corrupt")
        _log.warning("a remembered result %s is damaged and was dropped: %s", where, key)

    def _failed(self, name: str, what: str) -> None:
        """Count a fault, and log it unless it was the last thing that was logged."""
        self._count(name)
        with self._lock:
            told, self._last_fault = self._last_fault == what, what
        if not told:
            _log.warning("%s", what)

    def __repr__(self) -> str:
        with self._lock:
            return f"ResultCache({str(self.folder)!r}, {len(self._memory)} in memory)"


#: Fields of a report that are counted.
_COUNTS = (
    "memory_hits", "disk_hits", "misses", "corrupt", "memory_evicted", "disk_evicted", "failed_reads", "failed_writes",
)  # fmt: skip


def _held_bytes(found: Found) -> int:
    return len(found.data) + _OVERHEAD_BYTES
