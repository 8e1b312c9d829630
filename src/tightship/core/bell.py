"""A bell: it wakes one of the threads that wait for work, and no more."""

from __future__ import annotations

import threading


class Bell:
    """Wake one thread that waits; a ring that finds nobody waiting is kept for the next who would.

    Rings are not counted: whoever wakes and finds more than it can do itself rings again. So one piece of work wakes
    one thread, and many wake as many as there are.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rung = False
        self._stopped = False

    def ring(self) -> None:
        """Wake one thread, now or when it next waits."""
        with self._changed:
            self._rung = True
            self._changed.notify()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for a ring, no longer than `timeout_s`; return whether there was one."""
        with self._changed:
            self._changed.wait_for(lambda: self._rung or self._stopped, timeout_s)
            rung, self._rung = self._rung, False
            return rung

    @property
    def stopped(self) -> bool:
        """Whether nobody is to wait any more."""
        return self._stopped

    def stop(self) -> None:
        """Wake all threads; from now on nobody waits."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def __repr__(self) -> str:
        return f"<Bell {'stopped' if self._stopped else 'rung' if self._rung else 'silent'}>"
