"""What is to be done with a file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tightship.store.fingerprint import Fingerprint, Outcome
from tightship.watch.decision import Question, Step, by_content, by_times, ours

DONE = Fingerprint("/in/a.mp4", "/in/a.srt", "r", "info", 10, 1, "content", Outcome.DONE, "result", noted_s=100.0)
FAILED = replace(DONE, outcome=Outcome.FAILED, result_digest=None)
LEFT = replace(FAILED, outcome=Outcome.LEFT, digest=None)
COMING = replace(DONE, outcome=Outcome.COMING, former_digest="former")
ASKED = Question("/in/a.mp4", 10, 1, "r", present=True, known=[])


@pytest.mark.parametrize(
    ("known", "change", "step"),
    [
        ([], {}, Step.LOOK),
        ([DONE], {}, Step.KEEP),
        ([DONE], {"present": False}, Step.LOOK),
        ([DONE], {"size_bytes": 11}, Step.LOOK),
        ([DONE], {"mtime_ns": 2}, Step.LOOK),
        ([DONE], {"request": "other"}, Step.KEEP),
        ([DONE], {"source": "/in/a.mp3"}, Step.LOOK),
        ([DONE], {"anew_before_s": 101.0}, Step.LOOK),
        ([DONE], {"anew_before_s": 100.0}, Step.KEEP),
        ([FAILED], {"present": False}, Step.GIVEN_UP),
        ([FAILED], {"mtime_ns": 2}, Step.LOOK),
        ([FAILED], {"request": "other"}, Step.LOOK),
        ([FAILED], {"anew_before_s": 101.0}, Step.LOOK),
        ([LEFT], {}, Step.LEAVE),
        ([LEFT], {"present": False}, Step.LOOK),
        ([COMING], {}, Step.LOOK),
        ([replace(DONE, request="other"), FAILED], {}, Step.KEEP),
    ],
)
def test_decision_by_times(known: list[Fingerprint], change: dict[str, object], step: Step) -> None:
    """A file that is as it was needs nothing, as long as its result is there."""
    assert by_times(replace(ASKED, known=known, **change)) is step


@pytest.mark.parametrize(
    ("known", "alike", "at_work", "step"),
    [
        ([], [], (), Step.WORK),
        ([DONE], [DONE], (), Step.TOUCH),
        ([replace(DONE, digest="before")], [], (), Step.WORK),
        ([], [replace(DONE, source="/in/b.mp4", place="/in/b.srt")], (), Step.COPY),
        ([], [FAILED], (), Step.FAIL),
        ([], [DONE, replace(FAILED, source="/in/b.mp4")], (), Step.COPY),
        ([], [FAILED, replace(DONE, source="/in/b.mp4")], (), Step.FAIL),
        ([], [], ("content",), Step.JOIN),
        ([], [], ("other",), Step.WORK),
        ([COMING], [], (), Step.WORK),
    ],
)
def test_decision_by_content(
    known: list[Fingerprint], alike: list[Fingerprint], at_work: tuple[str, ...], step: Step
) -> None:
    """The same content is worked on once."""
    assert by_content(replace(ASKED, known=known), "content", alike, at_work) is step


def test_what_was_noted_before_does_not_count_when_all_is_done_anew() -> None:
    """Neither for the file itself nor for others like it."""
    anew = replace(ASKED, known=[DONE], anew_before_s=101.0)

    assert by_content(anew, "content", [DONE, FAILED], ()) is Step.WORK


def test_ours_is_what_was_put_there_or_was_about_to_be() -> None:
    """A process that died in between has left the one or the other."""
    assert ours([COMING, LEFT]) == {"result", "former"}
