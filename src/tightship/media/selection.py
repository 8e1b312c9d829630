"""Which frames of a stream are wanted, and when each is on screen: pure decisions on timestamps."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

#: Share of a slot by which a frame may come early and still count for it, so that timestamps rounded to milliseconds
#: do not push every other frame into its neighbour's slot. A quarter keeps 30 -> 10 fps on every third frame.
EARLY_SLOTS = 0.25
#: Seconds without a new frame above which a timestamp is called broken. Screen recordings stand still for half
#: minutes; damaged files claim hours.
MAX_GAP_S = 60.0
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
    """

    fps: float
    start_s: float = 0.0
    end_s: float | None = None

    @property
    def length_s(self) -> float | None:
        """Seconds between the two times; None when open."""
        return None if self.end_s is None else self.end_s - self.start_s

    def slot(self, position_s: float) -> int:
        """Return the number of the slot for a time counted from `start_s`; negative before it."""
        return math.floor(position_s * self.fps + EARLY_SLOTS)


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
        previous_s = 0.0 if self._last_s is None else self._last_s
        if at_s is None:
            step_s = 0.0 if self._last_s is None else self.frame_s
        else:
            step_s = at_s - previous_s
            if not 0.0 <= step_s <= MAX_GAP_S:
                self.repaired += self._last_s is not None
                step_s = 0.0 if self._last_s is None else self.frame_s
        self._last_s = previous_s + self.frame_s if at_s is None else at_s
        self.position_s += step_s
        return self.position_s


class Stamped(Protocol):
    """What of a packet decides whether it can be left out."""

    @property
    def pts(self) -> int | None: ...
    @property
    def size(self) -> int: ...


P = TypeVar("P", bound=Stamped)


def foresee(packets: Iterable[P], slots_per_tick: float, first_slot_tick: float) -> Iterator[tuple[P, bool]]:
    """Yield each packet with whether its frame is surely not wanted, because an earlier one has its slot.

    Packets come in decoding order, so this looks a bounded number of them ahead. A wrong "wanted" costs only time.

    Args:
        packets: Packets of one video stream.
        slots_per_tick: Slots per tick of the stream's clock.
        first_slot_tick: Where slot 0 begins; packets more than a second's worth before it are still told apart by slot.
    """

    def slot(pts: int) -> int:
        return math.floor((pts - first_slot_tick) * slots_per_tick + EARLY_SLOTS)

    waiting: deque[P] = deque()
    waiting_bytes = 0
    earliest: dict[int, int] = {}
    recent: deque[int] = deque()

    def release() -> tuple[P, bool]:
        packet = waiting.popleft()
        if packet.pts is None:
            return packet, False
        recent.append(slot(packet.pts))
        spare = earliest.get(recent[-1], packet.pts) < packet.pts
        while len(recent) > LOOK_AHEAD_PACKETS:
            gone = recent.popleft()
            if gone not in recent:
                earliest.pop(gone, None)
        return packet, spare

    for packet in packets:
        if packet.pts is not None:
            number = slot(packet.pts)
            earliest[number] = min(earliest.get(number, packet.pts), packet.pts)
        waiting.append(packet)
        waiting_bytes += packet.size
        while len(waiting) > LOOK_AHEAD_PACKETS or (waiting_bytes > LOOK_AHEAD_BYTES and len(waiting) > 1):
            waiting_bytes -= waiting[0].size
            yield release()
    while waiting:
        yield release()
