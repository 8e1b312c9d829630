"""What a trial found: plain data that every report is written from."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tightship.core.verdict import Kind

#: A `leak` makes the trial GROWING; `gc_only` is a warning: it was released, but only by the garbage collector.
FindingCode = Literal["leak", "gc_only"]


@dataclass(frozen=True)
class Origin:
    """Where something that stays came from.

    Args:
        what: What stays: a type's name, a path, a thread's name, `native`.
        per_step: How many of it, in the metric's unit, stay with each step; None where that is not known.
        file: The file that made it, None where there is no Python line.
        line: The line in it.
        stack: The calls that led there, the innermost last, as `file:line in function`.
        holders: Who keeps it alive, the nearest first.
    """

    what: str
    per_step: float | None = None
    file: str | None = None
    line: int | None = None
    stack: tuple[str, ...] = ()
    holders: tuple[str, ...] = ()


@dataclass(frozen=True)
class Series:
    """One metric over the steps of a trial, and what is said of it.

    Args:
        metric: Its name.
        unit: What is counted: `bytes`, `blocks`, `descriptors`.
        verdict: Whether it grows.
        slope: Units per step over the last half of the steps.
        interval: Low and high bound of the slope; both sides together hold it with 99 % over all metrics of the trial.
        detectable_slope: Steady growth of this size would probably have shown; twice this size almost certainly.
        reason: One sentence.
        points: (step, value) as they were sampled.
        where: Where what stays came from, the largest first; empty unless it grows.
    """

    metric: str
    unit: str
    verdict: Kind
    slope: float
    interval: tuple[float, float]
    detectable_slope: float
    reason: str
    points: tuple[tuple[float, float], ...] = ()
    where: tuple[Origin, ...] = ()


@dataclass(frozen=True)
class Finding:
    """Something to tell, in one sentence for people."""

    code: FindingCode
    metric: str
    message: str
    where: tuple[Origin, ...] = ()


@dataclass(frozen=True)
class Report:
    """A trial's outcome.

    Args:
        name: Of the step.
        verdict: GROWING if any series grows, else UNDECIDED if any is undecided, else STEADY.
        steps: Steps that were run, warm-up included.
        seconds: Time the trial took.
        findings: Leaks first, then what only the garbage collector released.
        series: One for each metric.
        unavailable: Metrics that cannot be read on this system.
    """

    name: str
    verdict: Kind
    steps: int
    seconds: float
    findings: tuple[Finding, ...]
    series: tuple[Series, ...]
    unavailable: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON; what is infinite becomes null."""
        return {
            "name": self.name,
            "verdict": str(self.verdict),
            "steps": self.steps,
            "seconds": round(self.seconds, 3),
            "findings": [asdict(finding) for finding in self.findings],
            "series": [_series_dict(series) for series in self.series],
            "unavailable": list(self.unavailable),
        }


def _series_dict(series: Series) -> dict[str, Any]:
    return {
        **asdict(series),
        "verdict": str(series.verdict),
        "slope": _finite(series.slope),
        "interval": [_finite(bound) for bound in series.interval],
        "detectable_slope": _finite(series.detectable_slope),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
