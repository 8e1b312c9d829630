"""Hear what Python tells of: files that are made, processes that are started."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

Listener = Callable[[str, tuple[Any, ...]], None]


class _Hook:
    """Python has no way to take an audit hook off again, so it is there once, and outside a trial does nothing."""

    def __init__(self) -> None:
        self.listeners: dict[str, tuple[Listener, ...]] = {}
        self._is_installed = False

    def install(self) -> None:
        if not self._is_installed:
            sys.addaudithook(self._hear)
            self._is_installed = True

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        listeners = self.listeners.get(event)
        if listeners is not None:
            for listener in listeners:
                listener(event, arguments)


_hook = _Hook()


@contextmanager
def hearing(events: Collection[str], listener: Listener) -> Iterator[None]:
    """Call `listener` with each of the events inside the block; it runs in the middle of them and must not raise."""
    _hook.install()
    before = _hook.listeners
    _hook.listeners = {**before, **{event: (*before.get(event, ()), listener) for event in events}}
    try:
        yield
    finally:
        _hook.listeners = before
