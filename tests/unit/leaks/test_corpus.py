"""The labelled cases of the leak benchmark are complete, run, and the quick ones are judged rightly."""

from __future__ import annotations

import inspect
import json
import random
import sys
from collections import Counter
from pathlib import Path

import pytest
from benchmarks.leaks import interpreter, simulation
from benchmarks.leaks.corpus import GROWING, MARK, STEADY, Case, corpus
from benchmarks.leaks.run import scored
from benchmarks.leaks.score import Outcome, Score, outcome, table, wrong_twice

from tightship.core.verdict import Kind
from tightship.leaks.metric import METRICS

CASES = corpus()
#: Cases that the issue names; the corpus has far more.
NAMED = {
    "malloc_200_bytes", "kilobyte_under_noise", "one_step_in_25", "exception_path", "helper_grows",
    "worker_keeps_by_thread", "full_after_50", "full_after_400", "sawtooth_of_1000", "fragmentation", "lazy_import",
    "cycles_with_big_buffers", "keep_alive_sockets", "just_joined", "warm_up_of_8000",
}  # fmt: skip
#: Quick ones of different kinds that the engine judges in every run of the tests.
QUICK = (
    "results_by_request", "raw_descriptors", "parked_for_ever", "tasks_pending_for_ever", "mkstemp_path_forgotten",
    "nothing_at_all", "full_after_50", "keep_alive_sockets",
)  # fmt: skip


def test_the_corpus_has_at_least_sixty_cases_of_every_sort() -> None:
    """Given the corpus, then it has enough cases, leaking and clean, and those that are asked for by name."""
    verdicts = Counter(case.expect for case in CASES.values())
    assert len(CASES) >= 60
    assert min(verdicts[GROWING], verdicts[STEADY]) >= 25
    assert set(CASES) >= NAMED


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_label_is_complete(case: Case) -> None:
    """Given a case, then it says what it does, and a leak says in which metric it must show."""
    assert inspect.getdoc(case.function)
    assert case.kind
    assert bool(case.metrics) == (case.expect is GROWING)
    assert set(case.metrics) <= set(METRICS)
    if case.expect is STEADY:
        assert not case.marks


def test_marked_lines_are_where_they_are_said_to_be() -> None:
    """Given all marks, then each is a line of its file that ends with the comment, and most leaks have one."""
    marked = [case for case in CASES.values() if case.marks]
    for case in marked:
        lines = Path(case.file).read_text().splitlines()
        assert all(lines[mark - 1].endswith(MARK) for mark in case.marks)
    assert len(marked) > 50


def test_every_case_runs() -> None:
    """Given the cases, when three steps of each run, then nothing fails; elsewhere, for half leave something."""
    ended = interpreter.run([sys.executable, "-W", "ignore", "-m", "benchmarks.leaks.rehearsal"], limit_s=100)
    assert ended.status == 0, ended.errors
    assert json.loads(ended.output.splitlines()[-1]) == {}


@pytest.mark.parametrize("name", QUICK)
def test_a_quick_case_is_judged_rightly(name: str) -> None:
    """Given a quick case, when it is tried, then the verdict is the one on its label, in the metric on its label."""
    score = scored(CASES[name], seed=1)
    assert score.outcome is Outcome.RIGHT, score


@pytest.mark.parametrize(
    ("name", "verdict", "growing", "expected"),
    [
        ("raw_descriptors", Kind.GROWING, ["fds"], Outcome.RIGHT),
        ("raw_descriptors", Kind.GROWING, ["rss"], Outcome.MISSED),
        ("raw_descriptors", Kind.STEADY, [], Outcome.MISSED),
        ("raw_descriptors", Kind.UNDECIDED, [], Outcome.UNDECIDED),
        ("nothing_at_all", Kind.STEADY, [], Outcome.RIGHT),
        ("nothing_at_all", Kind.GROWING, ["rss"], Outcome.FALSE_POSITIVE),
    ],
)
def test_a_verdict_is_scored_by_the_label(name: str, verdict: Kind, growing: list[str], expected: Outcome) -> None:
    """Given a label, when a verdict is scored, then a leak counts only if its own metric was named."""
    assert outcome(CASES[name], verdict, growing) is expected


def test_wrong_twice_needs_two_seeds_and_a_wrong_verdict() -> None:
    """Given scores, then a case is wrong twice only if it was wrong, not undecided, with two seeds."""
    once, twice, unsure = (CASES[name] for name in ("raw_descriptors", "nothing_at_all", "full_after_50"))
    scores = [
        Score(once, 1, Outcome.MISSED, 1.0),
        Score(once, 2, Outcome.RIGHT, 1.0),
        Score(twice, 1, Outcome.FALSE_POSITIVE, 1.0),
        Score(twice, 2, Outcome.FAILED, 1.0),
        Score(unsure, 1, Outcome.UNDECIDED, 1.0),
        Score(unsure, 2, Outcome.UNDECIDED, 1.0),
    ]
    assert wrong_twice(scores) == ["nothing_at_all"]


def test_the_table_counts_by_kind_and_in_all() -> None:
    """Given scores of two kinds, then the table has a row for each and one for all."""
    scores = [
        Score(CASES["raw_descriptors"], 1, Outcome.RIGHT, 2.0, located=True),
        Score(CASES["nothing_at_all"], 1, Outcome.FALSE_POSITIVE, 4.0),
    ]
    assert table(scores).splitlines()[2:] == [
        "| descriptors | 1 | 1 | 0 | 0 | 0 | 0 | 1 of 1 | 2.0 | 2.0 |",
        "| clean noise | 1 | 0 | 1 | 0 | 0 | 0 | - | 4.0 | 4.0 |",
        "| **all** | 2 | 1 | 1 | 0 | 0 | 0 | 1 of 1 | 3.0 | 4.0 |",
    ]


def test_a_command_that_leaves_a_child_is_cleared_up() -> None:
    """Given a command whose child lives on and holds its output, then it is not waited for, and the output is there."""
    ended = interpreter.run(["/bin/sh", "-c", "sleep 1000 & echo done"], limit_s=60)
    assert (ended.status, ended.output) == (0, "done\n")


def test_a_command_that_hangs_is_ended() -> None:
    """Given a command that never ends, when its time is up, then it has no status."""
    assert interpreter.run(["sleep", "1000"], limit_s=1).status is None


def test_a_simulated_trial_is_judged_as_a_real_one() -> None:
    """Given metrics that never move, then a simulated trial is steady, and a leak added to it is found."""
    rng = random.Random(1)
    ended = simulation.simulated(rng, dict.fromkeys(simulation.SCALES, simulation.level))
    assert {series.verdict for series in ended.series} == {STEADY}
    assert simulation.finds_leak(rng, ended)
