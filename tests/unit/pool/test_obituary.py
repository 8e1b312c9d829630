"""What is written for a worker that cannot speak for itself."""

from __future__ import annotations

import pytest

from tightship.pool.deadline import Deadline
from tightship.pool.messages import Exited, Progress, Started
from tightship.pool.obituary import error_of, receipt_of, receipt_of_process
from tightship.pool.task import Task

TASK = Task("gif", "m", {}, Deadline(60, 66, 30))


@pytest.mark.parametrize(
    ("cause", "code", "says"),
    [
        ("memory", "memory_exceeded", "more than its 512 MiB"),
        ("deadline", "deadline_exceeded", "within 1 min 06 s"),
        ("no_progress", "no_progress", "no further for 30.0 s"),
        ("cancelled", "cancelled", "cancelled"),
        ("signal 11", "worker_died", "signal 11"),
        ("exit 3", "worker_died", "exit 3"),
        ("warden gone", "worker_died", "warden gone"),
    ],
)
def test_each_cause_has_its_error(cause: str, code: str, says: str) -> None:
    """The error names the limit, and the code tells causes apart."""
    error = error_of(Exited(cause, 600 * 2**20, 1.0, 0), TASK, 512 * 2**20, None, "")

    assert error.code == code
    assert says in error.public_message


def test_error_says_how_far_it_got() -> None:
    """The last progress is part of the message, and for programs among the details."""
    error = error_of(Exited("deadline", 0, 1.0, 0), TASK, 1, Progress(12.5, 60, "s"), "")

    assert error.public_message.endswith("was killed at 12.5 s")
    assert error.details == {"limit_s": 66, "progress": 12.5, "progress_unit": "s"}


def test_unit_of_a_hostile_worker_is_cut_short() -> None:
    """What a worker made up does not fill the message."""
    error = error_of(Exited("deadline", 0, 1.0, 0), TASK, 1, Progress(1, None, "x" * 2**20), "")

    assert len(error.public_message) < 200
    assert len(str(error.details["progress_unit"])) < 50


def test_last_words_stay_out_of_the_public_message() -> None:
    """A traceback is for the log."""
    error = error_of(Exited("signal 6", 0, 1.0, 0), TASK, 1, None, "secret path")

    assert "secret" not in error.public_message
    assert error.details["log"] == "secret path"


def test_receipt_of_the_killed() -> None:
    """It tells cause, peak and CPU since the start, and that a dead process retains nothing."""
    receipt = receipt_of(Exited("memory", 700, 5.0, 2), TASK, Started(100, 3.5), 9.0)

    assert (receipt.outcome, receipt.cause) == ("killed", "memory")
    assert (receipt.base_bytes, receipt.peak_bytes, receipt.retained_bytes) == (100, 700, 0)
    assert (receipt.cpu_s, receipt.wall_s) == (1.5, 9.0)
    assert receipt.released == ("2 orphaned processes",)


def test_unseen_peak_is_not_zero() -> None:
    """A peak that nobody has seen is not measured."""
    assert receipt_of(Exited("exit 1", 0, 1.0, 0), TASK, None, 0.1).peak_bytes is None


@pytest.mark.parametrize(("cause", "outcome"), [("recycled", "ok"), ("signal 9", "killed")])
def test_process_that_ended_as_meant_is_ok(cause: str, outcome: str) -> None:
    """A recycled worker ended well, one that died before was killed."""
    assert receipt_of_process(Exited(cause, 0, 1.0, 0), "recycled", 60.0, ()).outcome == outcome
