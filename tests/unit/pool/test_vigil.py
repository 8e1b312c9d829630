"""What an attempt's watch takes from a worker that is not trusted."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tightship.pool import vigil as vigil_module
from tightship.pool.channel import ChannelClosed
from tightship.pool.deadline import Deadline
from tightship.pool.messages import Exited, Opened, Partial
from tightship.pool.task import Task
from tightship.pool.vigil import Vigil


def test_a_session_is_opened_once(caplog: pytest.LogCaptureFixture) -> None:
    """A worker that says so again and again fills neither the log nor the receipt."""
    caplog.set_level(logging.INFO, "tightship")
    lines: Any = None
    vigil = Vigil(lines, Task("transcribe", "module", {}, Deadline(1, 2)), 2**30, 0.5, None, None)

    for took_s in (0.8, 1e300, 0.0):
        vigil._take(Opened(took_s, 10, 200, 250))

    assert vigil.opening is not None
    assert (vigil.opening.took_s, len(caplog.records)) == (0.8, 1)


def test_no_end_of_messages_puts_the_end_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that its warden should have killed is ended in the middle of what it says, and that is heard out."""
    lines: Any = None
    vigil = Vigil(lines, Task("transcribe", "module", {}, Deadline(1, 2)), 2**30, 0.5, None, None)
    vigil._kill_at_s = 0.0
    overdue = Exited("overdue", 0, 0.0, 0)
    ended: list[str] = []
    monkeypatch.setattr(vigil_module, "end", lambda _, cause: ended.append(cause) or overdue)

    class Endless:
        said = 0

        def receive(self, _timeout_s: float) -> Partial:
            self.said += 1
            assert self.said < 100, "it is listened to for ever"
            if ended and self.said > 10:
                raise ChannelClosed("dead")
            return Partial({})

    worker: Any = Endless()
    with pytest.raises(ChannelClosed):
        vigil._hear(worker)

    assert ended == ["overdue"]
    assert vigil._report is overdue
