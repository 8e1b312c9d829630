"""The attempt that users test their operations with."""

from __future__ import annotations

import os

import pytest

from tightship.core.attempt import Attempt
from tightship.errors import Cancelled
from tightship.testing import Checkpoint, FakeAttempt


@pytest.fixture
def movie(tmp_path):
    file = tmp_path / "movie.mp4"
    file.write_bytes(b"movie")
    return file


def test_it_can_stand_in_for_an_attempt(movie, tmp_path):
    """All that the contract names is there."""
    with FakeAttempt(movie, tmp_path) as attempt:
        names = [name for name in vars(Attempt) if not name.startswith("_")]
        assert [name for name in names if not hasattr(attempt, name)] == []


def test_its_input_can_be_read(movie, tmp_path):
    """The descriptor leads to the content and cannot be written."""
    with FakeAttempt(movie, tmp_path) as attempt:
        assert os.read(attempt.input_fd, 100) == b"movie"
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(attempt.input_fd, b"x")


def test_closing_gives_the_descriptor_back(movie, tmp_path):
    """After closing there is no input; closing again does no harm."""
    attempt = FakeAttempt(movie, tmp_path)
    fd = attempt.input_fd
    attempt.close()
    attempt.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    with pytest.raises(ValueError, match="has no input, or is closed"):
        attempt.input_fd


def test_it_needs_no_input(tmp_path):
    """An operation that reads none is tested without one."""
    with FakeAttempt(None, tmp_path) as attempt, pytest.raises(ValueError, match="no input"):
        attempt.input_fd


def test_it_records_what_the_operation_reports(tmp_path):
    """Checkpoints, partial results and warnings can be read afterwards, in order."""
    with FakeAttempt(None, tmp_path) as attempt:
        assert attempt.checkpoint(1, 10, "s") is False
        attempt.partial({"text": "hello"})
        attempt.warn("damaged", "a packet was skipped")
    assert attempt.checkpoints == [Checkpoint(1, 10, "s")]
    assert attempt.partials == [{"text": "hello"}]
    assert attempt.warnings == [("damaged", "a packet was skipped")]


@pytest.mark.parametrize(("stop_after", "answers"), [(0, [True, True, True]), (2, [False, False, True])])
def test_it_tells_to_stop(tmp_path, stop_after, answers):
    """So many checkpoints pass, then the soft deadline has passed."""
    with FakeAttempt(None, tmp_path, stop_after=stop_after) as attempt:
        assert [attempt.checkpoint(done, None, "frames") for done in range(3)] == answers


def test_it_cancels(tmp_path):
    """So many checkpoints pass, then it is cancelled; the last one is recorded too."""
    with FakeAttempt(None, tmp_path, cancel_after=1) as attempt:
        attempt.checkpoint(0, 2, "frames")
        with pytest.raises(Cancelled):
            attempt.checkpoint(1, 2, "frames")
    assert len(attempt.checkpoints) == 2


def test_it_hands_out_the_session(tmp_path):
    """What a slot would keep open between attempts."""
    model = object()
    with FakeAttempt(None, tmp_path, session=model) as attempt:
        assert attempt.session is model


def test_it_tells_its_state(movie, tmp_path):
    """How much was recorded can be read off it."""
    with FakeAttempt(movie, tmp_path) as attempt:
        attempt.checkpoint(1, 1, "s")
        assert repr(attempt) == "<FakeAttempt open, 1 checkpoints, 0 partials, 0 warnings>"
