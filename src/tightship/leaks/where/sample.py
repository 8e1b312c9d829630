"""Find some of the live objects that a line made, also those that the garbage collector does not list."""

from __future__ import annotations

import gc
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator

from tightship.leaks.where.heap import Heap
from tightship.leaks.where.holder import search, type_name, words
from tightship.leaks.where.stack import Call

#: Objects of a line that are kept for a look at their types.
SAMPLES = 40

_CONTAINERS = (list, deque, dict, set)

#: Objects made at each line.
Samples = dict[Call, list[object]]


def sample(heap: Heap, calls: Collection[Call], is_over: Callable[[], bool]) -> Samples:
    """Return live objects made at each of the lines: those that are listed, else those that containers hold."""
    found: Samples = defaultdict(list)
    new = gc.get_objects()
    _pick(heap, new, calls, found, is_over)
    if any(call not in found for call in calls):
        _pick(heap, _held(new), calls, found, is_over)
    del new
    return found


def sample_held(heap: Heap, calls: Collection[Call], found: Samples, is_over: Callable[[], bool]) -> None:
    """Add untracked objects (bytes, numbers, text) that older containers hold."""
    missing = [call for call in calls if call not in found]
    if missing:
        _pick(
            heap,
            map(_newest, (thing for thing in gc.get_objects() if type(thing) in _CONTAINERS)),
            missing,
            found,
            is_over,
        )
    if any(call not in found for call in missing):
        _pick(heap, _held(gc.get_objects()), missing, found, is_over)


def _newest(container: object) -> object:
    """Return the entry that came last into a container: what grows, grows there, and this is quick."""
    try:
        if type(container) is list or type(container) is deque:
            return container[-1]
        if type(container) is dict:
            return next(reversed(container.values()))
        if type(container) is set:
            return next(iter(container))
    except (IndexError, StopIteration, RuntimeError):  # the last: another thread changed it just then
        pass
    return None


def _held(containers: Iterable[object]) -> Iterator[object]:
    for container in containers:
        yield from (thing for thing in gc.get_referents(container) if not gc.is_tracked(thing))


def _pick(
    heap: Heap, things: Iterable[object], calls: Collection[Call], found: Samples, is_over: Callable[[], bool]
) -> None:
    wanted = {call for call in calls if len(found.get(call, ())) < SAMPLES}
    for index, thing in enumerate(things):
        if not wanted or (index % 256 == 0 and is_over()):
            return
        call = heap.made_at(thing)
        if call is not None and call in wanted:
            found[call].append(thing)
            if len(found[call]) >= SAMPLES:
                wanted.remove(call)


def describe(heap: Heap, call: Call, things: list[object], is_over: Callable[[], bool]) -> tuple[str, tuple[str, ...]]:
    """Return what a line made that stays, and who keeps it.

    What the line made is often one object inside the other: the outermost one is named.
    """
    if not things:
        return "memory", ()
    types = Counter(type(thing) for thing in things)
    kind = types.most_common(1)[0][0]
    newest = [thing for thing in things if type(thing) is kind][-1]
    way = search(newest, is_over, (id(things),))
    outermost = max(index for index, thing in enumerate(way) if index == 0 or _made_as_often(heap, thing, call, types))
    return type_name(way[outermost]), words(way[outermost:])


def _made_as_often(heap: Heap, thing: object, call: Call, types: Counter[type]) -> bool:
    return types[type(thing)] * 2 >= max(types.values()) and heap.made_at(thing) == call
