"""Settings from the environment: one variable for each field of a frozen dataclass."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from tightship.errors import InvalidOptions, TightshipError
from tightship.units import parse_bytes, parse_seconds

T = TypeVar("T")

_TRUTH = {**dict.fromkeys(("1", "true", "yes", "on"), True), **dict.fromkeys(("0", "false", "no", "off"), False)}


@dataclass(frozen=True)
class Family:
    """The variables that set the fields of one dataclass, and of the dataclasses in it.

    A variable is named by the prefix and the path to its field: `TIGHTSHIP_SLOT_` and `restarts.within_s` give
    `TIGHTSHIP_SLOT_RESTARTS_WITHIN_S`. An empty variable counts as none.

    Args:
        prefix: What every name begins with, `_` included.
        kind: The dataclass.
        parts: Other words for parts of a path (`slots`, `restarts.within_s`); an empty one is passed over.
        names: Whole names for fields, in place of those that the rule gives.
        secret: Fields whose values are never repeated.
    """

    prefix: str
    kind: type[Any]
    parts: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    secret: frozenset[str] = frozenset()

    def variables(self) -> Mapping[str, str]:
        """Return the name of each field's variable by the field's dotted path."""
        return {path: name for path, name, _ in self._walk(self.kind, "", self.prefix)}

    def read(self, environment: Mapping[str, str], base: T) -> T:
        """Return `base` with the fields that variables are set for.

        Raises:
            InvalidOptions: A value cannot be read or is out of range; or a name begins with the prefix and sets
                nothing.
        """
        known = {name: (path, annotation) for path, name, annotation in self._walk(self.kind, "", self.prefix)}
        _refuse_unknown(environment, self.prefix, known)
        given = {
            path: _Given(name, environment[name].strip(), annotation, path in self.secret)
            for name, (path, annotation) in known.items()
            if environment.get(name, "").strip()
        }
        return _built(base, "", given) if given else base

    def _walk(self, kind: type[Any], path: str, prefix: str) -> Iterator[tuple[str, str, Any]]:
        hints = get_type_hints(kind)
        for each in fields(kind):
            inner = f"{path}{each.name}"
            part = self.parts.get(inner, each.name).upper()
            if is_dataclass(hints[each.name]):
                yield from self._walk(hints[each.name], f"{inner}.", f"{prefix}{part}_" if part else prefix)
            elif part:
                yield inner, self.names.get(inner, f"{prefix}{part}"), hints[each.name]


@dataclass(frozen=True)
class _Given:
    """A variable that is set."""

    name: str
    text: str
    annotation: Any
    secret: bool

    def value(self) -> Any:
        try:
            return _parsed(self.text, self.annotation, self.name.lower())
        except (ValueError, TightshipError) as wrong:
            raise self.refused(wrong) from None

    def refused(self, reason: Exception) -> InvalidOptions:
        if self.secret:
            return InvalidOptions(f"{self.name}: {reason}", variable=self.name)
        return InvalidOptions(f"{self.name}={self.text}: {reason}", variable=self.name, value=self.text)


def _built(base: T, path: str, given: Mapping[str, _Given]) -> T:
    """Return `base` with what is given for it and for the dataclasses in it."""
    own: dict[str, _Given] = {}
    inner: dict[str, Any] = {}
    for each in fields(base):  # type: ignore[arg-type]
        here = f"{path}{each.name}"
        if here in given:
            own[each.name] = given[here]
        elif any(other.startswith(f"{here}.") for other in given):
            inner[each.name] = _built(getattr(base, each.name), f"{here}.", given)
    values = {name: one.value() for name, one in own.items()}
    try:
        return _replaced(base, {**inner, **values})
    except (ValueError, TightshipError) as wrong:
        raise _culprit(base, own, values, wrong).refused(wrong) from None


def _replaced(base: T, values: Mapping[str, Any]) -> T:
    return replace(base, **values)  # type: ignore[type-var]


def _culprit(base: object, own: Mapping[str, _Given], values: Mapping[str, Any], wrong: Exception) -> _Given:
    """Return the variable that by itself is refused for the same reason; else the last one."""
    for name, one in own.items():
        try:
            _replaced(base, {name: values[name]})
        except (ValueError, TightshipError) as alone:
            if str(alone) == str(wrong):
                return one
    return list(own.values())[-1]


def _refuse_unknown(environment: Mapping[str, str], prefix: str, known: Iterable[str]) -> None:
    names = sorted(known)
    for name in sorted(environment):
        if name.startswith(prefix) and name not in names:
            near = get_close_matches(name, names, n=1, cutoff=0.0)[0]
            raise InvalidOptions(f"there is no setting {name}; the nearest is {near}", variable=name, nearest=near)


def _parsed(text: str, annotation: Any, name: str) -> Any:
    kinds = get_args(annotation) or (annotation,)
    if NoneType in kinds and text.lower() == "none":
        return None
    if get_origin(annotation) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if name.endswith("_bytes"):
        return parse_bytes(text)
    if name.endswith("_s"):
        return parse_seconds(text)
    kind = next(kind for kind in kinds if kind is not NoneType)
    return _READERS[kind](text)


def _truth(text: str) -> bool:
    if text.lower() not in _TRUTH:
        raise ValueError("write true or false")
    return _TRUTH[text.lower()]


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError("write a whole number")
    return int(text)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("write a number")
    return number


#: How the text of a variable becomes a value of a field's type.
_READERS: Mapping[Any, Callable[[str], Any]] = {bool: _truth, int: _whole, float: _number, str: str, Path: Path}
