"""The pytest plugin: `@pytest.mark.leaks`, `--leaks` and the fixture `leak_trial`.

It is loaded into every run of pytest, so it imports the trial only where one is asked for.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tightship.leaks.report import Report

#: Options of `trial` that go for every test of a run; set by whoever runs pytest from a program.
OPTIONS = pytest.StashKey[dict[str, Any]]()
#: The folder `tmp_path` of the last step: pytest keeps it for people to look at, hundreds of them with a trial.
FOLDER = pytest.StashKey[Path | None]()
#: Fixtures that outlive a test and have been set up so far.
KEPT = pytest.StashKey[set[Any]]()
#: Under this name a test's report carries the verdict of its trial.
PROPERTY = "leaks"
MARKER = "leaks(budget='20 s', ignore=(), floor={}): run the test as a leak trial; it fails when something grows"


class LeakWarning(UserWarning):
    """A trial that says neither yes nor no, or what only the garbage collector released."""


class LeakHooks:
    """What other plugins may implement."""

    def pytest_leaks_report(self, item: pytest.Item, report: Report) -> None:
        """Receive the report of a test's trial, in the process that ran it."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Announce the hook."""
    pluginmanager.add_hookspecs(LeakHooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("leaks", "leak trials (tightship)")
    group.addoption(
        "--leaks", nargs="?", const="", default=None, metavar="EXPR",
        help="Run every test as a leak trial; with --leaks=EXPR those that -k EXPR would choose.",
    )  # fmt: skip
    group.addoption("--leaks-budget", metavar="TIME", help="Longest time for one trial, such as '5 s'. [20 s]")
    group.addoption("--leaks-ignore", action="append", default=[], metavar="METRIC", help="Do not watch this metric.")
    group.addoption("--leaks-strict", action="store_true", help="Fail also what is undecided, or released only by gc.")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: Any, parser: Any, args: list[str]) -> None:
    """Keep `--leaks tests/` from taking the folder for its expression: that stands after an equals sign only."""
    if "--leaks" in args:
        args[:] = ["--leaks=" if word == "--leaks" else word for word in args]
        namespace = copy.copy(early_config.known_args_namespace)
        namespace.file_or_dir = []
        early_config.known_args_namespace = parser.parse_known_args(args, namespace=namespace)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.stash[KEPT] = set()
    config.addinivalue_line("markers", MARKER)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a chosen test as a trial, any other as usual."""
    options = _options(item)
    if options is None:
        return None
    from tightship.pytest_plugin.item import run_as_trial

    run_as_trial(item, nextitem, options, strict=item.config.getoption("--leaks-strict"))
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: Any, request: pytest.FixtureRequest) -> None:
    """Note what outlives a test."""
    if fixturedef.scope != "function":
        request.config.stash[KEPT].add(fixturedef)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Note the folder of a trial's step, while its fixtures are there."""
    if FOLDER in item.stash:
        item.stash[FOLDER] = (getattr(item, "funcargs", None) or {}).get("tmp_path")


@pytest.fixture
def leak_trial(request: pytest.FixtureRequest) -> Callable[..., Report]:
    """Run a step as a leak trial, `leak_trial(step, budget="5 s")`; the test fails when something grows."""

    def run(step: Callable[..., Any], **options: Any) -> Report:
        __tracebackhide__ = True
        from tightship.leaks import trial
        from tightship.pytest_plugin.item import complaint, warn

        report = trial(step, **{**_defaults(request.config), **options})
        text = complaint(report, strict=request.config.getoption("--leaks-strict"))
        if text:
            pytest.fail(text, pytrace=False)
        warn(request.node, report)
        return report

    return run


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tell how many trials came to which verdict."""
    reports = (report for reports in terminalreporter.stats.values() for report in reports)
    verdicts = Counter(dict(getattr(report, "user_properties", ())).get(PROPERTY) for report in reports
                       if getattr(report, "when", None) == "call")  # fmt: skip
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items(), key=str) if verdict)
    if told:
        terminalreporter.write_line(f"leak trials: {told}")


def _options(item: pytest.Item) -> dict[str, Any] | None:
    """Return the options of a test's trial; None where it is no trial."""
    marker = item.get_closest_marker("leaks")
    if (marker is None and not _is_chosen(item)) or "leak_trial" in getattr(item, "fixturenames", ()):
        return None
    given = dict(marker.kwargs) if marker else {}
    if marker and (marker.args or given.keys() - {"budget", "ignore", "floor", "seed", "where"}):
        raise pytest.UsageError(f"{item.nodeid}: the marker is written {MARKER.partition(':')[0]}")
    return {**_defaults(item.config), **given}


def _defaults(config: pytest.Config) -> dict[str, Any]:
    """Return what was said for the whole run."""
    nothing: dict[str, Any] = {}
    given = config.stash.get(OPTIONS, nothing)
    options = {**given}
    if config.getoption("--leaks-budget"):
        options["budget"] = config.getoption("--leaks-budget")
    if config.getoption("--leaks-ignore"):
        options["ignore"] = tuple(config.getoption("--leaks-ignore"))
    return options


def _is_chosen(item: pytest.Item) -> bool:
    expression = item.config.getoption("--leaks")
    if not expression:
        return expression is not None
    from _pytest.mark import KeywordMatcher
    from _pytest.mark.expression import Expression

    try:
        return bool(Expression.compile(expression).evaluate(KeywordMatcher.from_item(item)))
    except SyntaxError as error:
        raise pytest.UsageError(f"--leaks={expression}: {error}") from None
