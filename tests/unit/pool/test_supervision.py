"""The parent's end of the warden."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

from tightship.pool.supervision import Supervision


def test_warden_on_its_way_out_is_not_alive() -> None:
    """Its channels are closed a moment before it can be waited for; a slot that it was asked for then would fail."""
    warden = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    supervision = Supervision.__new__(Supervision)
    unseen: Any = SimpleNamespace(pid=warden.pid, poll=lambda: None)
    supervision._process = unseen
    assert supervision.alive()

    assert warden.stdin is not None
    warden.stdin.close()
    os.waitid(os.P_PID, warden.pid, os.WEXITED | os.WNOWAIT)
    assert not supervision.alive()
    warden.wait()
