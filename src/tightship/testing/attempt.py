"""An attempt without a pool: what an operation did is there to be read afterwards."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tightship.errors import Cancelled


@dataclass(frozen=True)
class Checkpoint:
    """One report of progress, as the operation made it."""

    done: float
    total: float | None
    unit: str


class FakeAttempt:
    """A `tightship.core.attempt.Attempt` that runs an operation right here.

    Use it as a context manager, or `close()` it: it holds the input open.

    Args:
        input: File to work on; left out when the operation under test reads none.
        scratch: Existing folder that the operation may write to.
        stop_after: Checkpoints that pass before the soft deadline does; 0 means that the first one says "stop".
        cancel_after: Checkpoints that pass before the attempt is cancelled; 0 means that the first one raises.
        session: What the operation finds as its open session.
    """

    def __init__(
        self,
        input: Path | str | None,
        scratch: Path | str,
        *,
        stop_after: int | None = None,
        cancel_after: int | None = None,
        session: object | None = None,
    ) -> None:
        self.scratch = Path(scratch)
        self.session = session
        self.checkpoints: list[Checkpoint] = []
        self.partials: list[dict[str, object]] = []
        self.warnings: list[tuple[str, str]] = []
        self._stop_after = stop_after
        self._cancel_after = cancel_after
        self._input_fd = None if input is None else os.open(input, os.O_RDONLY | os.O_CLOEXEC)

    @property
    def input_fd(self) -> int:
        """Read-only descriptor of the input; it stays open until the attempt is closed."""
        if self._input_fd is None:
            raise ValueError("this attempt has no input, or is closed")
        return self._input_fd

    def checkpoint(self, done: float, total: float | None, unit: str) -> bool:
        """Record the progress and answer as `stop_after` and `cancel_after` say."""
        passed = len(self.checkpoints)
        self.checkpoints.append(Checkpoint(done, total, unit))
        if self._cancel_after is not None and passed >= self._cancel_after:
            raise Cancelled("the attempt was cancelled")
        return self._stop_after is not None and passed >= self._stop_after

    def partial(self, payload: dict[str, object]) -> None:
        """Record a piece of the result."""
        self.partials.append(payload)

    def warn(self, code: str, message: str) -> None:
        """Record a warning as the pair `(code, message)`."""
        self.warnings.append((code, message))

    def close(self) -> None:
        """Close the input; a second call does nothing."""
        fd, self._input_fd = self._input_fd, None
        if fd is not None:
            os.close(fd)

    def __enter__(self) -> FakeAttempt:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "open" if self._input_fd is not None else "without open input"
        return (
            f"<FakeAttempt {state}, {len(self.checkpoints)} checkpoints, {len(self.partials)} partials, "
            f"{len(self.warnings)} warnings>"
        )
