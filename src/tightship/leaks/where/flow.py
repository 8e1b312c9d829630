"""Which line a sum grew at, when all that can be read is the sum: bytes of the native heap, of a GPU.

Each line's change is booked under its whole stack. What a line takes another may give back, so the stacks are followed
from the step inwards, always into the call that accounts for what its caller keeps.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping
from types import FrameType

from tightship.leaks.report import Origin
from tightship.leaks.where.rerun import Rerun
from tightship.leaks.where.stack import Call, Stack, origin, stack_of
from tightship.leaks.where.trace import tracing

#: A call accounts for its caller's growth when its own is this near to it.
NEAR = (0.6, 1.6)
#: A call below this share of its caller's growth is not followed.
MIN_SHARE = 0.15
#: What two calls give and take cancels when it differs by less than this share.
CANCELS = 0.1
#: Steps before bookkeeping starts: the first ones fill the instrument's own tables.
WARM_UP_STEPS = 3
#: Most steps for one look; their number varies, so that no period is met.
MOST_STEPS = 400
MAX_DEPTH = 60


class Ledger:
    """Books each change of a gauge under the stack that ran meanwhile."""

    def __init__(self, gauge: Callable[[], int]) -> None:
        self._gauge = gauge
        self._last = gauge()
        self.net: dict[Stack, int] = defaultdict(int)

    def line_ended(self, frame: FrameType, line: int) -> None:
        """Book what has changed since the line before."""
        now = self._gauge()
        if now != self._last:
            self.net[stack_of(frame, line)] += now - self._last
            # What booking itself has cost is nobody's.
            self._last = self._gauge()

    def clear(self) -> None:
        """Set every account to zero; the accounts stay, so that they need no memory later."""
        for stack in list(self.net):  # another thread may be booking
            self.net[stack] = 0
        self._last = self._gauge()


def find_flow(rerun: Rerun, gauge: Callable[[], int], what: str, slope: float, seed: int) -> tuple[Origin, ...]:
    """Return the lines that keep what the gauge gains.

    Args:
        rerun: The step.
        gauge: Reads the sum; it must be quick.
        what: What stays, in words.
        slope: Growth per step that the trial saw.
        seed: Of the number of steps.
    """
    ledger = Ledger(gauge)
    steps = 0
    with tracing(ledger.line_ended, rerun.over):
        rerun.run(WARM_UP_STEPS)
        ledger.clear()
        steps = rerun.run(random.Random(seed).randint(MOST_STEPS // 2, MOST_STEPS))
    if not steps:
        return ()
    rates = {stack: net / steps for stack, net in ledger.net.copy().items()}
    if sum(rates.values()) < MIN_SHARE * slope:
        return ()
    found = sorted(keepers(rates), key=lambda entry: -entry[1])
    return tuple(origin(what, stack, rate) for stack, rate in found if stack and rate >= MIN_SHARE * slope)


def keepers(rates: Mapping[Stack, float]) -> list[tuple[Stack, float]]:
    """Return the stacks that keep what all of them together gain, with how much.

    Args:
        rates: Gain of each stack itself, without what it called.
    """
    total = sum(rates.values())
    return _descend((), total, rates)


def _descend(prefix: Stack, total: float, rates: Mapping[Stack, float]) -> list[tuple[Stack, float]]:
    depth = len(prefix)
    calls: dict[Call, dict[Stack, float]] = defaultdict(dict)
    for stack, rate in rates.items():
        if len(stack) > depth:
            calls[stack[depth]][stack] = rate
    gains: dict[Call | None, float] = {call: sum(below.values()) for call, below in calls.items()}
    # A line's own work is one candidate among the calls it makes.
    own = gains[None] = rates.get(prefix, 0.0)
    chosen = accounting(gains, total)
    if not chosen or depth >= MAX_DEPTH:
        return [(prefix, total)]
    found: list[tuple[Stack, float]] = []
    for call in chosen:
        found += [(prefix, own)] if call is None else _descend((*prefix, call), gains[call], calls[call])
    return found


def accounting(gains: Mapping[Call | None, float], total: float) -> list[Call | None]:
    """Return the calls that account for a total: one that is near it, else those left after give and take cancel."""
    if total <= 0:
        return []
    low, high = NEAR
    nearest = min(gains, key=lambda call: abs(gains[call] - total), default=None)
    if nearest in gains and low * total <= gains[nearest] <= high * total:
        return [nearest]
    rest = _uncancelled(gains)
    large = [call for call, gain in rest.items() if gain >= MIN_SHARE * total]
    return large if low * total <= sum(rest[call] for call in large) <= high * total else []


def _uncancelled(gains: Mapping[Call | None, float]) -> dict[Call | None, float]:
    rest = dict(gains)
    for giver in sorted(gains, key=lambda call: gains[call]):
        takers = [call for call in rest if rest[call] > 0]
        if giver not in rest or rest[giver] >= 0 or not takers:
            break
        taker = min(takers, key=lambda call: abs(rest[call] + rest[giver]))
        if abs(rest[taker] + rest[giver]) <= CANCELS * rest[taker]:
            del rest[taker], rest[giver]
    return rest
