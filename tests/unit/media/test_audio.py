"""The sound of any file arrives as one clean stream of samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.media.files import opened
from tests.media.sounds import tone, write_matroska, write_wav
from tightship.errors import InvalidOptions, StreamMissing, UnsupportedMedia, VideoTooLong
from tightship.media.audio import RATE_HZ, Clock, Sound, sound_track
from tightship.media.guard import open_media
from tightship.media.limits import Limits


def heard(path: Path, track: int | None = None, limits: Limits | None = None) -> np.ndarray:
    """Return all samples of a file."""
    with opened(path) as fd, open_media(fd, limits or Limits()) as container:
        blocks = list(Sound(container, sound_track(container, track), limits or Limits()))
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def loudness(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples**2)))


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 96_000])
def test_every_rate_becomes_sixteen_thousand(tmp_path: Path, rate_hz: int) -> None:
    """Two seconds are two seconds, at whatever rate they were recorded."""
    path = write_wav(tmp_path / "a.wav", tone(2, rate_hz), rate_hz)

    samples = heard(path)

    assert samples.dtype == np.float32
    assert samples.size == pytest.approx(2 * RATE_HZ, abs=2)
    assert loudness(samples) == pytest.approx(0.3 / np.sqrt(2), rel=0.02)


def test_eight_channels_are_mixed_without_clipping(tmp_path: Path) -> None:
    """The same tone in all of 7.1 channels at 96 kHz is as loud as in one."""
    path = write_wav(tmp_path / "a.wav", np.repeat(tone(1, 96_000)[:, None], 8, axis=1), 96_000, channel_mask=0x63F)

    samples = heard(path)

    assert loudness(samples) == pytest.approx(0.3 / np.sqrt(2), rel=0.05)


def test_what_is_no_number_becomes_silence(tmp_path: Path) -> None:
    """NaN, infinity and absurd values never reach a model."""
    wrong = tone(1, RATE_HZ).astype(np.float32)
    wrong[1000:3000], wrong[5000], wrong[6000] = np.nan, np.inf, 1e38

    samples = heard(write_wav(tmp_path / "a.wav", wrong, RATE_HZ))

    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1.0
    assert not samples[1000:3000].any()


@pytest.mark.parametrize("count", [0, 1])
def test_next_to_nothing_is_no_error(tmp_path: Path, count: int) -> None:
    """A file of no samples or one gives none or one."""
    path = write_wav(tmp_path / "a.wav", np.full(count, 1000, np.int16), RATE_HZ)

    assert heard(path).size == count


@pytest.mark.parametrize("claimed_bytes", [2**31 - 10, 2**32 - 1])
def test_a_header_that_claims_hours_is_not_believed(tmp_path: Path, claimed_bytes: int) -> None:
    """What is there counts, not what the header says."""
    path = write_wav(tmp_path / "a.wav", tone(1, RATE_HZ), RATE_HZ, claimed_bytes=claimed_bytes)

    assert heard(path).size == RATE_HZ


def test_a_gap_in_the_timestamps_becomes_silence(tmp_path: Path) -> None:
    """What comes after a gap keeps its time."""
    path = write_matroska(tmp_path / "a.mkv", [(0, 1), (3, 1)])

    samples = heard(path)

    assert samples.size == pytest.approx(4 * RATE_HZ, abs=32)
    assert not samples[RATE_HZ + 100 : 3 * RATE_HZ - 100].any()
    assert loudness(samples[3 * RATE_HZ :]) > 0.2


def test_a_track_is_chosen_by_its_number(tmp_path: Path) -> None:
    """The second track is heard when it is asked for."""
    path = write_matroska(tmp_path / "a.mkv", [(0, 1)], [(0, 2)])

    assert heard(path, track=1).size == 2 * RATE_HZ


def test_a_track_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The message tells how many there are."""
    path = write_matroska(tmp_path / "a.mkv", [(0, 1)])

    with pytest.raises(InvalidOptions, match="the file has 1"):
        heard(path, track=1)


def test_a_silent_film_is_refused(clip_of) -> None:  # type: ignore[no-untyped-def]
    """A video without sound is told apart from one with silence."""
    with pytest.raises(StreamMissing):
        heard(clip_of("mute.mp4"))


def test_sound_that_never_ends_is_cut_off_by_the_limit(tmp_path: Path) -> None:
    """The limit holds while decoding, whatever a header says."""
    path = write_wav(tmp_path / "a.wav", tone(3, RATE_HZ), RATE_HZ)

    with pytest.raises(VideoTooLong):
        heard(path, limits=Limits(max_duration_s=2.0))


def test_an_absurd_rate_is_refused(tmp_path: Path) -> None:
    """One sample a second would become sixteen thousand."""
    path = write_wav(tmp_path / "a.wav", tone(1, RATE_HZ), 1)

    with pytest.raises(UnsupportedMedia):
        heard(path)


def test_damage_is_counted_and_survived(data: Path) -> None:
    """Bad packets are left out; the rest is heard."""
    with opened(data / "hostile" / "bitflip_mdat.mp4") as fd, open_media(fd) as container:
        sound = Sound(container, sound_track(container))
        size = sum(block.size for block in sound)

    assert sound.damaged > 0
    assert size > 3 * RATE_HZ


class TestClock:
    """Which times are believed."""

    def test_a_frame_that_is_late_has_a_gap_before_it(self) -> None:
        """The gap is the difference."""
        assert Clock().gap_s(5.0, 3.0) == 2.0

    @pytest.mark.parametrize("frame_s", [None, 3.05, 2.0])
    def test_small_or_early_or_unknown_times_have_none(self, frame_s: float | None) -> None:
        """Rounding, overlaps and missing timestamps leave the samples as they come."""
        assert Clock().gap_s(frame_s, 3.0) == 0.0

    @pytest.mark.parametrize("frame_s", [90_000.0, 0.0])
    def test_a_clock_that_jumps_is_taken_as_set_anew(self, frame_s: float) -> None:
        """Hours forward or back are no silence, and what follows is measured from there."""
        clock = Clock()

        assert clock.gap_s(frame_s, 100.0) == 0.0
        assert clock.gap_s(frame_s + 3.0, 101.0) == pytest.approx(2.0)
