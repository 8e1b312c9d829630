"""A series as a picture: its samples and the slope that was fitted to them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from statistics import median

from tightship.leaks.output.figure import quantity, title_of, without_unit
from tightship.leaks.report import Series

#: Size of the picture and of its margins, in units of its own; the page scales it.
WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 92, 16, 14, 34
#: Lines across the picture.
_TICKS = 4

Points = Sequence[tuple[float, float]]


def draw(series: Series, name: str) -> str:
    """Return an SVG element that styles itself after the page: classes `grid`, `sample`, `fit`.

    Args:
        series: What to draw.
        name: Start of the ids inside, unique on the page.
    """
    if len(series.points) < 2:
        return '<p class="note">There are too few samples for a picture.</p>'
    x_of, y_of = _axes(series.points)
    samples = "".join(
        f'<circle class="sample" cx="{x_of(step):.1f}" cy="{y_of(value):.1f}" r="2.5"/>'
        for step, value in series.points
    )
    told = (
        f"{len(series.points)} samples from step {series.points[0][0]:,.0f} to {series.points[-1][0]:,.0f}, "
        f"from {quantity(series.points[0][1], series.unit)} to {quantity(series.points[-1][1], series.unit)}; "
        f"slope {quantity(series.slope, series.unit)} a step."
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(title_of(series.metric))} by step</title>'
        f'<desc id="{name}-desc">{escape(told)}</desc>'
        f"{_grid(series, x_of, y_of)}{samples}{_fit(series, x_of, y_of)}</svg>"
    )


def _axes(points: Points) -> tuple[Callable[[float], float], Callable[[float], float]]:
    (x_low, x_high), (y_low, y_high) = _range([step for step, _ in points]), _range([value for _, value in points])

    def x_of(step: float) -> float:
        return LEFT + (step - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)

    def y_of(value: float) -> float:
        return HEIGHT - BOTTOM - (value - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)

    return x_of, y_of


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 1, high + 1)


def _grid(series: Series, x_of: Callable[[float], float], y_of: Callable[[float], float]) -> str:
    x_low, x_high = _range([step for step, _ in series.points])
    y_low, y_high = _range([value for _, value in series.points])
    parts = []
    for index in range(_TICKS + 1):
        value = y_low + (y_high - y_low) * index / _TICKS
        y = y_of(value)
        label = escape(without_unit(value, series.unit))
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="axis" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    for step, anchor in ((x_low, "start"), (x_high, "end")):
        place = f'x="{x_of(step):.1f}" y="{HEIGHT - 12}"'
        parts.append(f'<text class="axis" {place} text-anchor="{anchor}">step {step:,.0f}</text>')
    return "".join(parts)


def _fit(series: Series, x_of: Callable[[float], float], y_of: Callable[[float], float]) -> str:
    """Draw the slope over the half of the steps that it was fitted to, through the middle of their samples."""
    middle = (series.points[0][0] + series.points[-1][0]) / 2
    last = [(step, value) for step, value in series.points if step > middle]
    if not last or not math.isfinite(series.slope):
        return ""
    height = median(value - series.slope * step for step, value in last)
    ends = [(x_of(step), y_of(height + series.slope * step)) for step in (last[0][0], last[-1][0])]
    (x1, y1), (x2, y2) = ends
    return f'<line class="fit" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
