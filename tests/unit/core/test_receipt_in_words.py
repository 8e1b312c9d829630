"""What a receipt tells people."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tightship.core.opening import Opening
from tightship.core.receipt import Receipt

CLEAN = Receipt(
    name="gif",
    kind="attempt",
    outcome="ok",
    cause=None,
    wall_s=3.21,
    cpu_s=3.1,
    base_bytes=40 * 2**20,
    peak_bytes=93 * 2**20,
    retained_bytes=205 * 2**10,
    fds=0,
    threads=0,
    children=0,
    scratch_bytes=0,
)


def test_a_clean_receipt_says_what_was_used_and_that_nothing_is_left() -> None:
    """A good ending reads as one short paragraph."""
    assert CLEAN.in_words() == (
        "gif finished in 3.2 s (3.1 s of CPU). "
        "It used at most 93.0 MiB of memory and gave back all but 205 KiB. "
        "Nothing was left behind: 0 B of files, 0 descriptors, 0 threads, 0 processes."
    )


def test_what_was_not_measured_is_said_to_be_so() -> None:
    """Nothing unmeasured is passed off as zero."""
    words = Receipt("gif", "attempt", "ok", None, wall_s=0.5).in_words()
    assert words == (
        "gif finished in 500 ms (CPU time not measured). Its memory was not measured. "
        "What it left behind was not measured."
    )


def test_one_missing_figure_does_not_hide_the_others() -> None:
    """A figure that is missing stands beside those that are there."""
    words = replace(CLEAN, threads=None, retained_bytes=None).in_words()
    assert "0 descriptors, threads not measured, 0 processes." in words
    assert "It used at most 93.0 MiB of memory; what it gave back was not measured." in words


@pytest.mark.parametrize(
    ("outcome", "cause", "ending"),
    [
        ("killed", "memory", "gif was killed after 3.2 s (3.1 s of CPU): it grew past its memory ceiling."),
        ("killed", "deadline", "gif was killed after 3.2 s (3.1 s of CPU): it ran past its deadline."),
        ("killed", "signal 11", "gif was killed after 3.2 s (3.1 s of CPU): signal 11."),
        ("failed", "corrupt_media", "gif failed after 3.2 s (3.1 s of CPU): corrupt media."),
        ("cancelled", None, "gif was cancelled after 3.2 s (3.1 s of CPU)."),
    ],
)
def test_a_bad_ending_says_why(outcome: str, cause: str | None, ending: str) -> None:
    """Whoever reads the receipt of a failure learns the cause first."""
    assert replace(CLEAN, outcome=outcome, cause=cause).in_words().startswith(ending)


def test_leftovers_are_named_and_counted() -> None:
    """Only what is really left is listed, with what could not be released."""
    words = replace(CLEAN, fds=1, children=2, scratch_bytes=1536, left_behind=("decoder of a.mp4",)).in_words()
    assert words.endswith("Left behind: decoder of a.mp4, 1.5 KiB of files, 1 descriptor, 2 processes.")


def test_a_gpu_is_named_where_there_is_one() -> None:
    """GPU memory is part of the account only when it was measured."""
    assert "GPU" not in CLEAN.in_words()
    assert replace(CLEAN, gpu_bytes=3 * 2**20).in_words().endswith("Left behind: 3.0 MiB of GPU memory.")


def test_giving_back_more_than_was_taken_is_giving_back_all() -> None:
    """Negative figures are not shown to people: fewer than at the start is none."""
    words = replace(CLEAN, retained_bytes=-(2**20), fds=-1).in_words()
    assert "gave back all of it." in words
    assert "0 descriptors" in words


def test_what_the_scope_released_at_its_end_is_listed() -> None:
    """What the work forgot to close is told, though nothing is left of it."""
    words = replace(CLEAN, released=("file a.gif", "child ffmpeg")).in_words()
    assert words.endswith("Still open at the end, and released: file a.gif, child ffmpeg.")


@pytest.mark.parametrize(
    ("gpu", "words"),
    [
        ((None, None), "memory 10.0 MiB before and 200 MiB after."),
        ((2**30, 2 * 2**30), "memory 10.0 MiB before and 200 MiB after, GPU memory 1.0 GiB before and 2.0 GiB after."),
    ],
)
def test_loading_a_model_is_told(gpu: tuple[int | None, int | None], words: str) -> None:
    """What the job had to wait for first stands before what it used; a GPU is named only where there is one."""
    opening = Opening(0.8, 10 * 2**20, 200 * 2**20, 250 * 2**20, *gpu)

    assert f"of CPU). Its model was loaded first: 800 ms, {words} It used" in replace(CLEAN, opening=opening).in_words()
