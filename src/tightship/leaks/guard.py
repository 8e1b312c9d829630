"""How much a leak may take before the trial ends for the sake of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import psutil

#: Most memory, in bytes, by which a trial lets a process grow.
MOST_BYTES = 1 << 30
#: Share of the memory that is free at the start.
MEMORY_SHARE = 0.25
#: Share of the descriptors that are free at the start: many functions cannot go on without one.
DESCRIPTOR_SHARE = 0.5
#: Most descriptors by which a trial lets a process grow: each look asks for every one of them.
MOST_FDS = 1500.0
#: Most by which other metrics may rise.
MOST = {"threads": 500.0, "descendants": 100.0, "temp_files": 2000.0, "asyncio_tasks": 3000.0}


class Levels(Protocol):
    """Where metrics began and where they are."""

    def first(self, name: str) -> float:
        """Return the first value of a metric."""

    def last(self, name: str) -> float:
        """Return its newest value."""


@dataclass(frozen=True)
class Guard:
    """Most growth by metric."""

    most: Mapping[str, float]

    @classmethod
    def for_this_machine(cls) -> Guard:
        """Return the limits that this machine allows."""
        available_bytes = float(psutil.virtual_memory().available)
        memory_bytes = min(MOST_BYTES, MEMORY_SHARE * available_bytes)
        return cls(
            {
                **MOST,
                "rss": memory_bytes,
                "children_rss": memory_bytes,
                "fds": min(MOST_FDS, DESCRIPTOR_SHARE * _free_fds()),
            }
        )

    def is_reached(self, levels: Levels) -> bool:
        """Tell whether a metric has grown as far as it may."""
        return any(levels.last(name) - levels.first(name) > most for name, most in self.most.items())


def _free_fds() -> float:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return 8192.0
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    in_use = psutil.Process().num_fds()
    return 1e6 if soft == resource.RLIM_INFINITY else float(max(64, soft - in_use))
