"""One test of pytest, run as a trial by a program instead of by pytest's own command."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tightship.leaks.fault import StepFailed, StepNotFound
from tightship.leaks.report import Report

#: The plugin's name among the entry points of pytest.
PLUGIN = "tightship"
#: Letters of what pytest printed that are worth repeating.
SHOWN_CHARS = 600


def run_test(test: str, options: Mapping[str, Any]) -> Report:
    """Run `path/test_x.py::test_y` as a trial, in this process, with fixtures of function scope anew for each step.

    Raises:
        StepNotFound: pytest is not installed, or finds no such test, or several.
        StepFailed: The test does not pass, or is skipped.
    """
    if find_spec("pytest") is None:
        raise StepNotFound("a test as a step needs pytest: pip install pytest")
    path = Path(test.partition("::")[0])
    if not path.exists():
        raise StepNotFound(f"there is no file {path}")
    import pytest

    desk = _Desk(dict(options))
    # Other processes, and reports of the run, are of no use here.
    words = ["-p", PLUGIN, test, "--leaks", "-q", "--no-header", "--color=no", "-p", "no:cacheprovider"]
    words += ["-n0"] if find_spec("xdist") else []
    with _kept_output() as output:
        code = pytest.main(words, plugins=[desk])
    return desk.outcome(test, int(code), output)


class _Desk:
    """A plugin that hands the options in and takes the report."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._reports: list[Report] = []
        self._count = 0
        self._outcome: Any = None

    def pytest_configure(self, config: Any) -> None:
        from tightship.pytest_plugin.plugin import OPTIONS

        config.stash[OPTIONS] = self._options

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        self._count = len(items)
        if len(items) > 1:
            del items[:]

    def pytest_runtest_logreport(self, report: Any) -> None:
        if self._outcome is None or self._outcome.passed:
            self._outcome = report

    def pytest_leaks_report(self, report: Report) -> None:
        self._reports.append(report)

    def outcome(self, test: str, code: int, output: list[str]) -> Report:
        """Return the report, or say why there is none."""
        if self._reports:
            return self._reports[0]
        if self._count > 1:
            raise StepNotFound(f"{test} names {self._count} tests; choose one, with its [parameters]")
        if self._outcome is None:
            said = " ".join("".join(output).split())[-SHOWN_CHARS:]
            kind = StepNotFound if code in (4, 5) else StepFailed
            raise kind(f"pytest finds no test {test}: {said}")
        if self._outcome.skipped:
            raise StepFailed(f"{test} is skipped or expected to fail: {_reason(self._outcome)}")
        crash = getattr(self._outcome.longrepr, "reprcrash", None)
        place = f" ({Path(crash.path).name}:{crash.lineno})" if crash else ""
        raise StepFailed(f"{test} fails: {crash.message if crash else self._outcome.longreprtext}{place}")


def _reason(report: Any) -> str:
    return str(
        report.longrepr[2] if isinstance(report.longrepr, tuple) else getattr(report, "wasxfail", "") or "no reason"
    )


@contextmanager
def _kept_output() -> Iterator[list[str]]:
    """Keep what pytest prints, also from below Python, and yield a list that holds it after the block."""
    kept: list[str] = []
    saved = {fd: os.dup(fd) for fd in (1, 2)}
    with tempfile.TemporaryFile() as file:
        try:
            for fd in saved:
                os.dup2(file.fileno(), fd)
            yield kept
        finally:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            for fd, copy in saved.items():
                os.dup2(copy, fd)
                os.close(copy)
            file.seek(0)
            kept.append(file.read().decode(errors="replace"))
