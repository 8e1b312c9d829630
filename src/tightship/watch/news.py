"""What the system tells of changes: paths, as they come, up to a bound. What is lost is found by the next scan."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tightship.core.bell import Bell

#: Most changed paths that are remembered; with more, everything is looked through.
MOST_PATHS = 10_000
#: Milliseconds within which changes are told together, and after which the thread looks whether it is to end.
_GROUP_MS, _LOOK_UP_MS = 200, 500

_log = logging.getLogger("tightship")


class News:
    """Paths that have changed.

    Args:
        concerns: Whether a path is of interest.
    """

    def __init__(self, concerns: Callable[[Path], bool], limit: int = MOST_PATHS) -> None:
        self._concerns = concerns
        self._limit = limit
        self._lock = threading.Lock()
        self._bell = Bell()
        self._paths: set[Path] = set()
        self._lost = False

    def add(self, path: Path) -> None:
        """Remember that a path has changed."""
        if not self._concerns(path):
            return
        with self._lock:
            if len(self._paths) < self._limit:
                self._paths.add(path)
            else:
                self._lost = True
        self._bell.ring()

    def lose(self) -> None:
        """Say that something may have changed unseen."""
        with self._lock:
            self._lost = True
        self._bell.ring()

    def take(self) -> tuple[set[Path], bool]:
        """Return the paths that have changed since the last time, and whether there were more."""
        with self._lock:
            told = self._paths, self._lost
            self._paths, self._lost = set(), False
            return told

    def wait(self, timeout_s: float) -> None:
        """Wait for news, no longer than that."""
        self._bell.wait(timeout_s)

    def __repr__(self) -> str:
        return f"<News: {len(self._paths)} paths{', and more' if self._lost else ''}>"


@contextmanager
def follow(news: News, roots: tuple[Path, ...], recursive: bool, on_fault: Callable[[str], None]) -> Iterator[None]:
    """Let the system tell `news` of changes below these folders, until the block ends.

    A thread takes what is told at once: the system, and the library, keep it in memory until somebody does.

    Args:
        on_fault: Told when the system refuses, or stops.
    """
    stop = threading.Event()

    def listen() -> None:
        try:
            try:
                _listen(news, roots, recursive, stop, lenient=False)
            except PermissionError:  # of one folder: the others are worth listening to
                _listen(news, roots, recursive, stop, lenient=True)
        except Exception as fault:  # noqa: BLE001 - limits, a folder that is gone, the library itself: scans go on
            _log.debug("no news of changes", exc_info=True)
            on_fault(str(fault))

    thread = threading.Thread(target=listen, name="tightship-news", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _listen(news: News, roots: tuple[Path, ...], recursive: bool, stop: threading.Event, *, lenient: bool) -> None:
    """Listen until `stop` is set; `lenient` passes over every refusal, not only those for want of rights."""
    from watchfiles import Change, watch

    told = watch(
        *roots,
        watch_filter=None,
        debounce=_GROUP_MS,
        rust_timeout=_LOOK_UP_MS,
        stop_event=stop,
        yield_on_timeout=False,
        raise_interrupt=False,
        force_polling=False,
        recursive=recursive,
        ignore_permission_denied=lenient,
    )
    for changes in told:
        for change, path in changes:
            # Of what is gone there is nothing to do; a name that cannot be told is found by the scans.
            if change is not Change.deleted:
                news.add(Path(os.fsdecode(path)))
