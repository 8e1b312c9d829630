"""What a slot is asked to do, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tightship.core.receipt import Receipt
from tightship.errors import TightshipError
from tightship.pool.deadline import Deadline


@dataclass(frozen=True)
class Task:
    """One attempt to be made in a slot.

    Args:
        name: What receipts and ledger call it: the operation's name.
        module: Import path of the module whose `run(attempt, options)` does the work, imported in the slot only.
        options: What `run` gets; plain JSON.
        deadline: Its time limits.
        source: The input file, opened by the parent and handed over as a descriptor.
        deliver: Where the file that the result names under `output` goes; None leaves it to be dropped.
        session: Key that the module's `open_session` gets, once per slot (a model); None for no session.
        session_name: What people call it.
        readable: Folders that its slot has to be able to read besides its own: where the model lies.
        ceiling_bytes: Memory at which the slot is killed; None takes the pool's.
    """

    name: str
    module: str
    options: Mapping[str, Any]
    deadline: Deadline
    source: Path | None = None
    deliver: Path | None = None
    session: str | None = None
    session_name: str = "without a name"
    readable: tuple[str, ...] = ()
    ceiling_bytes: int | None = None

    @property
    def key(self) -> tuple[str, ...] | None:
        """What a warm slot is kept for: tasks that ask for nothing special share their slots.

        What a slot may read is settled at its birth, so that is part of what it is for.
        """
        if self.session is None and not self.readable:
            return None
        return (self.module, self.session or "", *self.readable)


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: a result or an error, and the receipt in either case."""

    result: dict[str, Any] | None
    error: TightshipError | None
    receipt: Receipt
    warnings: tuple[dict[str, str], ...] = field(default=())
    last_progress: tuple[float, float | None, str] | None = None

    def unwrap(self) -> dict[str, Any]:
        """Return the result, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.result or {}
