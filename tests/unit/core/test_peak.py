"""Peaks of nested and overlapping watches."""

from __future__ import annotations

import os

import pytest

from tightship.core import peak, procfs
from tightship.core.footprint import memory_bytes
from tightship.core.peak import PeakWatch

MIB = 2**20


@pytest.fixture
def resettable():
    if not peak.prepare():
        pytest.skip("this kernel does not let the high-water mark be reset")


@pytest.fixture
def watch():
    opened: list[PeakWatch] = []

    def start() -> PeakWatch:
        opened.append(PeakWatch())
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def hold(size_bytes: int) -> None:
    """Hold memory for a moment."""
    block = b"x" * size_bytes
    del block


def test_a_peak_between_the_ends_is_seen(watch, resettable):
    """What was held and given back inside the watch is in its peak."""
    held = watch()
    hold(60 * MIB)
    assert 55 * MIB < held.sample() - memory_bytes() < 75 * MIB


def test_an_older_peak_is_not_counted(watch, resettable):
    """What was held before the watch opened is not its peak."""
    hold(60 * MIB)
    assert watch().sample() - memory_bytes() < 20 * MIB


def test_an_inner_watch_takes_nothing_from_the_outer(watch, resettable):
    """The outer watch keeps a peak from before the inner one reset the mark; the inner one does not get it."""
    outer = watch()
    hold(60 * MIB)
    inner = watch()
    assert outer.sample() - memory_bytes() > 55 * MIB
    assert inner.sample() - memory_bytes() < 20 * MIB


def test_the_inner_peak_is_the_outers_too(watch, resettable):
    """What happens inside the inner watch happens inside the outer."""
    outer, inner = watch(), watch()
    hold(60 * MIB)
    inner.close()
    watch()
    assert outer.sample() - memory_bytes() > 55 * MIB


def test_a_closed_watch_learns_nothing_more(watch, resettable):
    """After closing the peak stays."""
    closed = watch()
    closed.close()
    before_bytes = closed.sample()
    hold(60 * MIB)
    assert closed.sample() - before_bytes < 20 * MIB


def test_without_a_reset_an_old_record_is_not_taken_for_a_peak(watch, monkeypatch):
    """The mark has not moved since the opening: only what was held at the ends is known."""
    monkeypatch.setattr(procfs.PeakReset, "available", property(lambda self: False))
    monkeypatch.setattr(procfs.PeakReset, "reset", lambda self: False)
    monkeypatch.setattr(peak, "_held_and_mark_bytes", lambda: (memory_bytes(), 1 << 40))
    assert watch().sample() - memory_bytes() < 20 * MIB


def test_without_a_reset_a_new_record_is_a_peak(watch, monkeypatch):
    """The mark has moved since the opening, so the record was set inside."""
    monkeypatch.setattr(procfs.PeakReset, "available", property(lambda self: False))
    monkeypatch.setattr(procfs.PeakReset, "reset", lambda self: False)
    monkeypatch.setattr(peak, "_held_and_mark_bytes", lambda: (memory_bytes(), 1 << 30))
    held = watch()
    monkeypatch.setattr(peak, "_held_and_mark_bytes", lambda: (memory_bytes(), 1 << 40))
    assert held.sample() >= 1 << 40


@pytest.mark.skipif(not procfs.available(), reason="needs Linux's /proc")
def test_a_childs_peak_counts_when_it_came_inside(watch, run_python):
    """A child started inside counts with its own peak; one from before with what it holds."""
    program = "block = b'x' * (60 << 20); del block"
    run_python(program)
    held = watch()
    assert held.sample() - memory_bytes() < 40 * MIB
    run_python(program)
    assert held.sample() - memory_bytes() > 55 * MIB


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_starts_over(watch):
    """A forked child has no watch of its parent's, and no lock that another thread held."""
    watch()
    peak._state.lock.acquire()
    try:
        pid = os.fork()
        if pid == 0:
            os._exit(0 if not peak._state.watches and peak.prepare() in (True, False) else 1)
    finally:
        peak._state.lock.release()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
