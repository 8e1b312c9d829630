"""What is watched, and what is done to what comes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tightship.errors import InvalidOptions
from tightship.watch.choice import Choice


@dataclass(frozen=True)
class WatchConfig:
    """Settings of a watch.

    Args:
        folders: What is watched.
        operation: What is done to each file.
        options: With which options.
        output_dir: Where results go, in folders like those of the files; None puts each beside its file.
        choice: Which files.
        settle_s: Seconds for which a file must not have changed before it is taken.
        rescan_s: Seconds between two looks through everything, for what the system has not told of.
        poll: Do not ask the system for news at all.
        force: Also do again what was done, or failed, before the start.
        once: End when everything that is there has been done.
    """

    folders: tuple[Path, ...]
    operation: str = "transcribe"
    options: Mapping[str, Any] = field(default_factory=dict)
    output_dir: Path | None = None
    choice: Choice = field(default_factory=Choice)
    settle_s: float = 5.0
    rescan_s: float = 60.0
    poll: bool = False
    force: bool = False
    once: bool = False

    def __post_init__(self) -> None:
        for name, least in (("settle_s", 0.0), ("rescan_s", 0.1)):
            if not least <= getattr(self, name) < math.inf:
                raise InvalidOptions(f"{name} must be at least {least:g} s, not {getattr(self, name):g}", option=name)
        for folder in self.folders:
            if not folder.is_dir():
                raise InvalidOptions(f"there is no folder {str(folder)!r} to watch", option="folders")
