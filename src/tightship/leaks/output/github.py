"""A report as annotations that GitHub shows beside the lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tightship.core.verdict import Kind
from tightship.leaks.output.figure import growth, origin_in_words, title_of
from tightship.leaks.report import Origin, Report


def to_annotations(report: Report, root: Path) -> Iterator[str]:
    """Yield one workflow command a line: an error for each place that leaks, a warning for the rest.

    Args:
        report: What was found.
        root: Folder of the repository; files below it are named from there.

    Source: GitHub's page on workflow commands for its Actions.
    """
    for series in report.series:
        if series.verdict is Kind.GROWING:
            told = f"{report.name}, {title_of(series.metric)}: grows by {growth(series)}"
            for origin in series.where or (None,):
                yield _command("error", told, origin, series.unit, root)
        elif series.verdict is Kind.UNDECIDED:
            told = f"{report.name}: {title_of(series.metric)} is undecided. {series.reason}"
            yield _command("warning", told, None, series.unit, root)
    for finding in report.findings:
        if finding.code == "gc_only":
            origin = next(iter(finding.where), None)
            yield _command("warning", f"{report.name}: {finding.message}", origin, "", root)


def _command(level: str, told: str, origin: Origin | None, unit: str, root: Path) -> str:
    properties = {"title": "Leak" if level == "error" else "Leak test"}
    if origin is not None:
        told = f"{told}; from {origin_in_words(origin, unit)}"
        if origin.file is not None:
            properties["file"] = _from_root(origin.file, root)
        if origin.line is not None:
            properties["line"] = str(origin.line)
    given = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in properties.items())
    return f"::{level} {given}::{_escaped(told)}"


def _from_root(file: str, root: Path) -> str:
    path = Path(file)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _escaped(text: str, more: str = "") -> str:
    return "".join(f"%{ord(letter):02X}" if letter in f"%\r\n{more}" else letter for letter in text)
