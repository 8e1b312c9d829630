"""Plain JSON data back into dataclasses, checked: what another process sent is not to be believed."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def build(kind: type[T], data: Mapping[str, Any]) -> T:
    """Return a `kind` made of `data`; lists become tuples where the field is one.

    Raises:
        ValueError: A field is missing, unknown or of another type than its annotation says.
    """
    hints = _hints(kind)  # type: ignore[arg-type]  # mypy 2.4 takes classes for unhashable
    for name, value in data.items():
        if name not in hints:
            raise ValueError(f"{kind.__name__} has no field {name!r}")
        if not _fits(value, hints[name]):
            raise ValueError(f"{kind.__name__}.{name} is {type(value).__name__}, not {hints[name]}")
    try:
        return kind(**{name: _given(value, hints[name]) for name, value in data.items()})
    except TypeError as missing:
        raise ValueError(str(missing)) from None


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _fits(value: Any, hint: Any) -> bool:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any or hint is object:
        return True
    if origin in (Union, types.UnionType):
        return any(_fits(value, option) for option in arguments)
    if origin is Literal:
        return value in arguments
    if origin in (list, tuple):
        return isinstance(value, list | tuple) and all(_fits(item, arguments[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(item, arguments[1]) for item in value.values())
    if hint in (int, float):
        # A number that no machine counts with would only blow up later, where nobody expects it.
        number = isinstance(value, int if hint is int else int | float) and not isinstance(value, bool)
        return number and abs(value) < (2**63 if hint is int else 1e308)
    return isinstance(value, hint)


def _given(value: Any, hint: Any) -> Any:
    return tuple(value) if get_origin(hint) is tuple else value
