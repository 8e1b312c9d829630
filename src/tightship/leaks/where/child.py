"""Which child processes grow."""

from __future__ import annotations

import psutil

from tightship.leaks.report import Origin
from tightship.leaks.where.rerun import Rerun
from tightship.leaks.where.table import describe_process

#: Steps between two looks; time may end them earlier.
STEPS = 200
MOST_ORIGINS = 5
#: A child that grew by less than this share of what all grew by is not told.
MIN_SHARE = 0.1


def find_growing_children(rerun: Rerun, slope: float) -> tuple[Origin, ...]:
    """Return the descendants whose memory grows with the steps, new ones with all that they hold."""
    before = _private_bytes()
    steps = rerun.run(STEPS)
    after = _private_bytes()
    grown = {pid: (after[pid] - before.get(pid, 0)) / max(1, steps) for pid in after}
    ranked = sorted(((rate, pid) for pid, rate in grown.items() if rate > 0), reverse=True)
    return tuple(
        Origin(describe_process(pid), rate) for rate, pid in ranked[:MOST_ORIGINS] if rate >= MIN_SHARE * slope
    )


def _private_bytes() -> dict[int, int]:
    found: dict[int, int] = {}
    for child in psutil.Process().children(recursive=True):
        try:
            memory = child.memory_info()
        except psutil.Error:
            continue
        found[child.pid] = memory.rss - getattr(memory, "shared", 0)
    return found
