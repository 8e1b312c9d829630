"""What each format can hold, and what becomes of that which it cannot."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.media.files import opened
from tests.media.synthetic import Video, write_audio, write_video
from tightship.errors import CorruptMedia, UnsupportedMedia
from tightship.media.clip import Cut, cut
from tightship.media.formats import COPIED_VIDEO
from tightship.media.guard import open_media

SMALL = Video(width=128, height=72, seconds=0.4)
#: Encoder, ending and pixel format of sources, by the name of their codec.
SOURCES = {
    "h264": ("libx264", ".mkv", "yuv420p"),
    "hevc": ("libx265", ".mkv", "yuv420p"),
    "av1": ("libsvtav1", ".mkv", "yuv420p"),
    "vp8": ("libvpx", ".mkv", "yuv420p"),
    "vp9": ("libvpx-vp9", ".mkv", "yuv420p"),
    "mpeg4": ("mpeg4", ".mkv", "yuv420p"),
    "mpeg2video": ("mpeg2video", ".mkv", "yuv420p"),
    "mjpeg": ("mjpeg", ".mkv", "yuvj420p"),
    "prores": ("prores", ".mov", "yuv422p10le"),
    "rawvideo": ("rawvideo", ".avi", "yuv420p"),
    "gif": ("gif", ".gif", "rgb8"),
    "wmv2": ("wmv2", ".asf", "yuv420p"),
}


def cut_file(source: Path, target: Path, **how: object) -> Cut:
    with opened(source) as fd, open_media(fd) as container:
        return cut(container, target, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("ending", sorted(COPIED_VIDEO))
@pytest.mark.parametrize("codec", sorted(SOURCES))
def test_video_is_copied_or_encoded_again_as_foretold(
    clip_of: Callable[..., Path], tmp_path: Path, codec: str, ending: str
) -> None:
    """What is reserved for a clip rests on a table; every muxer does what the table says, and none fails."""
    encoder, suffix, pixel_format = SOURCES[codec]
    source = clip_of(f"{codec}{suffix}", replace(SMALL, codec=encoder, pixel_format=pixel_format))
    done = cut_file(source, tmp_path / f"out{ending}")
    # A container may hold more than the table says: then more is reserved than is needed.
    assert done.mode == "copy" or codec not in COPIED_VIDEO[ending]
    with av.open(str(tmp_path / f"out{ending}")) as result:
        assert sum(1 for _ in result.decode(video=0)) == 10


@pytest.mark.parametrize(("codec", "ending"), [("libopus", "mov"), ("flac", "mov"), ("aac", "webm"), ("alac", "webm")])
def test_sound_alone_that_a_format_cannot_hold_is_refused(tmp_path: Path, codec: str, ending: str) -> None:
    """Format and codec are named, whether FFmpeg knows it beforehand or not."""
    source = write_audio(tmp_path / "sound.mka", codec, 0.5)
    with pytest.raises(UnsupportedMedia, match=f"{ending} cannot hold"):
        cut_file(source, tmp_path / f"out.{ending}")
    assert not (tmp_path / f"out.{ending}").exists()


def test_sound_of_a_low_rate_goes_into_mp4(tmp_path: Path) -> None:
    """Players take MP3 of 11 kHz, which FFmpeg's muxer calls non-standard."""
    with av.open(str(tmp_path / "low.mkv"), "w") as output:
        stream = output.add_stream("libmp3lame", rate=11_025)
        silent = av.AudioFrame(format="s16p", layout="stereo", samples=11_025)
        silent.sample_rate = 11_025
        for plane in silent.planes:
            plane.update(bytes(plane.buffer_size))
        output.mux([*stream.encode(silent), *stream.encode(None)])
    assert cut_file(tmp_path / "low.mkv", tmp_path / "out.mp4").streams == 1


def test_sound_crowded_in_time_is_spread_by_a_sample(tmp_path: Path) -> None:
    """MP4 counts sound in samples: packets a tick of a finer clock apart would fall on one and be refused."""
    sound = write_audio(tmp_path / "sound.mka", "mp2", 0.5)
    with av.open(str(sound)) as source, av.open(str(tmp_path / "crowded.ts"), "w") as output:
        target = output.add_stream_from_template(source.streams.audio[0])
        for number, packet in enumerate(packet for packet in source.demux() if packet.size):
            packet.stream, packet.time_base = target, Fraction(1, 90_000)
            packet.pts = packet.dts = number
            output.mux(packet)
    assert cut_file(tmp_path / "crowded.ts", tmp_path / "out.mp4").mode == "copy"
    with av.open(str(tmp_path / "out.mp4")) as result:
        times = [packet.dts for packet in result.demux() if packet.size]
    assert len(times) > 15
    assert times == sorted(set(times))


def test_a_test_that_encodes_av1_does_not_starve_the_others(tmp_path: Path) -> None:
    """The encoder makes a process of root real-time; whatever the test starts from then on would be, too."""
    before = os.sched_getscheduler(0)
    write_video(tmp_path / "small.mp4", replace(SMALL, codec="libsvtav1"))
    assert os.sched_getscheduler(0) == before


def test_pictures_that_a_muxer_must_rewrite_and_cannot_are_damage(tmp_path: Path) -> None:
    """Muxers of AV1 read every packet; one they cannot read is the file's fault."""
    data = bytearray(write_video(tmp_path / "whole.mp4", replace(SMALL, codec="libsvtav1")).read_bytes())
    at = data.index(b"mdat") + 4
    for where in range(at + 300, len(data)):
        data[where] ^= 0xFF
    (tmp_path / "broken.mp4").write_bytes(data)
    with pytest.raises(CorruptMedia):
        cut_file(tmp_path / "broken.mp4", tmp_path / "out.webm")


@pytest.mark.parametrize("ending", ["mp4", "webm"])
def test_red_green_and_blue_keep_their_colors(tmp_path: Path, ending: str) -> None:
    """Pictures without luma and chroma are converted, and labelled as what they became."""
    source = write_video(tmp_path / "rgb.mkv", replace(SMALL, codec="libx264rgb", pixel_format="rgb24"))
    cut_file(source, tmp_path / f"out.{ending}", exact=True)
    with av.open(str(source)) as before, av.open(str(tmp_path / f"out.{ending}")) as after:
        old, new = next(before.decode(video=0)), next(after.decode(video=0))
    assert (new.colorspace, new.color_range) == (1, 1)
    colors = [frame.to_ndarray(format="rgb24").astype(int).mean(axis=(0, 1)) for frame in (old, new)]
    assert np.abs(colors[0] - colors[1]).max() < 4


def test_a_clock_that_starts_late_makes_no_file_long(tmp_path: Path) -> None:
    """Matroska's duration counts from zero; what counts is how long the file plays."""
    source = write_video(tmp_path / "late.mkv", replace(SMALL, offset_s=36_000.0))
    assert cut_file(source, tmp_path / "out.mkv").duration_s == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize("exact", [False, True])
def test_a_recording_that_begins_between_key_frames_is_cut(tmp_path: Path, exact: bool) -> None:
    """Whoever switches on in the middle sees nothing until the next key frame; the sound is there at once."""
    data = write_video(tmp_path / "whole.ts", Video(width=128, height=72, seconds=2.0, audio="mp2")).read_bytes()
    (tmp_path / "late.ts").write_bytes(data[188 * 40 :])
    done = cut_file(tmp_path / "late.ts", tmp_path / "out.mp4", exact=exact)
    assert done.streams == 2
    with av.open(str(tmp_path / "out.mp4")) as result:
        assert sum(1 for _ in result.decode(video=0)) == 25
        stream = result.streams.video[0]
        end_s = float((stream.start_time + stream.duration) * stream.time_base)
    assert end_s == pytest.approx(done.duration_s, abs=0.001)


def test_sound_of_unknown_rate_is_left_out(tmp_path: Path) -> None:
    """A track of noise is announced as sound; the pictures are cut all the same."""
    video = write_video(tmp_path / "video.ts", SMALL)
    with av.open(str(video)) as source, av.open(str(tmp_path / "noisy.ts"), "w") as output:
        pictures = output.add_stream_from_template(source.streams.video[0])
        noise = output.add_mux_stream("mp3", rate=48_000)
        for packet in (packet for packet in source.demux() if packet.size):
            packet.stream = pictures
            bad = av.Packet(bytes(200))
            bad.stream, bad.time_base, bad.pts, bad.dts = noise, packet.time_base, packet.dts, packet.dts
            output.mux([packet, bad])
    done = cut_file(tmp_path / "noisy.ts", tmp_path / "out.mp4")
    assert (done.streams, len(done.warnings)) == (1, 1)
