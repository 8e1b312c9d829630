"""A process that puts and gets results in a cache that it shares, and tells whether one was ever wrong."""

from __future__ import annotations

import hashlib
import json
import random
import sys
from pathlib import Path

from tightship.store.cache import ResultCache
from tightship.store.config import CacheConfig
from tightship.store.entry import Entry

#: Results that are asked for: more than fit.
KEYS = 12


def key_of(number: int) -> str:
    """Return the key of a result."""
    return hashlib.sha256(b"%d" % number).hexdigest()


def entry_of(number: int) -> Entry:
    """Return the result that belongs to a key: each of another length."""
    return Entry({"number": number}, (), key_of(number).encode() * (40 + 30 * number))


def main() -> None:
    """Do so as often as the command line says, then print what was counted."""
    folder, disk_bytes, times, seed = Path(sys.argv[1]), *map(int, sys.argv[2:])
    cache = ResultCache(folder, CacheConfig(2**12, disk_bytes, reserve_bytes=0))
    chance = random.Random(seed)
    wrong = 0
    for _ in range(times):
        number = chance.randrange(KEYS)
        found = cache.get(key_of(number))
        if found is None:
            cache.put(key_of(number), entry_of(number))
        elif found != entry_of(number):
            wrong += 1
    print(json.dumps({**vars(cache.report()), "wrong": wrong}))


if __name__ == "__main__":
    main()
