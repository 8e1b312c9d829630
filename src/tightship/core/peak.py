"""One high-water mark per process, shared by all the scopes that are open in it."""

from __future__ import annotations

import os
import threading
import weakref

from tightship.core import procfs
from tightship.core.footprint import memory_bytes


class PeakWatch:
    """Knows the most memory this process, with its children, held while the watch was open.

    The kernel keeps a single mark, and a watch that opens must set it back. So before each reset the mark is credited
    to every watch that is open; they may be nested and may overlap, across threads too.
    Where the mark cannot be reset (`procfs.PeakReset`), a peak below the mark's old record is missed and only what was
    held at the watch's two ends counts. The marks of children are never reset, and children that end unseen between
    the two ends do not count.
    """

    def __init__(self) -> None:
        with _state.lock:
            _state.credit()
            _state.reset().reset()
            self._own_bytes, self._mark_bytes = _held_and_mark_bytes()
            self._children = _children_marks()
            _state.watches.add(self)

    def sample(self) -> int:
        """Return the peak until now, in bytes: this process's own, and beside it the peaks of the children alive."""
        with _state.lock:
            if self in _state.watches:
                _state.credit()
        children_bytes = 0
        for child, mark_bytes in _children_marks().items():
            # A mark that has not moved may be older than this watch.
            moved = mark_bytes != self._children.get(child)
            children_bytes += mark_bytes if moved else procfs.memory_bytes(child)
        return self._own_bytes + children_bytes

    def close(self) -> None:
        """Stop watching; a second call does nothing."""
        with _state.lock:
            _state.watches.discard(self)

    def credit(self, mark_bytes: int, now_bytes: int) -> None:
        """Take note of the process's mark, before somebody resets it, and of what it holds now."""
        moved = mark_bytes != self._mark_bytes or _state.reset().available
        self._own_bytes = max(self._own_bytes, now_bytes, mark_bytes if moved else 0)


def prepare() -> bool:
    """Open what resetting the mark needs, before this process is confined; return whether it can be reset."""
    with _state.lock:
        return _state.reset().available


class _State:
    """What the watches of one process share."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        #: Weak, so that a watch that is dropped unclosed costs nothing.
        self.watches: weakref.WeakSet[PeakWatch] = weakref.WeakSet()
        self._reset: procfs.PeakReset | None = None

    def reset(self) -> procfs.PeakReset:
        if self._reset is None:
            self._reset = procfs.PeakReset()
        return self._reset

    def credit(self) -> None:
        if not self.watches:
            return
        now_bytes, mark_bytes = _held_and_mark_bytes()
        for watch in self.watches:
            watch.credit(mark_bytes, now_bytes)

    def start_over(self) -> None:
        """Forget the parent's watches, its file and a lock that another of its threads may have held."""
        if self._reset is not None:
            self._reset.close()
        self.__init__()  # type: ignore[misc]


def _held_and_mark_bytes() -> tuple[int, int]:
    if procfs.available():
        return procfs.memory_and_high_water_bytes(os.getpid())
    held_bytes = memory_bytes()
    return held_bytes, held_bytes


def _children_marks() -> dict[int, int]:
    below = procfs.descendants(os.getpid()) if procfs.available() else []
    return {child: procfs.high_water_bytes(child) for child in below}


_state = _State()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_state.start_over)
