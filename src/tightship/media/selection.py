"""Which frames of a stream are wanted, and when each is on screen: pure decisions on timestamps."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

#: Share of a source frame's time, and of a slot, by which a frame may come early and still count for the slot, so that
#: a wavering clock does not push every other frame into its neighbour's. From a half on, an earlier frame would win.
EARLY = 0.25
#: Seconds without a new frame above which a timestamp is called broken. Screen recordings stand still for half
#: minutes; damaged files claim hours.
MAX_GAP_S = 60.0
#: Frames per second above which a rate is called broken. High-speed cameras write up to 960.
MAX_RATE_FPS = 1000.0
#: Seconds by which a damaged frame may come late without the clock being called broken.
_LATE_S = 1.0
#: Slots by which the length of a selection may be over a whole number of them, from arithmetic alone.
_ROUNDING = 1e-6
#: Packets read ahead of the decoder: H.264 and HEVC let a frame be stored at most 16 before it is shown.
LOOK_AHEAD_PACKETS = 16
#: Bytes read ahead at most, whatever their number: a packet of 8K video can have megabytes.
LOOK_AHEAD_BYTES = 2 * 2**20


@dataclass(frozen=True)
class Selection:
    """At most `fps` frames per second between two times; frames are dropped, never repeated.

    Args:
        fps: Slots per second; the first frame in a slot is taken.
        start_s: Where to begin, in seconds from the beginning of the stream.
        end_s: Where to end; None for the end of the stream.
        frame_s: Seconds that a frame of the source usually lasts.
    """

    fps: float
    start_s: float = 0.0
    end_s: float | None = None
    frame_s: float = 0.04

    @property
    def length_s(self) -> float | None:
        """Seconds between the two times; None when open."""
        return None if self.end_s is None else self.end_s - self.start_s

    def slot(self, position_s: float) -> int:
        """Return the number of the slot for a time counted from `start_s`; negative before it.

        A frame just before the end counts for the last slot: one of its own would be on screen for no time.
        """
        number = math.floor(position_s * self.fps + EARLY * min(1.0, self.frame_s * self.fps))
        if self.length_s is None or position_s >= self.length_s:
            return number
        return min(number, max(0, math.ceil(self.length_s * self.fps - _ROUNDING) - 1))


class Timeline:
    """Turn the stream's timestamps into positions that only ever grow, in believable steps.

    Args:
        frame_s: Seconds that one frame usually lasts; stands in for steps that cannot be believed.
    """

    def __init__(self, frame_s: float) -> None:
        self.frame_s = frame_s
        self.position_s = 0.0
        self.repaired = 0
        self._last_s: float | None = None

    def advance(self, at_s: float | None) -> float:
        """Return the position of the next frame in presentation order.

        Args:
            at_s: Its timestamp, counted from the start of the selection; None when it has none.
        """
        if self._last_s is None:
            self.position_s = at_s if at_s is not None and 0.0 <= at_s <= MAX_GAP_S else 0.0
            self._last_s = at_s or 0.0
            return self.position_s
        step_s = self.frame_s if at_s is None else at_s - self._last_s
        if -_LATE_S < step_s < 0.0:
            return self.position_s
        self._last_s += step_s
        if not 0.0 <= step_s <= MAX_GAP_S:
            self.repaired += 1
            step_s = self.frame_s
        self.position_s += step_s
        return self.position_s


class Stamped(Protocol):
    """What of a packet decides whether it can be left out."""

    @property
    def pts(self) -> int | None: ...
    @property
    def size(self) -> int: ...


P = TypeVar("P", bound=Stamped)


def foresee(packets: Iterable[P], slot_of: Callable[[int], int]) -> Iterator[tuple[P, bool]]:
    """Yield each packet with whether its frame is surely not wanted: an earlier one has its slot, or, before the first
    slot, a later one is on screen when that begins.

    Packets come in decoding order, so this looks a bounded number of them ahead. A wrong "wanted" costs only time.

    Args:
        packets: Packets of one video stream.
        slot_of: Returns the slot for a packet's presentation time; negative ones are before the selection.
    """
    waiting: deque[P] = deque()
    waiting_bytes = 0
    known = _Known(slot_of)
    for packet in packets:
        if packet.pts is not None:
            known.add(packet.pts)
        waiting.append(packet)
        waiting_bytes += packet.size
        while len(waiting) > LOOK_AHEAD_PACKETS or (waiting_bytes > LOOK_AHEAD_BYTES and len(waiting) > 1):
            first = waiting.popleft()
            waiting_bytes -= first.size
            yield first, known.is_spare(first.pts)
    for packet in waiting:
        yield packet, known.is_spare(packet.pts)


class _Known:
    """Which frame each slot goes to, as far as the packets are known."""

    def __init__(self, slot_of: Callable[[int], int]) -> None:
        self._slot_of = slot_of
        self._owners: dict[int, int] = {}
        self._recent: deque[int] = deque()

    def add(self, pts: int) -> None:
        slot = max(self._slot_of(pts), -1)
        owner = self._owners.get(slot, pts)
        self._owners[slot] = max(owner, pts) if slot < 0 else min(owner, pts)

    def is_spare(self, pts: int | None) -> bool:
        if pts is None:
            return False
        slot = max(self._slot_of(pts), -1)
        spare = self._owners.get(slot, pts) != pts
        self._recent.append(slot)
        if len(self._recent) > LOOK_AHEAD_PACKETS:
            gone = self._recent.popleft()
            if gone not in self._recent:
                self._owners.pop(gone, None)
        return spare
