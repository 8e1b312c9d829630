"""A report as one HTML file: no script, nothing to load, light and dark."""

from __future__ import annotations

import math
from html import escape

from tightship.core.verdict import Kind
from tightship.leaks.output.figure import growth, origin_in_words, title_of, without_unit
from tightship.leaks.output.style import STYLE
from tightship.leaks.output.svg import draw
from tightship.leaks.report import Origin, Report, Series
from tightship.units import format_seconds

#: What grows comes first, then what may.
_ORDER = (Kind.GROWING, Kind.UNDECIDED, Kind.STEADY)
#: A sign beside the word, so that colour is not needed to tell verdicts apart.
_SIGNS = {Kind.GROWING: "▲", Kind.UNDECIDED: "?", Kind.STEADY: "●"}


def to_html(report: Report) -> str:
    """Return the page."""
    ordered = sorted(report.series, key=lambda series: _ORDER.index(series.verdict))
    facts = f"{report.steps:,} steps in {format_seconds(report.seconds)}"
    return "\n".join(
        (
            "<!DOCTYPE html>",
            '<html lang="en">',
            '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{report.verdict}: {escape(report.name)}</title><style>{STYLE}</style></head>",
            "<body><main>",
            f"<h1>{_word(report.verdict)} {escape(report.name)}</h1>",
            f'<p class="facts">{facts}</p>',
            _findings(report),
            _table(ordered),
            *(_section(series) for series in ordered),
            _unavailable(report),
            "</main></body></html>",
            "",
        )
    )


def _unavailable(report: Report) -> str:
    told = ", ".join(title_of(metric) for metric in report.unavailable)
    return f'<p class="note">This system does not tell: {escape(told)}.</p>' if told else ""


def _word(kind: Kind) -> str:
    return f'<span class="verdict {kind}"><span aria-hidden="true">{_SIGNS[kind]}</span> {kind}</span>'


def _findings(report: Report) -> str:
    told = "".join(f"<li>{escape(finding.message)}</li>" for finding in report.findings)
    return f"<ul>{told}</ul>" if told else ""


def _table(ordered: list[Series]) -> str:
    rows = "".join(
        f'<tr><th scope="row"><a href="#{escape(series.metric)}">{escape(title_of(series.metric))}</a></th>'
        f"<td>{_word(series.verdict)}</td>"
        f'<td class="number">{_cell(series.slope, series)}</td>'
        f'<td class="number">{_interval(series)}</td>'
        f'<td class="number">{_cell(series.detectable_slope, series)}</td></tr>'
        for series in ordered
    )
    head = (
        '<tr><th scope="col">Metric</th><th scope="col">Verdict</th><th scope="col" class="number">Growth a step</th>'
        '<th scope="col" class="number">Interval</th><th scope="col" class="number">Would have shown</th></tr>'
    )
    # What scrolls must be reachable by keyboard.
    scroll = '<div class="scroll" tabindex="0" role="region" aria-label="All metrics">'
    return f"{scroll}<table><thead>{head}</thead><tbody>{rows}</tbody></table></div>"


def _cell(value: float, series: Series) -> str:
    return escape(without_unit(value, series.unit))


def _interval(series: Series) -> str:
    known = all(math.isfinite(bound) for bound in series.interval)
    return " to ".join(_cell(bound, series) for bound in series.interval) if known else "unknown"


def _section(series: Series) -> str:
    name = escape(series.metric)
    told = f"<p>It grows by {escape(growth(series))}.</p>" if series.verdict is Kind.GROWING else ""
    return (
        f'<section id="{name}" aria-labelledby="{name}-head">'
        f'<h2 id="{name}-head">{escape(title_of(series.metric))} {_word(series.verdict)}</h2>'
        f'{told}<p class="note">{escape(series.reason)}</p>{draw(series, name)}{_where(series)}</section>'
    )


def _where(series: Series) -> str:
    places = "".join(f"<li>{_place(origin, series.unit)}</li>" for origin in series.where)
    return f"<h3>Where it comes from</h3><ol>{places}</ol>" if places else ""


def _place(origin: Origin, unit: str) -> str:
    told = f"<code>{escape(origin_in_words(origin, unit))}</code>"
    if origin.stack:
        told += "<pre>" + escape("\n".join(origin.stack)) + "</pre>"
    if origin.holders:
        told += f"<div>held by <code>{escape(', by '.join(origin.holders))}</code></div>"
    return told
