"""Where a stream of speech is cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tightship.inference.voice import CHUNK, Samples
from tightship.inference.window import CHUNK_S, RATE_HZ, Window
from tightship.inference.windowing import EVERYTHING, Cutter, Cutting, windows


class Loud:
    """A detector that takes every chunk that is not zero for speech."""

    def probabilities(self, samples: Samples) -> np.ndarray:
        return (np.abs(samples.reshape(-1, CHUNK)).max(axis=1) > 0).astype(np.float32)


def stream(*seconds: float) -> Samples:
    """Return speech and silence in turn, of these lengths; every sample of speech is its own time."""
    pieces, at = [], 0
    for number, length_s in enumerate(seconds):
        count = round(length_s * RATE_HZ)
        times = (np.arange(at, at + count) / RATE_HZ).astype(np.float32) + 1
        pieces.append(times if number % 2 == 0 else np.zeros(count, np.float32))
        at += count
    return np.concatenate(pieces)


def cut(samples: Samples, block: int = 16_000, cutting: Cutting | None = None) -> list[Window]:
    blocks = [samples[at : at + block] for at in range(0, samples.size, block)]
    return [window for window in windows(blocks, Loud(), Cutter(cutting)) if window is not None]


def test_all_speech_is_in_some_window() -> None:
    """Nothing that was said is lost, and nothing is heard twice."""
    samples = stream(12, 0.5, 9, 1, 14, 0.3, 40, 3, 5)

    kept = np.concatenate([window.samples for window in cut(samples)])

    assert np.array_equal(kept[kept > 0], samples[samples > 0])


def test_no_window_is_longer_than_a_model_hears() -> None:
    """Speech without a break is cut where the window ends."""
    found = cut(stream(100))

    assert all(window.duration_s <= 30.0 for window in found)
    assert len(found) == 4


def test_the_cut_lies_in_the_longest_late_silence() -> None:
    """A sentence's end is preferred to a breath that comes a little later."""
    first, _ = cut(stream(22, 0.8, 4, 0.2, 10))

    assert first.end_s == pytest.approx(22.4, abs=0.1)


def test_the_blocks_sizes_do_not_matter() -> None:
    """The same stream gives the same windows however it arrives."""
    samples = stream(12, 0.5, 25, 1, 14)

    one, other = cut(samples, 1_000), cut(samples, 160_000)

    assert [window.start_s for window in one] == [window.start_s for window in other]
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(one, other, strict=True))


def test_a_long_silence_is_cut_out_and_times_stay_right() -> None:
    """A window goes on after a pause of minutes; what is said there has its own time."""
    (window,) = cut(stream(3, 120, 4))

    voiced = np.flatnonzero(window.samples)
    assert window.duration_s < 9
    for at in voiced[:: CHUNK * 3]:
        assert window.time_s(at / RATE_HZ) == pytest.approx(window.samples[at] - 1, abs=0.001)


def test_an_end_on_a_seam_belongs_to_what_ends() -> None:
    """A word that ends where silence was cut out does not end minutes later."""
    window = Window(np.zeros(RATE_HZ * 10, np.float32), (0.0, 4.0), (0.0, 100.0))

    assert window.time_s(4.0, end=True) == 4.0
    assert window.time_s(4.0) == 100.0


@pytest.mark.parametrize(
    ("time_s", "begins_s", "voice_s"), [(1.5, 1.504, 5.5), (60.0, 122.6, 4.0), (126.9, 126.912, 0.1)]
)
def test_what_follows_a_time_is_a_window_of_its_own(time_s: float, begins_s: float, voice_s: float) -> None:
    """Its samples keep their times, over a pause that was cut out, too."""
    (window,) = cut(stream(3, 120, 4))

    rest = window.after(time_s)

    assert rest.start_s == pytest.approx(begins_s, abs=CHUNK_S)
    assert rest.voice_s == pytest.approx(voice_s, abs=2 * CHUNK_S)
    for at in np.flatnonzero(rest.samples)[:: CHUNK * 3]:
        assert rest.time_s(at / RATE_HZ) == pytest.approx(rest.samples[at] - 1, abs=0.001)


@pytest.mark.parametrize(
    ("time_s", "ends_s", "voice_s", "pieces"),
    [(-1.0, 0.0, 0.0, 1), (1.5, 1.472, 1.5, 1), (60.0, 3.4, 3.0, 1), (125.0, 124.992, 5.0, 2), (900.0, 127.0, 7.0, 2)],
)
def test_what_precedes_a_time_is_a_window_of_its_own(time_s: float, ends_s: float, voice_s: float, pieces: int) -> None:
    """It ends there, or where a pause was cut out in which the time lies."""
    (window,) = cut(stream(3, 120, 4))

    head = window.before(time_s)

    assert head.end_s == pytest.approx(ends_s, abs=2 * CHUNK_S)
    assert head.voice_s == pytest.approx(voice_s, abs=2 * CHUNK_S)
    assert len(head.starts_s) == len(head.times_s) == pieces
    assert head.samples.size + window.after(head.end_s).samples.size == window.samples.size


def test_a_rest_of_a_rest_keeps_its_times() -> None:
    """A rest begins where a pause was cut out, wherever in the window that is: behind the pause, not before it."""
    for length_s in np.arange(3.0, 9.0, 0.1):
        (window,) = cut(stream(2, 20, float(length_s), 30, 4))

        first = window.after(1.0)
        rest = first.after(first.times_s[2] - 5)

        assert len(first.times_s) == 3
        assert rest.times_s == pytest.approx((first.times_s[2],))


def test_what_a_window_leaves_begins_the_next() -> None:
    """Put back, it is heard before what follows it, with its own times."""
    samples = stream(*[12, 0.5] * 5)
    cutter, found = Cutter(), []

    for window in windows([samples], Loud(), cutter):
        if window is not None:
            found.append(window)
            taken = cutter.take_back(window.after(window.end_s - 5))

    assert [window.start_s for window in found[1:]] == pytest.approx([each.end_s - 5 for each in found[:-1]], abs=0.5)
    for window in found:
        assert window.duration_s <= 30.0
        for at in np.flatnonzero(window.samples)[:: CHUNK * 3]:
            assert window.time_s(at / RATE_HZ) == pytest.approx(window.samples[at] - 1, abs=0.001)
    assert not taken, "nothing follows the last window"


def test_a_rest_without_room_is_refused() -> None:
    """It would make the next window longer than a model hears."""
    cutter = Cutter()

    found = [(window, cutter.take_back(window)) for window in windows([stream(40)], Loud(), cutter) if window]

    assert [taken for _, taken in found] == [False, False]
    assert sum(window.duration_s for window, _ in found) == pytest.approx(40, abs=CHUNK_S)


def test_nothing_follows_the_end() -> None:
    """Behind its end, a window holds no sample and no voice."""
    (window,) = cut(stream(3))

    rest = window.after(window.end_s + 5)

    assert (rest.samples.size, rest.voice_s) == (0, 0.0)


def test_silence_alone_is_no_window() -> None:
    """Nobody spoke, so there is nothing to hear."""
    assert cut(stream(0, 300)) == []


def test_a_click_is_no_speech() -> None:
    """One chunk of noise is too short for a word."""
    assert cut(stream(0, 5, 0.03, 5)) == []


def test_with_the_filter_off_silence_is_heard_too() -> None:
    """Everything is in some window."""
    found = cut(stream(0, 70), cutting=EVERYTHING)

    assert sum(window.duration_s for window in found) == pytest.approx(70, abs=CHUNK_S)


def test_windows_follow_each_other() -> None:
    """Each begins after the one before has ended, and begins with little silence."""
    found = cut(stream(*[7, 0.6] * 30))

    assert all(one.end_s <= other.start_s + 1e-6 for one, other in pairwise(found))
    assert all(window.voiced.index(True) * CHUNK_S <= 0.5 for window in found)


def test_a_block_that_fills_no_window_is_told_of() -> None:
    """The reader hears of every block, so that it can tell progress and be stopped."""
    blocks = [np.zeros(RATE_HZ, np.float32)] * 5

    assert list(windows(blocks, Loud(), Cutter())) == [None] * 5
