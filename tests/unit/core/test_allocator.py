"""The allocator's settings, in a process of their own: they cannot be taken back."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from tightship.core import allocator

#: Takes 1000 bytes in each of several threads at once; prints in how many regions of 64 MiB, a heap's size, they lie.
CODE = """
import ctypes, sys, threading
from tightship.core import allocator
if sys.argv[1] == "one":
    assert allocator.keep_one_heap()
malloc = ctypes.CDLL(None).malloc
malloc.restype = ctypes.c_void_p
together, places = threading.Barrier(6), []
def take():
    together.wait()
    places.append(malloc(1000))
    together.wait()
threads = [threading.Thread(target=take) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len({place >> 26 for place in places}))
"""

#: Takes and frees 3 to 12 MB in each of several threads, a little of which stays; prints what the process holds more.
LARGE = """
import sys, threading
from tightship.core import allocator
from tightship.core.footprint import memory_bytes
if sys.argv[1] == "one":
    assert allocator.keep_one_heap()
kept = []
def take():
    for number in range(20):
        piece = b"x" * (number % 4 + 1) * 3_000_000
        kept.append(piece[:600])
before = memory_bytes()
threads = [threading.Thread(target=take) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(memory_bytes() - before)
"""


def told(code: str, how: str) -> int:
    done = subprocess.run([sys.executable, "-c", code, how], env={}, capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_threads_share_one_heap() -> None:
    """Each thread has a heap of its own by default; what is kept as one may lie across a border of such a region."""
    assert told(CODE, "one") <= 2 < told(CODE, "own")


def test_large_buffers_are_given_back() -> None:
    """What several threads have freed is no longer held; by default, each thread keeps about as much as its largest."""
    assert told(LARGE, "one") < 3_000_000 < told(LARGE, "own")


def test_another_allocator_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the C library has no such call, nothing is done and nothing raised."""
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    assert not allocator.keep_one_heap()
