"""News for whoever waits for it: by key, to all who wait, kept for nobody else."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")

#: Keys that are known to have had news: who asks later than so many others is not told so.
REMEMBERED = 64


class Expectation(Generic[T]):
    """What one waiter has been told, in order."""

    def __init__(self) -> None:
        self._told: SimpleQueue[T | None] = SimpleQueue()

    def tell(self, news: T | None) -> None:
        """Add a piece of news, or None to have the waiter look for itself."""
        self._told.put(news)

    def wait(self, timeout_s: float) -> T | None:
        """Return the next piece of news; None when there was none in time, or its content was not told."""
        try:
            return self._told.get(timeout=timeout_s)
        except Empty:
            return None


class Notices(Generic[T]):
    """Bring news from the threads that make it to those that wait for it; who comes too late looks for himself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lately: deque[str] = deque(maxlen=REMEMBERED)
        self._expected: dict[str, list[Expectation[T]]] = {}

    @contextmanager
    def expecting(self, key: str) -> Iterator[Expectation[T]]:
        """Collect the news of `key` from now until the block ends, after a None where there was some just before."""
        expectation = Expectation[T]()
        with self._lock:
            if key in self._lately:
                expectation.tell(None)
            self._expected.setdefault(key, []).append(expectation)
        try:
            yield expectation
        finally:
            with self._lock:
                self._expected[key].remove(expectation)
                if not self._expected[key]:
                    del self._expected[key]

    def post(self, key: str, news: T | None) -> None:
        """Tell all who wait for `key`; None has them look for themselves."""
        with self._lock:
            self._lately.append(key)
            for expectation in self._expected.get(key, ()):
                expectation.tell(news)

    def wake(self) -> None:
        """Have all who wait look for themselves."""
        with self._lock:
            for expectation in (each for waiting in self._expected.values() for each in waiting):
                expectation.tell(None)

    def __repr__(self) -> str:
        return f"<Notices: {sum(map(len, self._expected.values()))} expected>"
