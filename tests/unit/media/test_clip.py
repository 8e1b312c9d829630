"""Pieces of files: the right pictures, for the right time, with the sound in step."""

from __future__ import annotations

import resource
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.media.files import loud_spans, numbers, opened, shown
from tests.media.hostile import write_hostile
from tests.media.synthetic import Video, is_flash, write_audio
from tightship.errors import InvalidOptions, OutputTooLarge, StreamMissing, VideoTooLong
from tightship.media.clip import Cut, cut
from tightship.media.guard import open_media
from tightship.media.limits import Limits
from tightship.media.probe import probe

MakeClip = Callable[..., Path]
SOUND = Video(audio="aac")


def cut_file(source: Path, target: Path, start_s: float, end_s: float | None, **how: object) -> Cut:
    with opened(source) as fd, open_media(fd) as container:
        return cut(container, target, start_s, end_s, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_a_copy_starts_at_the_key_frame_before(clip_of: MakeClip, tmp_path: Path, ending: str) -> None:
    """Packets are copied as they are: pictures equal to the last bit, and the true start is told."""
    source, target = clip_of("sound.mp4", SOUND), tmp_path / f"out.{ending}"
    done = cut_file(source, target, 1.5, 3.0)
    assert (done.mode, done.start_s, done.duration_s, done.streams) == ("copy", 1.0, 2.0, 2)
    originals = [grey for time_s, grey in shown(source) if 1.0 <= time_s < 3.0]
    assert all(np.array_equal(new, old) for (_, new), old in zip(shown(target), originals, strict=True))


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "webm"])
def test_an_exact_cut_has_exactly_the_pictures_asked_for(clip_of: MakeClip, tmp_path: Path, ending: str) -> None:
    """From 1.52 s to 3 s at 25 frames per second are the pictures 38 to 74."""
    target = tmp_path / f"out.{ending}"
    done = cut_file(clip_of("sound.mp4", SOUND), target, 1.52, 3.0, exact=True)
    assert (done.mode, done.start_s, done.duration_s) == ("exact", 1.52, 1.48)
    assert numbers(target) == list(range(38, 75))
    assert [round(time_s, 2) for time_s, _ in shown(target)] == [round(at * 0.04, 2) for at in range(37)]


def test_an_exact_cut_looks_like_the_original(clip_of: MakeClip, tmp_path: Path) -> None:
    """Encoding again costs less than two grey levels on average."""
    source, target = clip_of("sound.mp4", SOUND), tmp_path / "out.mp4"
    cut_file(source, target, 2.0, 2.4, exact=True)
    originals = [grey for time_s, grey in shown(source) if 2.0 <= time_s < 2.4]
    differences = [np.abs(new.astype(int) - old).mean() for (_, new), old in zip(shown(target), originals, strict=True)]
    assert max(differences) < 2


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_sound_and_pictures_stay_in_step(clip_of: MakeClip, tmp_path: Path, ending: str, exact: bool) -> None:
    """The tone sets in with the flash, within one packet of sound."""
    target = tmp_path / f"out.{ending}"
    cut_file(clip_of("sound.mp4", SOUND), target, 1.5, 3.5, exact=exact)
    flashes = [time_s for time_s, grey in shown(target) if is_flash(grey)]
    starts = [at for before, at in zip([-1.0, *flashes], flashes, strict=False) if at - before > 0.5]
    assert [round(at, 2) for at in starts] == ([0.5, 1.5] if exact else [0.0, 1.0, 2.0])
    assert loud_spans(target)[-2:] == pytest.approx(starts[-2:], abs=0.03)


def test_rotation_and_tags_stay(clip_of: MakeClip, tmp_path: Path) -> None:
    """A clip of an upright phone video is upright, copied or not."""
    video = Video(seconds=2, rotation_deg=90, sample_aspect_ratio=Fraction(4, 3))
    for exact in (False, True):
        target = tmp_path / f"{exact}.mp4"
        cut_file(clip_of("upright.mp4", video), target, 0.5, 1.5, exact=exact)
        with opened(target) as fd:
            shown_as = probe(fd).video
        assert shown_as is not None
        assert (shown_as.rotation, shown_as.width, shown_as.height) == (90.0, 180, 427)


def test_an_mp4_can_be_played_while_it_downloads(clip_of: MakeClip, tmp_path: Path) -> None:
    """The index stands before the media."""
    cut_file(clip_of("sound.mp4", SOUND), tmp_path / "out.mp4", 0, 2)
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_a_container_that_cannot_hold_the_pictures_gets_new_ones(clip_of: MakeClip, tmp_path: Path) -> None:
    """WebM holds no H.264: it is encoded again, and the sound that WebM does not hold is named as left out."""
    done = cut_file(clip_of("sound.mp4", SOUND), tmp_path / "out.webm", 0, 0.4)
    assert done.mode == "exact"
    assert any("cannot hold h264" in sentence for sentence in done.warnings)
    assert any("audio, aac" in sentence for sentence in done.warnings)


def test_a_variable_rate_keeps_its_times(clip_of: MakeClip, tmp_path: Path) -> None:
    """A picture that stands still over the start is the first of the clip."""
    video = Video(times=[0, 40, 80, 1000, 1040, 2000, 2040, 2080], bframes=0)
    done = cut_file(clip_of("still.mp4", video), tmp_path / "out.mp4", 0.5, 2.04, exact=True)
    assert numbers(tmp_path / "out.mp4") == [2, 3, 4, 5]
    assert [time_s for time_s, _ in shown(tmp_path / "out.mp4")] == [0.0, 0.5, 0.54, 1.5]
    assert done.duration_s == 1.54


def test_ten_bits_stay_ten_bits(clip_of: MakeClip, tmp_path: Path) -> None:
    """Encoding again does not flatten what the source has."""
    source = clip_of("ten_bit.mp4", Video(pixel_format="yuv420p10le", seconds=0.4))
    cut_file(source, tmp_path / "out.mp4", 0.12, 0.4, exact=True)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].format.name == "yuv420p10le"


@pytest.mark.parametrize("name", ["plain.ts", "plain.avi", "plain.mkv"])
def test_other_containers_become_mp4(clip_of: MakeClip, tmp_path: Path, name: str) -> None:
    """Transport streams cannot be entered at will, AVI has no times of its own; the pictures are right all the same."""
    codec, sound = ("mpeg4", "libmp3lame") if name.endswith("avi") else ("libx264", "aac")
    source = clip_of(name, Video(codec=codec, audio=sound))
    done = cut_file(source, tmp_path / "out.mp4", 1.6, 2.4, exact=True)
    assert numbers(tmp_path / "out.mp4") == pytest.approx(list(range(40, 60)), abs=1)
    assert done.duration_s == pytest.approx(0.8, abs=0.001)


def test_sound_alone_is_cut_as_well(tmp_path: Path) -> None:
    """A file without pictures is cut at its packets."""
    done = cut_file(write_audio(tmp_path / "in.flac", "flac"), tmp_path / "out.mp4", 0.5, 2.5)
    assert done.duration_s == pytest.approx(2.5 - done.start_s, abs=0.05)
    assert loud_spans(tmp_path / "out.mp4") == pytest.approx([1.0 - done.start_s, 2.0 - done.start_s], abs=0.01)


def test_subtitles_move_with_the_pictures(media_folder: Path, clip_of: MakeClip, tmp_path: Path) -> None:
    """A line that shows at 2 s shows at 1 s in a clip from 1 s on."""
    source = tmp_path / "lines.mkv"
    with av.open(str(clip_of("plain.mp4"))) as old, av.open(str(source), "w") as new:
        picture = new.add_stream_from_template(old.streams.video[0], opaque=True)
        lines = new.add_mux_stream("subrip")
        line = av.Packet(b"hello")
        line.stream, line.time_base, line.pts, line.dts, line.duration = lines, Fraction(1, 1000), 2000, 2000, 500
        new.mux(line)
        for packet in old.demux(old.streams.video[0]):
            if packet.dts is not None:
                packet.stream = picture
                new.mux(packet)
    cut_file(source, tmp_path / "out.mkv", 1.0, 3.0)
    with av.open(str(tmp_path / "out.mkv")) as container:
        shown_at = [packet.pts for packet in container.demux(container.streams.subtitles[0]) if packet.size]
    assert shown_at == [1000]


@pytest.mark.parametrize("exact", [False, True])
def test_damage_is_told_and_the_rest_is_kept(media_folder: Path, tmp_path: Path, exact: bool) -> None:
    """Flipped bits spoil pictures, not the clip."""
    done = cut_file(write_hostile("bit_flips.mp4", media_folder), tmp_path / "out.mp4", 0.0, 2.0, exact=exact)
    assert done.duration_s == pytest.approx(2.0, abs=0.2)
    assert any("damaged" in sentence for sentence in done.warnings) == exact


def test_time_running_out_leaves_a_playable_part(clip_of: MakeClip, tmp_path: Path) -> None:
    """Told to stop, a cut ends there and says so."""
    source = clip_of("sound.mp4", SOUND)
    done = cut_file(source, tmp_path / "out.mp4", 0.0, None, progress=lambda done_s, _total_s: done_s > 0.5)
    assert not done.complete
    assert 0.5 < done.duration_s < 3.0
    assert len(numbers(tmp_path / "out.mp4")) == pytest.approx(done.duration_s * 25, abs=2)


def test_a_cut_behind_the_end_is_refused(clip_of: MakeClip, tmp_path: Path) -> None:
    """There is nothing there; no file is left either."""
    with pytest.raises(InvalidOptions, match="ends before"):
        cut_file(clip_of("plain.mp4"), tmp_path / "out.mp4", 100.0, 101.0)
    assert list(tmp_path.iterdir()) == []


def test_a_cut_longer_than_the_limit_is_refused(clip_of: MakeClip, tmp_path: Path) -> None:
    """What one job may work on is bounded."""
    with (
        opened(clip_of("plain.mp4")) as fd,
        open_media(fd) as container,
        pytest.raises(VideoTooLong),
    ):
        cut(container, tmp_path / "out.mp4", limits=Limits(max_duration_s=1.0))


def test_subtitles_alone_are_no_clip(media_folder: Path, tmp_path: Path) -> None:
    """A clip needs something to see or hear."""
    with pytest.raises(StreamMissing):
        cut_file(write_hostile("text_only.mkv", media_folder), tmp_path / "out.mkv", 0.0, 1.0)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_result_over_the_limit_on_files_is_told_as_such(
    clip_of: MakeClip, tmp_path: Path, ending: str, exact: bool
) -> None:
    """The input is not blamed for what could not be written, and nothing half written is left."""
    source = clip_of("sound.mp4", SOUND)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(OutputTooLarge):
            cut_file(source, tmp_path / f"out.{ending}", 0.0, 4.0, exact=exact)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_an_ending_that_is_not_written_is_refused(clip_of: MakeClip, tmp_path: Path) -> None:
    """The message names those that are."""
    with pytest.raises(InvalidOptions, match=r"\.mp4, \.mov, \.mkv, \.webm"):
        cut_file(clip_of("plain.mp4"), tmp_path / "out.exe", 0.0, 1.0)


@pytest.mark.parametrize(
    ("name", "start_s", "end_s"),
    [("car-detection.mp4", 12, 15), ("one-by-one-person-detection.mp4", 60.3, 63.3), ("asl/again.mkv", 0.5, 2.0)],
)
@pytest.mark.parametrize("exact", [False, True])
def test_real_videos(data: Path, tmp_path: Path, name: str, start_s: float, end_s: float, exact: bool) -> None:
    """Pieces from the middle of real videos show the pictures that the originals show at these times."""
    source, target = data / "video" / name, tmp_path / "out.mp4"
    done = cut_file(source, target, start_s, end_s, exact=exact)
    originals = shown(source, done.start_s - 1e-3, done.end_s - 1e-3)
    pieces = shown(target)
    assert [at for at, _ in pieces] == pytest.approx([at - done.start_s for at, _ in originals], abs=0.002)
    worst = max(np.abs(new.astype(int) - old).mean() for (_, new), (_, old) in zip(pieces, originals, strict=True))
    assert worst < (1.5 if exact else 0.01)
