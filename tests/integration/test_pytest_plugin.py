"""The plugin in a real pytest, on small suites."""

from __future__ import annotations

import pytest

#: Long enough for a slow machine; clear cases end much sooner.
BUDGET = "--leaks-budget=20 s"


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other plugins of the machine cost time and have their own noise."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("COLUMNS", "300")


def run(pytester: pytest.Pytester, *words: str) -> pytest.RunResult:
    """Run pytest as a process of its own: a trial freezes the garbage collector of the process that it is in."""
    return pytester.runpytest_subprocess("-p", "tightship", BUDGET, *words, timeout=110)


def test_marked_test_that_leaks_fails_readably(pytester: pytest.Pytester) -> None:
    """Only what is marked becomes a trial; its failure has the rate, a plot and the line."""
    pytester.makepyfile(
        """
        import os, pytest
        kept = []

        @pytest.mark.leaks(ignore="*rss")
        def test_leak():
            kept.append(os.open(os.devnull, os.O_RDONLY))

        def test_other():
            kept.append(1)
            assert len(kept) > 4  # as a test, three times to warm up, and then the steps that are judged
        """
    )

    result = run(pytester)

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "GROWING  *::test_leak: * steps in *",
            "open descriptors: grows by 1 descriptor a step *",
            "*│*",
            "  from *test_marked_test_that_leaks_fails_readably.py:6, *",
            "leak trials: 1 growing",
            "FAILED *::test_leak - leak: *open descriptors by 1 descriptor a step*",
        ]
    )


def test_what_is_no_pass_is_no_trial(pytester: pytest.Pytester) -> None:
    """Skips, expected failures and failures stay what they are, and run once."""
    pytester.makepyfile(
        """
        import pytest, unittest
        runs = []

        def test_fail():
            runs.append(1)
            assert len(runs) == 0, f"run {len(runs)}"

        @pytest.mark.xfail(reason="known")
        def test_expected():
            assert 0

        @pytest.mark.skip
        def test_skip():
            assert 0

        @pytest.fixture
        def broken():
            yield
            raise OSError("in teardown")

        def test_teardown(broken):
            pass
        """
    )

    result = run(pytester, "--leaks")

    result.assert_outcomes(failed=1, xfailed=1, skipped=1, passed=1, errors=1)
    result.stdout.fnmatch_lines(["*run 1*"])
    assert "leak trials" not in result.stdout.str()


def test_step_sets_up_narrow_fixtures_anew_and_keeps_wide_ones(pytester: pytest.Pytester) -> None:
    """Function scope anew, wider scopes once and torn down at their end; objects of classes and folders are new."""
    pytester.makepyfile(
        """
        import pytest
        counts = {"function": 0, "module": 0, "ended": 0}

        @pytest.fixture(scope="module")
        def wide():
            counts["module"] += 1
            yield
            counts["ended"] += 1

        @pytest.fixture
        def narrow(wide, tmp_path):
            counts["function"] += 1
            assert list(tmp_path.iterdir()) == []
            (tmp_path / "file").touch()
            yield

        class TestWork:
            @pytest.mark.leaks
            def test_work(self, narrow, record_property):
                assert not hasattr(self, "used")
                self.used = True
                record_property("key", "value")
                print("printed")

        def test_counts(wide, tmp_path):
            assert counts["function"] > 4  # as a test, three times to warm up, and at least one judged step
            assert (counts["module"], counts["ended"]) == (1, 0)
            assert len(list(tmp_path.parent.iterdir())) < 9
        """
    )

    result = run(pytester, "-W", "ignore")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["leak trials: 1 *"])
    assert "growing" not in result.stdout.str()


def test_empty_test_is_steady(pytester: pytest.Pytester) -> None:
    """What pytest itself keeps of each run is not blamed on a test, and `--leaks` leaves the folder to pytest."""
    pytester.makepyfile("def test_nothing():\n    pass")

    result = run(pytester, "--leaks", ".")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["leak trials: 1 steady"])


def test_verdict_is_in_the_junit_report(pytester: pytest.Pytester) -> None:
    """The XML carries the verdict as a property of its test."""
    pytester.makepyfile("def test_nothing():\n    pass")

    run(pytester, "--leaks", "--junitxml=report.xml")

    assert '<property name="leaks" value="steady"' in (pytester.path / "report.xml").read_text()


def test_property_test_in_a_class_can_be_repeated(pytester: pytest.Pytester) -> None:
    """Hypothesis refuses a test whose object changes from run to run, so it keeps the one it has."""
    pytester.makepyfile(
        """
        from hypothesis import given, settings, strategies

        class TestNumbers:
            @settings(max_examples=5, deadline=None, database=None)
            @given(strategies.integers())
            def test_number(self, number):
                assert number == number
        """
    )
    counts_only = [f"--leaks-ignore={metric}" for metric in ("*rss", "python_blocks", "native_heap")]

    result = run(pytester, "--leaks", "--leaks-budget=2 s", *counts_only)

    result.assert_outcomes(passed=1)


def test_later_failure_is_told_as_such(pytester: pytest.Pytester) -> None:
    """A test that passes once and not again cannot be a step; nothing is said about leaks."""
    pytester.makepyfile(
        """
        runs = []

        def test_once():
            runs.append(1)
            assert len(runs) < 3
        """
    )

    result = run(pytester, "--leaks=once")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*assert 3 < 3*", "FAILED *It passed once, and failed when repeated: *"])


@pytest.mark.parametrize(("words", "outcome"), [(("-W", "error"), "passed"), (("--leaks-strict",), "failed")])
def test_undecided_warns_or_fails(pytester: pytest.Pytester, words: tuple[str, ...], outcome: str) -> None:
    """Undecided is no leak, so it warns, also where warnings are errors; strictly it fails."""
    pytester.makepyfile(
        """
        import pytest, time

        @pytest.mark.leaks(budget="0.5 s")
        def test_slow():
            time.sleep(0.1)
        """
    )

    result = pytester.runpytest_subprocess("-p", "tightship", *words, timeout=110)

    assert result.parseoutcomes().get(outcome) == 1
    assert ("LeakWarning" in result.stdout.str()) == (outcome == "passed")


def test_fixture_runs_a_step(pytester: pytest.Pytester) -> None:
    """`leak_trial` returns the report, and fails the test when something grows."""
    pytester.makepyfile(
        """
        import os

        def test_trial(leak_trial):
            kept = []
            assert leak_trial(lambda: None).verdict == "steady"
            leak_trial(lambda: kept.append(os.open(os.devnull, os.O_RDONLY)), where=False)
        """
    )

    result = run(pytester)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["GROWING *", "open descriptors: grows by 1 descriptor a step *"])


def test_trials_run_under_xdist(pytester: pytest.Pytester) -> None:
    """Reports come back from workers whole."""
    pytester.makepyfile(
        """
        import os, pytest
        kept = []

        def test_clean():
            pass

        def test_leak():
            kept.append(os.open(os.devnull, os.O_RDONLY))
        """
    )

    result = run(pytester, "-p", "xdist", "-n2", "--leaks", "--leaks-ignore", "*rss")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["open descriptors: grows by 1 descriptor a step *", "leak trials: 1 growing, 1 steady"]
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [(("--leaks=and or", "-k", "other"), "*--leaks=and or: *"), (("-k", "marked"), "*the marker is written leaks(*")],
)
def test_wrong_usage_is_told(pytester: pytest.Pytester, words: tuple[str, ...], message: str) -> None:
    """A bad expression or an unknown argument of the marker ends the run with a sentence."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.leaks(seconds=5)
        def test_marked():
            pass

        def test_other():
            pass
        """
    )

    result = pytester.runpytest_subprocess("-p", "tightship", *words, timeout=60)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_plugin_is_inert_and_cheap_when_not_asked(pytester: pytest.Pytester) -> None:
    """A run without a trial loads nothing of the leak test."""
    pytester.makepyfile(
        """
        import sys

        def test_nothing_loaded():
            assert "tightship.pytest_plugin.plugin" in sys.modules
            assert not [name for name in sys.modules if name.startswith(("tightship.leaks", "psutil"))]
        """
    )

    pytester.runpytest_subprocess("-p", "tightship", timeout=60).assert_outcomes(passed=1)
