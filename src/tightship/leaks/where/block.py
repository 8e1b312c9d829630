"""Which lines' live Python memory keeps growing, decided from counts that tracemalloc took after windows of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from tightship.leaks.where.stack import Call, Stack

#: Windows that a line's growth is looked at in; it may miss one of them.
WINDOWS = 6
#: Larger blocks come from malloc and are no blocks of Python's allocator.
PYTHON_BLOCK_BYTES = 512
#: A line cannot keep more than all together do, beyond this allowance for what the instrument misses.
BACKED = 1.5
#: Growth below this share of the series' is not what the trial saw.
MIN_SHARE = 0.1
#: The lines found explain a series when their sum is this near to its slope.
EXPLAINED = (0.6, 1.6)


@dataclass
class Held:
    """What one line holds: blocks and bytes, and the stack that made most of them."""

    blocks: int = 0
    size_bytes: int = 0
    stack: Stack = ()
    _most: int = field(default=0, repr=False)

    def add(self, blocks: int, size_bytes: int, stack: Stack) -> None:
        """Add what one stack holds."""
        self.blocks += blocks
        self.size_bytes += size_bytes
        if size_bytes >= self._most:
            self.stack, self._most = stack, size_bytes


#: What each line holds at one moment.
Holding = Mapping[Call, Held]


@dataclass(frozen=True)
class Growth:
    """A line that holds more after nearly every window."""

    call: Call
    stack: Stack
    blocks_per_step: float
    bytes_per_step: float

    @property
    def is_large(self) -> bool:
        """Whether most of it lies in blocks that Python's allocator leaves to malloc."""
        return self.bytes_per_step > PYTHON_BLOCK_BYTES * max(self.blocks_per_step, 0.0)


@dataclass(frozen=True)
class Look:
    """What was there after a window.

    Args:
        steps: Steps so far.
        holding: What each line holds.
        blocks_before: All blocks as Python counts them, before this look took some for itself.
        blocks_after: And after it.
    """

    steps: int
    holding: Holding
    blocks_before: int
    blocks_after: int


def growing(looks: Sequence[Look]) -> list[Growth]:
    """Return the lines that grow in nearly every window and are backed by the growth of all, largest first.

    Args:
        looks: One before the first window, one after each.
    """
    if len(looks) < 3:
        return []
    steps = looks[-1].steps - looks[0].steps
    total = median(
        (after.blocks_before - before.blocks_after) / (after.steps - before.steps) for before, after in pairwise(looks)
    )
    found = []
    for call, held in looks[-1].holding.items():
        blocks = [look.holding[call].blocks if call in look.holding else 0 for look in looks]
        sizes = [look.holding[call].size_bytes if call in look.holding else 0 for look in looks]
        if not _keeps_growing(blocks) and not _keeps_growing(sizes):
            continue
        growth = Growth(call, held.stack, (blocks[-1] - blocks[0]) / steps, (sizes[-1] - sizes[0]) / steps)
        if _is_backed(growth, total):
            found.append(growth)
    return sorted(found, key=lambda growth: -growth.bytes_per_step)


def _keeps_growing(values: Sequence[int]) -> bool:
    rises = sum(after > before for before, after in pairwise(values))
    return rises >= len(values) - 2 and values[-1] > values[0]


def _is_backed(growth: Growth, total_blocks_per_step: float) -> bool:
    """Tell whether all blocks together grow as the line does.

    A full cache replaces what was there before the instrument by what it sees: the line grows, the sum does not.
    """
    return growth.is_large or growth.blocks_per_step <= BACKED * total_blocks_per_step + MIN_SHARE


def share_of(growths: Sequence[Growth], metric: str, slope: float) -> list[tuple[Growth, float]]:
    """Return those that matter to a series with their growth in its unit, largest first."""
    rates = [(growth, _rate(growth, metric)) for growth in growths]
    return sorted(
        ((growth, rate) for growth, rate in rates if rate > 0 and rate >= MIN_SHARE * slope), key=lambda pair: -pair[1]
    )


def _rate(growth: Growth, metric: str) -> float:
    if metric == "python_blocks":
        return growth.blocks_per_step
    # Small blocks lie in Python's own arenas, which the native heap does not count.
    return growth.bytes_per_step if metric == "rss" or growth.is_large else 0.0


def explained(growths: Sequence[Growth], metric: str, slope: float) -> float:
    """Return the share of a series' growth that the lines account for."""
    return sum(rate for _, rate in share_of(growths, metric, slope)) / slope if slope > 0 else 0.0
