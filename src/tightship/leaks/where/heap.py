"""Look at the Python heap under tracemalloc: what lives, which line made it, and what only the collector lets go."""

from __future__ import annotations

import ctypes
import gc
import random
import sys
import time
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tightship.leaks.where.block import EXPLAINED, WINDOWS, Growth, Held, Look, explained, growing
from tightship.leaks.where.rerun import Rerun, collect_all
from tightship.leaks.where.stack import Call, Stack, stack_from_lines, user_call

#: Calls that tracemalloc keeps of each allocation: enough to get out of most libraries.
TRACED_CALLS = 24
#: Steps of a window: at first, and each time that the lines do not explain the growth.
FIRST_WINDOW_STEPS, LARGER = 6, 4
#: Steps under a switched-off collector.
UNCOLLECTED_STEPS = 12
#: Type flag: instances keep a pointer to their dictionary in front of the collector's header.
_MANAGED_DICT = 1 << 4
#: The collector's header and the words in front of it.
_HEADER_BYTES = 4 * ctypes.sizeof(ctypes.c_void_p)
#: What get_object_traceback calls itself; None where Python does not export it.
_LOOK_UP = getattr(ctypes.pythonapi, "_PyTraceMalloc_GetTraceback", None)
if _LOOK_UP is not None:
    _LOOK_UP.argtypes, _LOOK_UP.restype = (ctypes.c_uint, ctypes.c_size_t), ctypes.py_object


@contextmanager
def tracing_memory() -> Iterator[None]:
    """Have tracemalloc on, and leave it as it was."""
    was_on = tracemalloc.is_tracing()
    if not was_on:
        tracemalloc.start(TRACED_CALLS)
    try:
        yield
    finally:
        if not was_on:
            tracemalloc.stop()


@contextmanager
def frozen() -> Iterator[None]:
    """Keep what is there already out of the collector's sight, so that what is new is found at once."""
    was_frozen = gc.get_freeze_count() > 0
    collect_all()
    gc.freeze()
    try:
        yield
    finally:
        if not was_frozen:
            gc.unfreeze()


@contextmanager
def unfrozen() -> Iterator[None]:
    """Let the collector see all objects for a moment: only then can holders be found among those that were frozen."""
    was_frozen = gc.get_freeze_count() > 0
    gc.unfreeze()
    try:
        yield
    finally:
        if was_frozen:
            gc.freeze()


class Heap:
    """What lives, by line; stacks are read once and remembered."""

    def __init__(self) -> None:
        self._stacks: dict[tracemalloc.Traceback, Stack] = {}

    def holding(self) -> dict[Call, Held]:
        """Return what each line holds now."""
        found: dict[Call, Held] = {}
        for entry in tracemalloc.take_snapshot().statistics("traceback"):
            stack = self.stack(entry.traceback)
            call = user_call(stack)
            if call is not None:
                found.setdefault(call, Held()).add(entry.count, entry.size, stack)
        return found

    def stack(self, traceback: tracemalloc.Traceback) -> Stack:
        """Return a traceback's calls without those of the instrument."""
        if traceback not in self._stacks:
            self._stacks[traceback] = stack_from_lines((call.filename, call.lineno) for call in traceback)
        return self._stacks[traceback]

    def stack_of(self, thing: object) -> Stack:
        """Return the calls that made an object; empty when it was made before the instrument was on."""
        traceback = tracemalloc.get_object_traceback(thing) or _traceback_before_header(thing)
        return () if traceback is None else self.stack(traceback)

    def made_at(self, thing: object) -> Call | None:
        """Return the line that made an object, None when it was made before the instrument was on."""
        return user_call(self.stack_of(thing))


def _traceback_before_header(thing: object) -> tracemalloc.Traceback | None:
    """Look an instance up at the address where its memory begins.

    Python 3.11 puts two words before the collector's header of an instance, and get_object_traceback forgets them.
    """
    if _LOOK_UP is None or not type(thing).__flags__ & _MANAGED_DICT:
        return None
    calls = _LOOK_UP(0, id(thing) - _HEADER_BYTES)
    return tracemalloc.Traceback(calls) if calls else None


def find_growing(rerun: Rerun, heap: Heap, slopes: Mapping[str, float], seed: int) -> list[Growth]:
    """Return the lines that keep growing, looked at in ever larger windows until they explain the slopes.

    Args:
        rerun: The step; the time that is left for it bounds the windows.
        heap: Of this process.
        slopes: Growth per step of `python_blocks` and the memory metrics, as the trial saw it.
        seed: Of the windows' lengths, which vary so that no period is met.
    """
    shuffle = random.Random(seed)
    window, best = FIRST_WINDOW_STEPS, list[Growth]()
    low, high = EXPLAINED
    rerun.run(2)
    while not rerun.over():
        started_s = time.monotonic()
        looks = _windows(rerun, heap, window, shuffle)
        if len(looks) <= WINDOWS and best:
            break
        best = growing(looks)
        enough = any(low <= explained(best, metric, slope) <= high for metric, slope in slopes.items())
        if enough or (time.monotonic() - started_s) * LARGER > rerun.remaining_s():
            break
        window *= LARGER
    return best


def _windows(rerun: Rerun, heap: Heap, window: int, shuffle: random.Random) -> list[Look]:
    looks = [_look(rerun, heap)]
    for _ in range(WINDOWS):
        if not rerun.run(shuffle.randint(window, window + window // 2)):
            break
        looks.append(_look(rerun, heap))
    return looks


def _look(rerun: Rerun, heap: Heap) -> Look:
    collect_all()
    before = sys.getallocatedblocks()
    holding = heap.holding()
    collect_all()
    return Look(rerun.steps, holding, before, sys.getallocatedblocks())


def find_uncollected(rerun: Rerun, heap: Heap) -> list[tuple[Growth, str]]:
    """Return the lines whose memory only the garbage collector lets go, with the type that it found there most."""
    was_on = gc.isenabled()
    collect_all()
    gc.disable()
    try:
        steps = rerun.run(UNCOLLECTED_STEPS)
        before, types = heap.holding(), _types_by_line(heap)
    finally:
        if was_on:
            gc.enable()
    collect_all()
    after = heap.holding()
    found = []
    for call, held in before.items():
        left = after.get(call, Held())
        if steps and held.blocks - left.blocks >= steps / 2:
            rate, rate_bytes = (held.blocks - left.blocks) / steps, (held.size_bytes - left.size_bytes) / steps
            common = types[call].most_common(1)
            found.append((Growth(call, held.stack, rate, rate_bytes), common[0][0] if common else "memory"))
    return sorted(found, key=lambda pair: -pair[0].bytes_per_step)


def _types_by_line(heap: Heap) -> dict[Call, Counter[str]]:
    types: dict[Call, Counter[str]] = defaultdict(Counter)
    for thing in gc.get_objects():
        call = heap.made_at(thing)
        if call is not None:
            types[call][type(thing).__qualname__] += 1
    return types
