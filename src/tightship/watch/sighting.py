"""A file as it was seen, and whether it is still being written. Pure: the times are passed in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

#: Most files that are waited for at a time; more are found again by the next look through everything.
MOST_WAITING = 1000


@dataclass(frozen=True)
class Sighting:
    """A file as it was seen.

    Args:
        root: The watched folder that it lies in.
        changed_ns: When its name, owner or content last changed, by its file system; nobody can set it.
    """

    source: Path
    root: Path
    size_bytes: int
    mtime_ns: int
    changed_ns: int


class Rest(StrEnum):
    """Whether a file is at rest."""

    #: Nobody has written to it for long enough.
    SETTLED = "settled"
    #: It has changed a moment ago, and is looked at again.
    WAITING = "waiting"
    #: It has changed again since it was first looked at.
    GROWING = "growing"
    #: Too many are waited for: it has to be found again.
    CROWDED = "crowded"


@dataclass(frozen=True)
class _Wait:
    sighting: Sighting
    since_s: float


class Settling:
    """Files that have changed a moment ago.

    A file whose last change is old enough by its own times is settled at once and costs no memory. Any other is
    remembered until it has stayed the same for `settle_s`, by this process's clock: the other may be another machine's.
    """

    def __init__(self, settle_s: float, limit: int = MOST_WAITING) -> None:
        self._settle_s = settle_s
        self._limit = limit
        self._waits: dict[Path, _Wait] = {}

    def see(self, sighting: Sighting, now_s: float, wall_s: float) -> Rest:
        """Say whether a file, as it is now, is at rest.

        Args:
            now_s: Monotonic time.
            wall_s: Time of day.
        """
        wait = self._waits.get(sighting.source)
        changed_s = max(sighting.mtime_ns, sighting.changed_ns) / 1e9
        same = wait is not None and wait.sighting == sighting and now_s - wait.since_s >= self._settle_s
        if same or wall_s - changed_s >= self._settle_s:
            self._waits.pop(sighting.source, None)
            return Rest.SETTLED
        if wait is None and len(self._waits) >= self._limit:
            return Rest.CROWDED
        if wait is None or wait.sighting != sighting:
            self._waits[sighting.source] = _Wait(sighting, now_s)
        return Rest.GROWING if wait is not None and wait.sighting != sighting else Rest.WAITING

    def forget(self, source: Path) -> None:
        """Wait for a file no longer."""
        self._waits.pop(source, None)

    def due(self, now_s: float) -> list[Sighting]:
        """Return the files that have waited long enough to be looked at again, as they were seen."""
        return [wait.sighting for wait in self._waits.values() if now_s - wait.since_s >= self._settle_s]

    def __len__(self) -> int:
        return len(self._waits)

    def __repr__(self) -> str:
        return f"<Settling: {len(self)} of {self._limit} waited for>"
