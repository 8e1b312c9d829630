"""The allocator's settings, in a process of their own: they cannot be taken back."""

from __future__ import annotations

import subprocess
import sys

#: Takes and frees 64 MB in large pieces, with the settings of a slot; prints the page faults of the second round.
CODE = """
import resource, sys
import numpy as np
from tightship.inference import allocator
if sys.argv[1] == "keep":
    assert allocator.keep_buffers()
def work():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(2**20, np.float32)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
work()
faults = work()
allocator.give_back()
print(faults)
"""


def faults(how: str) -> int:
    environment = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
    done = subprocess.run(
        [sys.executable, "-c", CODE, how], env=environment, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_large_buffers_are_used_again() -> None:
    """What a slot's settings map anew each time, 1024 pages a piece, stays once it is there."""
    assert faults("keep") < faults("leave") / 10
