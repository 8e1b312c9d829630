"""Figures of a report in words."""

from __future__ import annotations

import math

from tightship.leaks.metric import METRICS
from tightship.leaks.report import Origin, Series
from tightship.units import format_bytes

#: Below this many bytes a rate needs its decimals.
_FEW_BYTES = 10


def title_of(metric: str) -> str:
    """Return what a metric is called in words."""
    return METRICS[metric].title if metric in METRICS else metric


def quantity(value: float, unit: str) -> str:
    """Write so many units of a metric: `1.5 KiB`, `0.98 descriptors`, `1 thread`."""
    if not math.isfinite(value):
        return "unknown"
    if unit == "bytes":
        return f"{value:.2g} B" if 0 < abs(value) < _FEW_BYTES else format_bytes(value)
    shown = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{shown} {_singular(unit) if shown == '1' else unit}"


def without_unit(value: float, unit: str) -> str:
    """Write a value where its unit is known, beside an axis or in a column; bytes keep theirs, which vary."""
    return quantity(value, unit) if unit == "bytes" else quantity(value, "").rstrip()


def _singular(unit: str) -> str:
    return unit.removesuffix("es") if unit.endswith("sses") else unit.removesuffix("s")


def growth(series: Series) -> str:
    """Say how fast a series rises: the slope and its interval."""
    low, high = (quantity(bound, series.unit) for bound in series.interval)
    return f"{quantity(series.slope, series.unit)} a step ({low} to {high})"


def place_of(origin: Origin) -> str | None:
    """Return `file:line` of an origin, as editors and terminals read it."""
    if origin.file is None:
        return None
    return origin.file if origin.line is None else f"{origin.file}:{origin.line}"


def origin_in_words(origin: Origin, unit: str) -> str:
    """Say in one line where something comes from, what it is, and how much of it stays."""
    rate = None if origin.per_step is None else f"{quantity(origin.per_step, unit)} a step"
    return ", ".join(part for part in (place_of(origin), origin.what, rate) if part)
