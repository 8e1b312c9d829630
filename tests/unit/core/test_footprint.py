"""Footprints of real processes and trees."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tightship.core import footprint, procfs
from tightship.core.footprint import measure, memory_bytes

MIB = 2**20


@pytest.fixture(params=["procfs", "psutil"])
def source(request, monkeypatch):
    """Both ways to measure: Linux's own and the portable one."""
    if request.param == "psutil":
        monkeypatch.setattr(procfs, "available", lambda: False)
    elif not procfs.available():
        pytest.skip("needs Linux's /proc")
    return request.param


def test_this_process_is_measured_by_default(source):
    """Without a pid, the footprint is one's own."""
    own, named = measure(tree=False), measure(os.getpid(), tree=False)
    assert own.rss_bytes == pytest.approx(named.rss_bytes, rel=0.1)
    assert own.fds == named.fds


def test_memory_of_this_process_is_the_footprints(source):
    """The cheap question has the same answer as the whole footprint."""
    assert memory_bytes() == pytest.approx(measure(tree=False).rss_bytes, rel=0.1)


def test_an_allocation_is_seen(source, run_python):
    """A process that fills 40 MiB more weighs 40 MiB more, now and at its peak."""
    small, large = (measure(run_python(program).pid) for program in ("", "block = b'x' * (40 << 20)"))
    assert 36 * MIB < large.rss_bytes - small.rss_bytes < 46 * MIB
    assert large.peak_bytes >= large.rss_bytes


def test_a_tree_counts_the_children_in(source, run_python):
    """With the tree, the child's memory, descriptors and threads are in it."""
    process = run_python("import subprocess; p = subprocess.Popen(['cat'], stdin=subprocess.PIPE)")
    alone, tree = measure(process.pid, tree=False), measure(process.pid)
    assert (alone.children, tree.children) == (0, 1)
    assert tree.rss_bytes > alone.rss_bytes
    assert tree.fds > alone.fds
    assert tree.threads == alone.threads + 1


def test_a_process_that_is_gone_holds_nothing(source):
    """No error, and nothing counted."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    found = measure(process.pid)
    assert (found.rss_bytes, found.peak_bytes, found.fds, found.threads, found.children) == (0, 0, 0, 0, 0)


def test_cpu_seconds_count_the_work_done(source, run_python):
    """A third of a second of work is in the account."""
    process = run_python("import time\nwhile time.process_time() < 0.3: pass")
    assert measure(process.pid).cpu_s >= 0.25  # less a few ticks of the kernel


def test_scratch_bytes_are_what_lies_on_disk(source, tmp_path):
    """The scratch folder's allocated size is part of the footprint when it is asked for."""
    (tmp_path / "file").write_bytes(os.urandom(MIB))
    assert measure(scratch=tmp_path).scratch_bytes >= MIB
    assert measure().scratch_bytes == 0


def test_the_proportional_size_is_taken_only_when_asked_for():
    """It costs too much for every sample."""
    if not procfs.available():
        pytest.skip("needs Linux's /proc")
    assert measure().pss_bytes is None
    assert measure(exact=True).pss_bytes > 0


def test_the_portable_way_says_what_it_does_not_know(monkeypatch):
    """psutil's footprint has no proportional size: None, not zero."""
    monkeypatch.setattr(procfs, "available", lambda: False)
    assert measure(exact=True).pss_bytes is None


def test_a_process_that_may_not_be_looked_into_does_not_stop_the_measure(monkeypatch):
    """Descriptors that may not be counted count nothing; the rest is measured."""
    if not procfs.available():
        pytest.skip("needs Linux's /proc")
    monkeypatch.setattr(footprint.procfs, "fds", lambda pid: None)
    found = measure()
    assert found.fds == 0
    assert found.rss_bytes > 0
