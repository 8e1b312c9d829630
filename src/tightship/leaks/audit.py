"""Hear what Python tells of: files that are made, processes that are started."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

Listener = Callable[[str, tuple[Any, ...]], None]


class _Hook:
    """Python has no way to take an audit hook off again, so it is there once, and outside a trial does nothing."""

    def __init__(self) -> None:
        #: Replaced and never changed: whoever hears an event in another thread reads it without a lock.
        self._listeners: dict[str, tuple[Listener, ...]] = {}
        self._changing = threading.Lock()
        self._is_installed = False

    def install(self) -> None:
        if not self._is_installed:
            sys.addaudithook(self._hear)
            self._is_installed = True

    def add(self, events: Collection[str], listener: Listener) -> None:
        with self._changing:
            now = self._listeners
            self._listeners = {**now, **{event: (*now.get(event, ()), listener) for event in events}}

    def remove(self, events: Collection[str], listener: Listener) -> None:
        """Take one off and leave the others, in whatever order their blocks end."""
        with self._changing:
            now = dict(self._listeners)
            for event in events:
                now[event] = tuple(other for other in now[event] if other is not listener)
                if not now[event]:
                    del now[event]
            self._listeners = now

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        listeners = self._listeners.get(event)
        if listeners is not None:
            for listener in listeners:
                listener(event, arguments)


_hook = _Hook()


@contextmanager
def hearing(events: Collection[str], listener: Listener) -> Iterator[None]:
    """Call `listener` with each of the events inside the block; it runs in the middle of them and must not raise."""
    _hook.install()
    _hook.add(events, listener)
    try:
        yield
    finally:
        _hook.remove(events, listener)
