"""Reading packets to the end, whatever the end is like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import pytest
from av.error import InvalidDataError

from tightship.media.seek import find_entry, packets_of


@dataclass(frozen=True)
class FakePacket:
    """What is read of a packet."""

    size: int
    pts: int | None = None
    dts: int | None = None
    duration: int = 1
    is_keyframe: bool = True
    time_base: Fraction = Fraction(1)


@dataclass(frozen=True)
class FakeContainer:
    """Give two packets and an empty one, then fail."""

    fault: Exception | None

    def demux(self, *_streams: object) -> Iterator[FakePacket]:
        yield from (FakePacket(3), FakePacket(0), FakePacket(5))
        if self.fault is not None:
            raise self.fault


def read(fault: Exception | None) -> tuple[list[int], int]:
    damages: list[None] = []
    packets = packets_of(FakeContainer(fault), [], lambda: damages.append(None))  # type: ignore[arg-type]
    return [packet.size for packet in packets], len(damages)


@pytest.mark.parametrize(
    ("fault", "damages"), [(None, 0), (InvalidDataError(1, "broken"), 1), (IndexError("a stream announced late"), 0)]
)
def test_every_packet_is_given_out(fault: Exception | None, damages: int) -> None:
    """Damage is told, empty packets are left out; a stream that turned up late is not damage."""
    assert read(fault) == ([3, 5], damages)


@dataclass
class FakeFile:
    """A file that always seeks to its start."""

    packets: list[FakePacket]
    start_time: int = 0
    sought: list[int] = field(default_factory=list)

    def seek(self, at_us: int, *, backward: bool) -> None:
        self.sought.append(at_us)

    def demux(self, *_streams: object) -> Iterator[FakePacket]:
        return iter(self.packets)


def test_a_key_frame_long_before_the_start_is_not_believed() -> None:
    """Damaged tables put pictures days before the first one; a clip from there would last as long."""
    times = [(0, 0), (1, 1), (-150_000, -150_000), (2, -150_000), (3, -150_000), (4, 4)]
    file = FakeFile([FakePacket(1, pts, dts) for pts, dts in times])
    assert find_entry(file, None, Fraction(5, 2)).at == 2  # type: ignore[arg-type]


def test_the_first_key_frame_is_waited_for() -> None:
    """A stream that was cut off at its head is entered where its first key frame is."""
    file = FakeFile([FakePacket(1, at, at, is_keyframe=at == 20) for at in range(30)])
    assert find_entry(file, None, Fraction(0)).at == 20  # type: ignore[arg-type]
