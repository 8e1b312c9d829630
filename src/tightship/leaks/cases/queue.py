"""A queue that refuses what it holds already, by the ids of the items.

Suspected: the queue, or its threads. True: the queue is clean; the set of ids beside it leaks whenever the work fails,
because the id is only removed after the work. A test in which all work succeeds is steady.
Cure: remove the id when the item is taken out, or in `finally`.
"""

from __future__ import annotations

import itertools
from queue import SimpleQueue

#: Packages that must be installed, by what is imported.
NEEDS: dict[str, str] = {}

_queue: SimpleQueue[str] = SimpleQueue()
_queued: set[str] = set()
_numbers = itertools.count()


def failed() -> None:
    """An id is removed from the set only after work that fails."""
    _put(f"job-{next(_numbers)}")
    item = _queue.get()
    try:
        _work(item)
        _queued.discard(item)
    except ValueError:
        pass


def failed_cured() -> None:
    """The id is removed in `finally`."""
    _put(f"job-{next(_numbers)}")
    item = _queue.get()
    try:
        _work(item)
    except ValueError:
        pass
    finally:
        _queued.discard(item)


def _put(item: str) -> None:
    if item not in _queued:
        _queued.add(item)
        _queue.put(item)


def _work(item: str) -> None:
    raise ValueError(item)
