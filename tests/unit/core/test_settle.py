"""Settling: what comes back, and what it does not touch."""

from __future__ import annotations

import gc
import sys
import weakref
from types import SimpleNamespace

import pytest

from tightship.core import settle as module
from tightship.core.settle import settle

MIB = 2**20


class Node:
    """Something that can point to itself."""

    def __init__(self) -> None:
        self.self = self


@pytest.fixture
def cycle():
    """Keep the collector away from a cycle of garbage; give a way to see whether it lives."""
    gc.disable()
    seen = weakref.ref(Node())
    yield seen
    gc.enable()


def test_a_cycle_is_collected(cycle):
    """What only the collector can free is freed."""
    assert cycle() is not None
    settle()
    assert cycle() is None


def test_little_memory_is_not_worth_it(cycle):
    """Below the threshold nothing is done, and the settlement says so."""
    found = settle(over_bytes=1 << 50)
    assert found.skipped
    assert found.freed_bytes == 0
    assert cycle() is not None


def test_much_memory_is_settled(cycle):
    """Over the threshold it is done."""
    assert not settle(over_bytes=1).skipped
    assert cycle() is None


@pytest.mark.skipif(module._malloc_trim() is None, reason="needs glibc")
def test_freed_heap_goes_back_to_the_system():
    """Small blocks that the allocator kept below one that lives are returned."""
    blocks = [bytearray(2000) for _ in range(40_000)]
    keep = blocks[-1]
    del blocks
    found = settle()
    assert found.freed_bytes > 40 * MIB
    assert found.freed_bytes == found.before_bytes - found.after_bytes
    assert len(keep) == 2000


@pytest.mark.parametrize(("initialised", "expected"), [(True, ["emptied"]), (False, [])])
def test_the_gpu_cache_is_emptied_where_there_is_one(monkeypatch, initialised, expected):
    """Only a torch that has set up a GPU has a cache to empty."""
    calls: list[str] = []
    cuda = SimpleNamespace(is_initialized=lambda: initialised, empty_cache=lambda: calls.append("emptied"))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    settle()
    assert calls == expected


def test_without_glibc_nothing_is_trimmed(monkeypatch, cycle):
    """Another allocator has no such call; garbage is collected all the same."""
    monkeypatch.setattr(module, "_malloc_trim", lambda: None)
    settle()
    assert cycle() is None


def test_the_time_is_told():
    """A settlement says how long it held the process up."""
    assert 0 < settle().took_s < 60
