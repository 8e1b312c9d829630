"""Reports as a trial would give them."""

from __future__ import annotations

import math

from tightship.core.verdict import Kind
from tightship.leaks.report import Finding, Origin, Report, Series

ORIGIN = Origin(
    what="bytearray",
    per_step=1024.0,
    file="/home/me/app/cache.py",
    line=12,
    stack=(
        "/home/me/app/web.py:40 in handle",
        "/venv/pluggy/_manager.py:1 in call",
        "/home/me/app/cache.py:12 in keep",
    ),
    holders=("list", "dict `CACHE`"),
)
HEAP = Series(
    metric="native_heap",
    unit="bytes",
    verdict=Kind.GROWING,
    slope=1024.0,
    interval=(1000.0, 1100.0),
    detectable_slope=30.0,
    reason="Grows and keeps its rate.",
    points=tuple((float(step), 1e6 + 1024.0 * step) for step in range(0, 400, 10)),
    where=(ORIGIN,),
)
FDS = Series(
    "fds", "descriptors", Kind.STEADY, 0.0, (0.0, 0.0), 0.02, "Does not grow.", tuple((float(n), 7.0) for n in range(9))
)
RSS = Series(
    "rss", "bytes", Kind.UNDECIDED, 0.0, (-math.inf, math.inf), math.inf, "The noise may hide <growth> & more."
)
BY_GC = Finding("gc_only", "python_blocks", "Only the garbage collector frees 12 blocks a step.")


def report(*series: Series, findings: tuple[Finding, ...] = (), name: str = "app:work") -> Report:
    """Return a report whose verdict follows from its series."""
    kinds = {each.verdict for each in series}
    verdict = next(kind for kind in (Kind.GROWING, Kind.UNDECIDED, Kind.STEADY) if kind in kinds)
    return Report(name, verdict, 812, 3.21, findings, series, ("gpu",))
