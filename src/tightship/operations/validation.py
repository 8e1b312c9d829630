"""Whether an operation can be done here, with these options, and what its options are then."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib.util import find_spec
from typing import Any

from tightship.errors import ExtraMissing, InvalidOptions
from tightship.operations.operation import Operation

#: Characters of a wrong option or value that are worth repeating.
_SHOWN_CHARS = 40


def check(operation: Operation, options: Mapping[str, Any], *, folders: bool = True) -> None:
    """Make sure, before there is a job, that it can be done here.

    Args:
        folders: Whether the options may name folders of this machine.

    Raises:
        ExtraMissing: Something is not installed.
        InvalidOptions: See `validate`.
        ModelNotFound, ModelUnusable: The model is not to be had.
    """
    require(operation)
    chosen = validate(operation, options)
    if operation.session is not None:
        operation.session(chosen, folders)


def require(operation: Operation) -> None:
    """Look for what an operation needs to have installed, without importing it.

    Raises:
        ExtraMissing: Something is not installed; the message holds the command that installs it.
    """
    for module in operation.modules:
        if find_spec(module) is None:
            raise ExtraMissing.of(module)


def validate(operation: Operation, options: Mapping[str, Any]) -> Any:
    """Return the operation's options with their defaults, checked.

    Raises:
        InvalidOptions: One is unknown, of the wrong type or out of range; the message names it and its value.
    """
    known = {option.name for option in fields(operation.options)}
    if unknown := sorted(set(options) - known):
        takes = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
        name = unknown[0][:_SHOWN_CHARS]
        raise InvalidOptions(f"{operation.name} has no option {name!r}; {takes}", option=name)
    for name, value in options.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidOptions(f"{operation.name}: {name} must be a finite number, not {value}", option=name)
    return _validated(operation, options)


def _validated(operation: Operation, options: Mapping[str, Any]) -> Any:
    from pydantic import ValidationError

    try:
        adapter = _adapter(operation.options)  # type: ignore[arg-type]  # mypy 2.4 takes classes for unhashable
        return adapter.validate_python(dict(options))
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"])) or "options"
        shown = repr(first["input"])[:_SHOWN_CHARS]
        raise InvalidOptions(f"{operation.name}: {name}: {first['msg']}, not {shown}", option=name) from None


@cache
def _adapter(options: Any) -> Any:
    try:
        from pydantic import TypeAdapter
    except ImportError:
        raise ExtraMissing.of("pydantic") from None
    return TypeAdapter(options)
