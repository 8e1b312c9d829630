"""What is told of each file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from tightship.core.receipt import Receipt
from tightship.errors import TightshipError


class Told(StrEnum):
    """How it went with a file."""

    #: It was worked on, and its result is there.
    DONE = "done"
    #: A file with the same content had been worked on, and its result was copied.
    COPIED = "copied"
    #: It has no result.
    FAILED = "failed"
    #: Something that is not ours is where its result would go.
    LEFT = "left"
    #: It was still being written.
    GROWING = "growing"


@dataclass(frozen=True)
class Ending:
    """How it went with a file.

    Args:
        source, place: The file, and where its result is or would be.
        error: Why it has no result.
        receipt: What the work has cost; None when there was none.
    """

    source: Path
    place: Path
    told: Told
    error: TightshipError | None = None
    receipt: Receipt | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "status": str(self.told),
            "input": str(self.source),
            "output": str(self.place),
            "error": None if self.error is None else self.error.to_dict(),
            "receipt": None if self.receipt is None else self.receipt.to_dict(),
        }


@dataclass
class Tally:
    """How many files ended how.

    Args:
        given_up: Those that had failed before and have not changed since.
        unseen: Folders that could not be looked into.
    """

    told: Counter[Told] = field(default_factory=Counter)
    given_up: int = 0
    unseen: int = 0

    @property
    def whole(self) -> bool:
        """Whether every file was seen, and none has failed."""
        return not (self.told[Told.FAILED] or self.given_up or self.unseen)


#: Told of each file that has ended, and of what else people should know.
Tell = Callable[[Ending], None]
Warn = Callable[[str], None]
