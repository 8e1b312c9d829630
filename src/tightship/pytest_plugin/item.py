"""A test of pytest as a step: its function and its fixtures of function scope anew each time, the others kept."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Mapping
from typing import Any

import pytest
from _pytest._code.code import ExceptionChainRepr, ReprEntryNative, ReprFileLocation, ReprTraceback
from _pytest.junitxml import xml_key
from _pytest.runner import runtestprotocol

from tightship.core.verdict import Kind
from tightship.errors import TightshipError
from tightship.leaks.fault import StepFailed
from tightship.leaks.output.figure import growth, title_of
from tightship.leaks.output.words import headline, in_words
from tightship.leaks.output.words import warnings as warnings_of
from tightship.leaks.report import Report
from tightship.leaks.trial import trial
from tightship.pytest_plugin.plugin import FOLDER, KEPT, PROPERTY, LeakWarning
from tightship.units import parse_seconds

#: The budget of a trial that nobody has given one.
BUDGET = "20 s"
#: A step has hung that takes so many times as long as the first run of the test, and so many seconds more.
SLOWER, SLACK_S = 10.0, 5.0


def run_as_trial(item: pytest.Item, nextitem: pytest.Item | None, options: Mapping[str, Any], *, strict: bool) -> None:
    """Run a test once as pytest would, and as a trial if it passed; report it as one test."""
    hook = item.ihook
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    # The parent as the next item keeps all that lives longer than the test.
    reports = runtestprotocol(item, log=False, nextitem=item.parent)  # type: ignore[arg-type]
    call = next((report for report in reports if report.when == "call"), None)
    if call is not None and all(report.passed and not hasattr(report, "wasxfail") for report in reports):
        _judge(item, call, options, strict)
        # JUnit's XML takes the properties of a test from its last report.
        reports[-1].user_properties += [each for each in call.user_properties if each[0] == PROPERTY]
    ended = _end_of_wider_scopes(item, nextitem)
    if ended.failed and reports[-1].passed:
        reports[-1] = ended
    for report in reports:
        hook.pytest_runtest_logreport(report=report)
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


def complaint(report: Report, *, strict: bool) -> str | None:
    """Return why a test fails; None if it does not."""
    bad = report.verdict is Kind.GROWING or (strict and bool(warnings_of(report)))
    return in_words(report) if bad else None


def warn(item: pytest.Item, report: Report) -> None:
    """Warn of what is no leak and yet worth a look, also where warnings are errors: no leak is no failure."""
    for text in warnings_of(report):
        warning = LeakWarning(f"{report.name}: {text}")
        try:
            item.warn(warning)
        except LeakWarning:
            message = warnings.WarningMessage(warning, LeakWarning, str(item.path), (item.location[1] or 0) + 1)
            item.config.hook.pytest_warning_recorded.call_historic(
                kwargs={"warning_message": message, "when": "runtest", "nodeid": item.nodeid, "location": None}
            )


def _judge(item: pytest.Item, call: pytest.TestReport, options: Mapping[str, Any], strict: bool) -> None:
    """Run the trial and write its outcome into the report of the test's call."""
    if item.config.pluginmanager.hasplugin("timeout"):
        # The test has passed within its limit; the trial has one of its own.
        item.config.hook.pytest_timeout_cancel_timer(item=item)
    step = ItemStep(item)
    # A test that takes longer than a short budget has not hung.
    limit_s = max(parse_seconds(options.get("budget", BUDGET)), SLOWER * call.duration + SLACK_S)
    try:
        report = trial(step, **{"name": item.nodeid, "step_limit_s": limit_s, **options})
    except StepFailed as error:
        _fail(item, call, f"It passed once, and failed when repeated: {error.public_message}", step.failure)
        return
    except TightshipError as error:
        _fail(item, call, f"leaks: {error.public_message}", None)
        return
    call.duration += report.seconds
    call.user_properties.append((PROPERTY, str(report.verdict)))
    item.ihook.pytest_leaks_report(item=item, report=report)
    text = complaint(report, strict=strict)
    if text:
        _fail(item, call, _message(report), text)
    else:
        warn(item, report)


def _message(report: Report) -> str:
    growing = [series for series in report.series if series.verdict is Kind.GROWING]
    told = ", ".join(f"{title_of(series.metric)} by {growth(series)}" for series in growing)
    return f"leak: {told}" if told else headline(report)


def _fail(item: pytest.Item, call: pytest.TestReport, message: str, text: str | None) -> None:
    path, line, _ = item.location
    place = ReprFileLocation(path, (line or 0) + 1, message)
    entry = ReprEntryNative([f"{text or message}\n"])
    call.outcome = "failed"
    call.longrepr = ExceptionChainRepr([(ReprTraceback([entry], None, style="native"), place, None)])


def _end_of_wider_scopes(item: pytest.Item, nextitem: pytest.Item | None) -> pytest.TestReport:
    """Tear down what the next test does not need: it was kept for the trial."""
    stop = item.session.shouldfail or item.session.shouldstop
    state = item.session._setupstate
    info = pytest.CallInfo.from_call(
        lambda: state.teardown_exact(None if stop else nextitem), when="teardown", reraise=(pytest.exit.Exception,)
    )
    report: pytest.TestReport = item.ihook.pytest_runtest_makereport(item=item, call=info)
    return report


class ItemStep:
    """Run a test again, without any trace of it in pytest itself."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item
        self._function = getattr(item, "function", None)
        #: What pytest says of the run that failed.
        self.failure: str | None = None
        self._properties = len(item.user_properties)
        # Hypothesis writes there with every run, when there is to be JUnit's XML.
        self._global_properties = getattr(item.config.stash.get(xml_key, None), "global_properties", None)
        self._global_count = len(self._global_properties or ())
        self._finalizers: dict[Any, int] = {}
        item.stash[FOLDER] = None
        self._forget()

    def __call__(self) -> None:
        """Run the test once.

        Raises:
            StepFailed: It did not pass.
        """
        # pytest keeps every warning of a test until its end.
        with warnings.catch_warnings(record=True):
            reports = runtestprotocol(self._item, log=False, nextitem=self._item.parent)  # type: ignore[arg-type]
        self._forget()
        for report in reports:
            if not report.passed:
                self.failure = report.longreprtext
                raise StepFailed(f"{report.when}: {self.failure.strip().rpartition(chr(10))[2] or report.outcome}")

    def _forget(self) -> None:
        """Remove what pytest notes with each run of a test."""
        item = self._item
        if folder := item.stash[FOLDER]:
            shutil.rmtree(folder, ignore_errors=True)
        item._report_sections.clear()
        del item.user_properties[self._properties :]
        if self._global_properties is not None:
            del self._global_properties[self._global_count :]
        if isinstance(item.parent, pytest.Class) and not getattr(self._function, "is_hypothesis_test", False):
            # Each run gets an object of its own, as each test does; Hypothesis refuses a test whose object changes.
            for name in ("_instance", "_obj"):
                item.__dict__.pop(name, None)
        # Each fixture that is built on one that stays leaves a finalizer with it, every time.
        for fixture in item.config.stash[KEPT]:
            count = self._finalizers.setdefault(fixture, len(fixture._finalizers))
            del fixture._finalizers[count:]
