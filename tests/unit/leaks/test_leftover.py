"""Processes that a step leaves behind are ended."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tightship.core import procfs
from tightship.leaks.leftover import leftovers_ended

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def earlier() -> Iterator[subprocess.Popen[bytes]]:
    """A child that was there before."""
    with subprocess.Popen(SLEEP) as process:
        yield process
        process.kill()


def test_what_was_started_inside_is_ended_and_nothing_else(earlier: subprocess.Popen[bytes]) -> None:
    """The caller's own children live on."""
    with leftovers_ended():
        child = subprocess.Popen(SLEEP)

    assert child.wait(timeout=0) is not None
    assert earlier.poll() is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells an orphan's environment")
def test_an_orphan_is_ended_as_well() -> None:
    """Its parent, a shell, has ended long before."""
    command = f"{sys.executable} -c 'import time; time.sleep(600)' >/dev/null 2>&1 & echo $!"
    with leftovers_ended():
        said = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=True).stdout
        orphan = int(said)
        started = procfs.start_time(orphan)

    assert started is not None
    assert not procfs.is_running(orphan, started)


def test_they_are_ended_when_the_block_fails() -> None:
    """An interrupted trial leaves nothing either."""
    children: list[subprocess.Popen[bytes]] = []

    def interrupted() -> None:
        with leftovers_ended():
            children.append(subprocess.Popen(SLEEP))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert children[0].wait(timeout=0) is not None
