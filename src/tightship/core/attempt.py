"""What an operation sees of the attempt it runs in."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Attempt(Protocol):
    """One try at a job, seen from inside the slot.

    The pool implements it for real work, `tightship.testing.FakeAttempt` for tests.
    """

    @property
    def input_fd(self) -> int:
        """Read-only descriptor of the input, a regular file; it belongs to the attempt, do not close it."""

    @property
    def scratch(self) -> Path:
        """Folder of this attempt: the only place it may write; gone when the attempt is."""

    @property
    def session(self) -> object | None:
        """What the module's `open_session` opened for this slot (a loaded model); None without a session."""

    def checkpoint(self, done: float, total: float | None, unit: str) -> bool:
        """Report progress: call at least once a second, at best once a frame; it costs a microsecond.

        Args:
            done: Work done so far.
            total: The whole, where it is known.
            unit: What is counted: `s` (of media), `frames`, `bytes`.

        Returns:
            True when the soft deadline has passed: stop early and keep what there is.

        Raises:
            Cancelled: Whoever asked for the job has cancelled it.
        """

    def partial(self, payload: dict[str, object]) -> None:
        """Send a piece of the result before the whole is done."""

    def warn(self, code: str, message: str) -> None:
        """Record that the result is right but not all that was asked for (a damaged packet, a soft deadline)."""
