"""Which frames are wanted, and when."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightship.media.selection import LOOK_AHEAD_BYTES, LOOK_AHEAD_PACKETS, Selection, Timeline, foresee


@dataclass(frozen=True)
class FakePacket:
    """What `foresee` reads of a packet."""

    pts: int | None
    size: int = 100


def taken(times_s: list[float], fps: float, frame_s: float) -> list[int]:
    """Return the numbers of the frames that are first in their slot."""
    selection, slot, numbers = Selection(fps, frame_s=frame_s), -1, []
    for number, time_s in enumerate(times_s):
        if selection.slot(time_s) > slot:
            slot = selection.slot(time_s)
            numbers.append(number)
    return numbers


@pytest.mark.parametrize(
    ("source_fps", "wanted"),
    [
        (100, [0, 10, 20]),
        (30, [0, 3, 6, 9, 12, 15, 18]),
        (25, [0, 3, 5, 8, 10, 13, 15, 18, 20]),
        (20, list(range(0, 21, 2))),
        (10, list(range(21))),
    ],
)
def test_slots_thin_out_evenly(source_fps: int, wanted: list[int]) -> None:
    """Of a faster source, the frames nearest to a steady rhythm are taken."""
    assert taken([number / source_fps for number in range(21)], 10, 1 / source_fps) == wanted


def test_slots_forgive_timestamps_rounded_to_milliseconds() -> None:
    """A source of the wanted rate keeps every frame although its clock wavers."""
    times_s = [round(number / 30, 3) + 0.004 * (-1) ** number for number in range(60)]
    assert taken([max(0.0, time_s) for time_s in times_s], 30, 1 / 30) == list(range(60))


@pytest.mark.parametrize("phase_s", [0.0, 0.003, 0.017, 0.039])
def test_there_are_no_more_frames_than_slots(phase_s: float) -> None:
    """2.5 s at 8 a second are 20 frames, wherever between two frames the selection begins; the last counts as late."""
    selection = Selection(8, 1.0, 3.5, 0.04)
    times_s = [number * 0.04 + phase_s for number in range(63)]
    slots = [selection.slot(time_s) for time_s in times_s if time_s < 2.5]
    assert sorted(set(slots)) == list(range(20))


def test_a_frame_behind_the_end_keeps_a_slot_of_its_own() -> None:
    """It must not pass for a spare one, for with it the end is known to be reached."""
    assert Selection(8, 1.0, 3.5, 0.04).slot(2.5) == 20


def test_length_is_open_without_an_end() -> None:
    """A selection without an end has no length, one with an end has what lies between."""
    assert Selection(10, 2.0).length_s is None
    assert Selection(10, 2.0, 5.5).length_s == 3.5


def test_timeline_follows_believable_times() -> None:
    """Ordinary timestamps pass unchanged, a first one later than zero included."""
    timeline = Timeline(0.04)
    assert [timeline.advance(at_s) for at_s in (0.5, 0.54, 0.54, 30.0)] == pytest.approx([0.5, 0.54, 0.54, 30.0])
    assert timeline.repaired == 0


@pytest.mark.parametrize("broken_s", [20_971.0, -3.0, 1e18])
def test_timeline_replaces_steps_nobody_believes(broken_s: float) -> None:
    """A jump of hours, or back in time, becomes the length of one frame, and is counted."""
    timeline = Timeline(0.04)
    positions = [timeline.advance(at_s) for at_s in (0.0, 0.04, 0.04 + broken_s, 0.08 + broken_s)]
    assert positions[2] == pytest.approx(0.08)
    assert timeline.repaired == 1


def test_timeline_steps_by_a_frame_where_there_is_no_time() -> None:
    """Frames without timestamps follow each other at the stream's rate."""
    timeline = Timeline(0.1)
    assert [timeline.advance(None) for _ in range(3)] == pytest.approx([0.0, 0.1, 0.2])


@given(st.lists(st.none() | st.floats(-1e9, 1e9, allow_nan=False), max_size=50), st.floats(0.001, 1.0))
def test_timeline_never_goes_back_nor_leaps(times: list[float | None], frame_s: float) -> None:
    """Whatever the timestamps, positions never fall and never rise by more than a minute."""
    timeline = Timeline(frame_s)
    positions = [timeline.advance(at_s) for at_s in times]
    steps = [after - before for before, after in itertools.pairwise(positions)]
    assert all(0.0 <= step <= 60.0 for step in steps)


def thirds(pts: int) -> int:
    """Return a slot for three ticks."""
    return pts // 3


def spared(*times: int) -> list[int | None]:
    return [packet.pts for packet, spare in foresee([FakePacket(pts) for pts in times], thirds) if spare]


def test_foresight_spares_what_comes_later_in_a_slot() -> None:
    """Of three frames in a slot the two later ones are spared, also when stored in another order."""
    assert spared(0, 3, 1, 2, 6, 4, 5) == [1, 2, 4, 5]


def test_foresight_sees_a_frame_that_is_stored_later_but_shown_earlier() -> None:
    """A frame is spared although the one that takes its slot comes behind it in the file."""
    assert spared(0, 5, 3, 4) == [5, 4]


def test_foresight_keeps_the_last_frame_before_the_first_slot() -> None:
    """It may be on screen when the first slot begins; those before it are not."""
    assert spared(-12, -4, -8, -1, -2, 0) == [-12, -4, -8, -2]


@given(st.lists(st.integers(-10_000, 10_000), max_size=80), st.integers(1, 500))
def test_foresight_loses_no_slot(ticks: list[int], slot_ticks: int) -> None:
    """However the packets are ordered, every slot keeps a frame, and every packet passes in its place."""
    seen = list(foresee([FakePacket(pts) for pts in ticks], lambda pts: pts // slot_ticks))
    kept = {max(-1, packet.pts // slot_ticks) for packet, spare in seen if not spare}
    assert [packet.pts for packet, _ in seen] == ticks
    assert kept == {max(-1, pts // slot_ticks) for pts in ticks}


def test_packets_without_a_time_are_never_spared() -> None:
    """What cannot be told is decoded."""
    assert [spare for _, spare in foresee([FakePacket(None)] * 40, thirds)] == [False] * 40


@pytest.mark.parametrize(("size", "ahead"), [(100, LOOK_AHEAD_PACKETS), (LOOK_AHEAD_BYTES, 1)])
def test_foresight_reads_ahead_a_bounded_amount(size: int, ahead: int) -> None:
    """No more than 16 packets wait, and only one where each of them is large."""
    read: list[int] = []

    def packets():
        for pts in range(1000):
            read.append(pts)
            yield FakePacket(pts, size)

    lead = [len(read) - 1 - packet.pts for packet, _ in foresee(packets(), thirds)]
    assert max(lead) == ahead
