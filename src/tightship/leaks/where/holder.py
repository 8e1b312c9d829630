"""Who keeps an object alive: the shortest way to a module, a class, a function or a running frame, in words."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from types import CellType, CodeType, CoroutineType, FrameType, FunctionType, GeneratorType, ModuleType, TracebackType
from typing import Any

from tightship.leaks.where.stack import is_own

#: Links that are followed, and holders that are looked at for each of them.
MAX_DEPTH, MAX_WIDTH = 12, 60
#: Holders of one level that are looked at: an event loop is held by each of its timers.
MAX_HOLDERS = 1000
#: What no chain goes on from: they live as long as the program does.
_ROOTS = (ModuleType, type)
#: They are told of with what they hold, not by themselves.
_SILENT = (*_ROOTS, FunctionType, FrameType, TracebackType, CellType)
_NAMESPACES = (dict, type(type.__dict__))


@dataclass(slots=True, eq=False)
class _Link:
    """A holder, and the link to what it holds; the object searched for has none."""

    thing: object
    held: _Link | None


def search(thing: object, is_over: Callable[[], bool], ignored: Collection[int] = ()) -> list[object]:
    """Return the objects of the shortest way from an object to a root, or of a way that leads nowhere.

    Args:
        thing: The object.
        is_over: Tells when the search must end with what it has.
        ignored: Ids of holders that are the caller's own.
    """
    first = _Link(thing, None)
    seen = {id(thing), *ignored}
    level, best = [first], first
    for _ in range(MAX_DEPTH):
        following: list[_Link] = []
        for link in _links_above(level, seen):
            seen.add(id(link.thing))
            if _is_root(link.thing):
                return _without_instrument(_way(link))
            following.append(link)
            if is_over():
                return _way(best)
        if not following:
            break
        level, best = following[:MAX_WIDTH], following[0]
        if is_over():
            break
    return _way(best)


def _without_instrument(way: list[object]) -> list[object]:
    """Leave out what runs the step and holds all of it."""
    if not _runs_the_step(way[-1]):
        return way
    return way[:-2] if _is_namespace_of(way[-2], way[-1]) else way[:-1]


def _way(link: _Link | None) -> list[object]:
    way: list[object] = []
    while link is not None:
        way.append(link.thing)
        link = link.held
    return way[::-1]


def _is_root(thing: object) -> bool:
    return _runs_the_step(thing) or isinstance(thing, _ROOTS) or (type(thing) is dict and _module_of(thing) is not None)


def _runs_the_step(thing: object) -> bool:
    module = type(thing).__module__
    return module.startswith("tightship.leaks.") and not module.startswith("tightship.leaks.cases")


def _links_above(level: list[_Link], seen: set[int]) -> Iterator[_Link]:
    """Yield the holders of what a level of links found; the search's own objects are none."""
    things = [link.thing for link in level]
    own = {id(things), id(level)}
    for holder in sorted(gc.get_referrers(*things), key=_rank)[:MAX_HOLDERS]:
        number = id(holder)
        if number in own or number in seen or _is_instrument(holder):
            continue
        # By identity: asking for a number raises an audit event, which costs a hundred times as much in here.
        held = next((link for thing in gc.get_referents(holder) for link in level if link.thing is thing), None)
        if held is not None:
            yield _Link(holder, held)


def _rank(holder: object) -> int:
    """Put first what names the thing best: a frame often holds for a moment what something else keeps."""
    if isinstance(holder, _ROOTS) or (type(holder) is dict and _module_of(holder) is not None):
        return 0
    return 2 if isinstance(holder, FrameType) else 1


def _is_instrument(holder: object) -> bool:
    if isinstance(holder, FrameType):
        return is_own(holder.f_code.co_filename)
    if isinstance(holder, GeneratorType):
        return is_own(holder.gi_code.co_filename)
    return isinstance(holder, _Link | CodeType)


def words(way: Sequence[object]) -> tuple[str, ...]:
    """Return a way in words: each holder by its type and by how its own holder calls it."""
    told: list[str] = []
    index = 0
    while index < len(way):
        held = way[index]
        name, used = _called(way, index)
        if name:
            told.append(name if index == 0 else f"{type_name(held)} {name}")
        elif index and used == 1:
            told.append(_alone(held, last=index == len(way) - 1))
        index += used
    return tuple(text for text in told if text)


def _alone(held: object, *, last: bool) -> str:
    if isinstance(held, _SILENT) or (type(held) is dict and _module_of(held) is not None):
        return ""
    return f"{type_name(held)}, kept by a running function or by native code" if last else type_name(held)


def _called(way: Sequence[object], index: int) -> tuple[str, int]:
    """Return how the holder of an object calls it, and how many links that takes."""
    held, rest = way[index], way[index + 1 : index + 4]
    if not rest:
        return "", 1
    holder, above = rest[0], rest[1] if len(rest) > 1 else None
    if isinstance(holder, _NAMESPACES):
        return _in_namespace(held, holder, above, rest[2] if len(rest) > 2 else None)
    if isinstance(holder, CellType):
        function = next((thing for thing in rest if isinstance(thing, FunctionType)), None)
        return (f"closure of function {_name(function)}", 1 + rest.index(function)) if function else ("closure", 1)
    if isinstance(holder, tuple) and isinstance(above, FunctionType):
        return f"default argument of function {_name(above)}", 2
    if isinstance(holder, FrameType):
        return _in_frame(held, holder, above), 1
    return _in_object(held, holder), 1


def _in_namespace(held: object, holder: object, above: object, beyond: object) -> tuple[str, int]:
    assert isinstance(holder, dict)
    key = next((key for key, value in list(holder.items()) if value is held), None)
    module = _module_of(holder)
    if module is not None:
        return f'"{key}" in module {module}', 2
    if above is not None and isinstance(key, str) and _is_namespace_of(holder, above):
        owner = f"class {_name(above)}" if isinstance(above, type) else type_name(above)
        return f'attribute "{key}" of {owner}', 2
    if isinstance(beyond, threading.local):
        return f'"{key}" of a thread-local', 3
    return "", 1


def _in_object(held: object, holder: object) -> str:
    if isinstance(holder, GeneratorType | CoroutineType):
        return f"in {type(holder).__name__} {holder.__qualname__}"
    if isinstance(holder, type):
        return f'attribute "{_attribute(held, vars(holder))}" of class {_name(holder)}'
    if isinstance(holder, FunctionType):
        return f"default argument or attribute of function {_name(holder)}"
    if isinstance(holder, BaseException) and isinstance(held, TracebackType):
        return f"of {type_name(holder)}"
    if type(holder).__name__ == "_lru_cache_wrapper":
        return f"in the lru_cache of {_name(holder)}"
    try:
        inline = vars(holder)
    except TypeError:
        return ""
    name = _attribute(held, inline)
    return f'attribute "{name}" of {type_name(holder)}' if name else ""


def _attribute(held: object, names: object) -> str | None:
    assert isinstance(names, _NAMESPACES)
    return next((str(key) for key, value in list(names.items()) if value is held), None)


def _in_frame(held: object, frame: FrameType, above: object) -> str:
    where = f"frame of {frame.f_code.co_qualname}"
    if isinstance(above, TracebackType):
        where += " (in an exception's traceback)"
    # A running frame would keep what f_locals shows; those that hold an object here have ended or are suspended.
    name = _attribute(held, frame.f_locals)
    return f'"{name}" in {where}' if name else f"in {where}"


def _is_namespace_of(names: object, owner: object) -> bool:
    if isinstance(owner, type):
        return True
    # Asking makes no dictionary here: the owner was found because it refers to one.
    return getattr(owner, "__dict__", None) is names


def _module_of(names: dict[Any, Any]) -> str | None:
    name = names.get("__name__") if "__name__" in names else None
    module = sys.modules.get(name) if isinstance(name, str) else None
    return name if module is not None and getattr(module, "__dict__", None) is names else None


def type_name(thing: object) -> str:
    """Return a type's name with its module, where that is not the builtins'."""
    kind = type(thing)
    if kind.__module__ in ("builtins", "__main__") or kind is threading.Thread:
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def _name(thing: object) -> str:
    return str(getattr(thing, "__qualname__", type(thing).__qualname__))
