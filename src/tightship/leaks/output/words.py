"""A report for people who read a terminal: the verdict first."""

from __future__ import annotations

from collections.abc import Iterator

from tightship.core.verdict import Kind
from tightship.leaks.output.figure import growth, origin_in_words, title_of, without_unit
from tightship.leaks.output.plot import plot
from tightship.leaks.report import Finding, Origin, Report, Series
from tightship.units import format_seconds

#: Origins of one metric that are told, and calls of one stack: the rest is in the JSON and the HTML.
MAX_ORIGINS, MAX_CALLS = 3, 5
#: Folders of those that run a test: their calls tell nothing of it.
_RUNNERS = ("/_pytest/", "/pluggy/")


def in_words(report: Report, *, plain: bool = False) -> str:
    """Return the whole report; with `plain`, plots are drawn in ASCII."""
    rest = ("\n".join(warnings(report)), "\n".join(filter(None, (steady(report), unavailable(report)))))
    parts = (headline(report), *_growing(report, plain), *rest)
    return "\n\n".join(part for part in parts if part)


def headline(report: Report) -> str:
    """Return the verdict, and how much was looked at to come to it."""
    took = format_seconds(report.seconds)
    steps = "1 step" if report.steps == 1 else f"{report.steps:,} steps"
    return f"{report.verdict.upper()}  {report.name}: {steps} in {took}"


def warnings(report: Report) -> list[str]:
    """Return what is no leak and yet worth a look: what only the garbage collector released, what is undecided."""
    by_gc = [f"warning: {_sentence(finding)}" for finding in report.findings if finding.code == "gc_only"]
    # Where there were too few steps, the reason is the same for every metric.
    titles: dict[str, list[str]] = {}
    for series in report.series:
        if series.verdict is Kind.UNDECIDED:
            titles.setdefault(series.reason, []).append(title_of(series.metric))
    return [*by_gc, *(f"undecided: {', '.join(names)}. {reason}" for reason, names in titles.items())]


def steady(report: Report) -> str:
    """Name what does not grow, with the growth that would have shown."""
    found: dict[str, list[str]] = {}
    for series in report.series:
        if series.verdict is Kind.STEADY:
            found.setdefault(without_unit(series.detectable_slope, series.unit), []).append(title_of(series.metric))
    told = "; ".join(f"{', '.join(titles)} ({rate})" for rate, titles in found.items())
    return f"steady, with the growth a step that would have shown: {told}" if told else ""


def unavailable(report: Report) -> str:
    """Name what could not be looked at."""
    told = ", ".join(title_of(metric) for metric in report.unavailable)
    return f"not told by this system: {told}" if told else ""


def leak_in_words(series: Series, *, plain: bool = False) -> str:
    """Return what is known of one series that grows: rate, plot, and where it comes from."""
    lines = [f"{title_of(series.metric)}: grows by {growth(series)}"]
    lines += [f"    {line}" for line in plot(series, plain=plain)]
    lines += [f"  {line}" for line in origins_in_words(series.where, series.unit)]
    return "\n".join(lines)


def origins_in_words(where: tuple[Origin, ...], unit: str) -> Iterator[str]:
    """Yield the largest origins with the calls that led there and what holds them."""
    for origin in where[:MAX_ORIGINS]:
        yield f"from {origin_in_words(origin, unit)}"
        yield from (f"    {call}" for call in _own_calls(origin.stack)[-MAX_CALLS:])
        if origin.holders:
            yield f"    held by {', by '.join(origin.holders)}"
    if len(where) > MAX_ORIGINS:
        yield f"and {len(where) - MAX_ORIGINS} more places"


def _own_calls(stack: tuple[str, ...]) -> tuple[str, ...]:
    """Return the calls without those of whoever ran the step; all where nothing else is left."""
    return tuple(call for call in stack if not any(folder in call for folder in _RUNNERS)) or stack


def _growing(report: Report, plain: bool) -> list[str]:
    return [leak_in_words(series, plain=plain) for series in report.series if series.verdict is Kind.GROWING]


def _sentence(finding: Finding) -> str:
    place = next((origin_in_words(origin, "") for origin in finding.where if origin.file), None)
    return f"{finding.message} ({place})" if place else finding.message
