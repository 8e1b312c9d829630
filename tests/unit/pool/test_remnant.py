"""What outlives a killed warden is found by its mark."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tightship.pool.remnant import MARK, end_remnants


def test_only_what_bears_the_mark_of_the_pool_is_ended(tmp_path: Path) -> None:
    """Processes of another pool, and all others, are left alone; where there is nothing, nothing happens."""
    folders = [str(tmp_path / "this"), str(tmp_path / "other")]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", "print(); input()"],
            env={**os.environ, MARK: folder},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        for folder in folders
    ]
    try:
        for process in started:
            assert process.stdout is not None
            process.stdout.readline()

        end_remnants(tmp_path / "this")
        end_remnants(tmp_path / "nothing")

        assert started[0].wait(60) == -signal.SIGKILL
        assert started[1].poll() is None
    finally:
        for process in started:
            process.kill()
            process.communicate()
