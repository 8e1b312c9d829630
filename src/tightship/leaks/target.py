"""From what people write, `module:callable`, to the step that it names."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from tightship.leaks.fault import StepFailed, StepNotFound


def is_test(text: str) -> bool:
    """Tell `path/test_x.py::test_y`, a test of pytest, from `module:callable`."""
    return "::" in text


def callable_at(text: str, folder: Path) -> Callable[..., Any]:
    """Return what `module:callable` names.

    `module:Class.method` makes a new object for each step; `module:Class` is a step itself, entered and left where its
    objects are context managers.

    Args:
        text: What to find; dots after the colon go into what is named before them.
        folder: Where modules are looked for first.

    Raises:
        StepNotFound: There is no such module, nothing of this name in it, or it cannot be called.
        StepFailed: The module raises an error when it is imported.
    """
    name, colon, path = text.partition(":")
    if not (name and colon and all(part.isidentifier() for part in path.split("."))):
        raise StepNotFound(f"{text!r} names no step; write module:callable, path/test_x.py::test_y or -- command")
    owner: Any = None
    found: Any = _module(name, folder)
    for part in path.split("."):
        owner, found = found, _attribute(found, part, text)
    if not callable(found):
        raise StepNotFound(f"{text} cannot be called: it is of type {type(found).__name__}")
    return _of_new_object(owner, found) if inspect.isclass(owner) else found


def culprit(error: BaseException, folder: Path) -> str | None:
    """Return `file:line` of the innermost call in the user's own files, else of the innermost call of all."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_below(frame.filename, folder)]
    if not frames:
        return None
    frame = (own or frames)[-1]
    path = Path(frame.filename)
    return f"{path.relative_to(folder) if _is_below(frame.filename, folder) else path}:{frame.lineno}"


def told(error: BaseException, folder: Path) -> str:
    """Return an error in short: its type, its text, and the line of the user's that it came from."""
    text = " ".join(str(error).split())
    place = culprit(error, folder)
    if isinstance(error, SyntaxError):  # its text holds the line already
        place = None
    return f"{type(error).__name__}{f': {text}' if text else ''}{f' ({place})' if place else ''}"


def _module(name: str, folder: Path) -> ModuleType:
    place = str(folder)
    if place not in sys.path:
        sys.path.insert(0, place)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        # A module that is there and lacks another one has failed, it is not missing.
        if missing.name is not None and f"{name}.".startswith(f"{missing.name}."):
            raise StepNotFound(f"there is no module {missing.name} in {folder}, nor is it installed") from None
        raise StepFailed(f"{name} cannot be imported: {told(missing, folder)}") from missing
    except (Exception, SystemExit) as error:
        raise StepFailed(f"{name} cannot be imported: {told(error, folder)}") from error


def _attribute(owner: Any, name: str, text: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError:
        near = get_close_matches(name, _names(owner), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise StepNotFound(f"{text} is not there: {_called(owner)} has no {name}{hint}") from None


def _names(owner: Any) -> Sequence[str]:
    return [name for name in dir(owner) if not name.startswith("_")]


def _called(owner: Any) -> str:
    return getattr(owner, "__name__", None) or f"the {type(owner).__name__}"


def _of_new_object(owner: type, found: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method as a step: with an object of its own where it needs one."""
    if not inspect.isfunction(inspect.getattr_static(owner, getattr(found, "__name__", ""), None)):
        return found

    @functools.wraps(found)
    def step() -> Any:
        return found(owner())

    del step.__wrapped__  # the step takes no argument
    return step


def _is_below(file: str, folder: Path) -> bool:
    path = Path(file)
    # A virtual environment often lies in the user's folder, and is not the user's own.
    return path.is_relative_to(folder) and "site-packages" not in path.parts
