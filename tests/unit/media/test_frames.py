"""One decoding pass over the wanted frames."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from av.video.frame import VideoFrame

from tests.media.gifs import open_video
from tests.media.synthetic import Video, read_index, write_video
from tightship.errors import Cancelled, VideoTooLong
from tightship.media.frames import Frames, pictures
from tightship.media.selection import Selection


def going_on(done: float, total: float | None, unit: str) -> bool:
    return False


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Four seconds at 25 frames a second, with B-frames."""
    return write_video(tmp_path / "plain.mp4")


def indices(path: Path, selection: Selection) -> list[int]:
    """Return the numbers of the source's frames that are read."""
    with open_video(path) as (container, stream):
        return [
            read_index(frame.to_ndarray(format="gray")) for _, frame in Frames(container, stream, selection, going_on)
        ]


def test_all_frames_of_a_slow_source_are_read(plain: Path) -> None:
    """Asking for more frames than there are gives each of them once."""
    assert indices(plain, Selection(50)) == list(range(100))


def test_frames_are_thinned_out(plain: Path) -> None:
    """Five a second of 25 are every fifth."""
    assert indices(plain, Selection(5)) == list(range(0, 100, 5))


def test_frames_lie_between_start_and_end(plain: Path) -> None:
    """From 1.6 s, which is not a key frame, up to but without 2.0 s."""
    assert indices(plain, Selection(50, 1.6, 2.0)) == list(range(40, 50))


def test_a_start_between_frames_begins_with_the_next(plain: Path) -> None:
    """Less than a frame after the start is no reason to show an older one."""
    assert indices(plain, Selection(25, 1.61, 1.75))[0] in (40, 41)


def test_the_picture_on_screen_at_the_start_is_shown(tmp_path: Path) -> None:
    """Where a frame stays for long, a start within that time begins with it."""
    path = write_video(tmp_path / "still.mp4", Video(times=[0, 100, 200, 3000, 3100, 3200]))
    with open_video(path) as (container, stream):
        frames = list(Frames(container, stream, Selection(10, 1.5), going_on))
    assert [round(position_s, 2) for position_s, _ in frames] == [0.0, 1.5, 1.6, 1.7]
    assert read_index(frames[0][1].to_ndarray(format="gray")) == 2


def test_a_part_without_a_new_frame_shows_the_one_before(tmp_path: Path) -> None:
    """Start and end within the time of one frame give that frame."""
    path = write_video(tmp_path / "still.mp4", Video(times=[0, 100, 200, 3000, 3100]))
    assert indices(path, Selection(10, 1.0, 2.0)) == [2]


def test_a_stream_that_starts_late_starts_at_zero(tmp_path: Path) -> None:
    """The first frame is at zero, whatever the file's clock says."""
    path = write_video(tmp_path / "late.mkv", Video(seconds=1.0, offset_s=7.0))
    assert indices(path, Selection(50, 0.4, 0.6)) == [10, 11, 12, 13, 14]


def test_unwanted_frames_are_not_decoded(tmp_path: Path) -> None:
    """Frames that are not shown and that no other needs cost nothing."""
    path = write_video(tmp_path / "b.mp4", Video(seconds=4.0, bframes=3, fps=Fraction(30)))
    decoded = {}
    for fps in (30, 6):
        with open_video(path) as (container, stream):
            frames = Frames(container, stream, Selection(fps), going_on)
            assert len(list(frames)) == 4 * fps
            decoded[fps] = frames.decoded
    assert decoded[30] == 120
    assert decoded[6] < 100


def test_bad_packets_are_counted_and_passed_over(plain: Path, tmp_path: Path) -> None:
    """Damage in the middle loses frames there, and none at the end."""
    data = bytearray(plain.read_bytes())
    start = data.index(b"mdat") + len(data[data.index(b"mdat") :]) // 3
    for at in range(start, start + 3000, 7):
        data[at] ^= 0x55
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(data)
    with open_video(broken) as (container, stream):
        frames = Frames(container, stream, Selection(50), going_on)
        found = [read_index(frame.to_ndarray(format="gray")) for _, frame in frames]
    assert frames.damaged > 0
    assert found[-1] == 99


def test_too_many_frames_are_refused(plain: Path) -> None:
    """Decoding ends at the limit."""
    with open_video(plain) as (container, stream):
        frames = Frames(container, stream, Selection(50), going_on, max_frames=20)
        with pytest.raises(VideoTooLong, match="20 frames"):
            list(frames)


def test_stopping_keeps_what_was_read(plain: Path) -> None:
    """When time runs out the frames end, and it is known that they did."""
    calls = iter([False] * 40 + [True])
    with open_video(plain) as (container, stream):
        frames = Frames(container, stream, Selection(50), lambda *_: next(calls))
        count = len(list(frames))
    assert frames.stopped_early
    assert 20 < count < 60


def test_cancelling_ends_it_at_once(plain: Path) -> None:
    """What the checkpoint raises comes through."""

    def cancel(done: float, total: float | None, unit: str) -> bool:
        raise Cancelled("nobody wants it any more")

    with open_video(plain) as (container, stream), pytest.raises(Cancelled):
        list(Frames(container, stream, Selection(50), cancel))


def test_progress_counts_seconds_of_the_selection(plain: Path) -> None:
    """Done and total are seconds of the part that was asked for."""
    seen: list[tuple[float, float | None, str]] = []
    with open_video(plain) as (container, stream):
        list(Frames(container, stream, Selection(50, 1.0, 3.0), lambda *now: bool(seen.append(now))))
    assert {(total, unit) for _, total, unit in seen} == {(2.0, "s")}
    assert seen[-1][0] == pytest.approx(2.0, abs=0.05)


def test_durations_add_up_to_the_selection(plain: Path) -> None:
    """Each picture stays until the next, the last until the end."""
    with open_video(plain) as (container, stream):
        frames = Frames(container, stream, Selection(7, 0.5, 3.0), going_on)
        durations_s = [picture.duration_s for picture in pictures(frames, lambda frame: frame.reformat(format="bgra"))]
    assert sum(durations_s) == pytest.approx(2.5)


def test_a_picture_that_does_not_change_is_shown_longer(plain: Path) -> None:
    """Equal frames in a row become one that stays for their time."""
    with open_video(plain) as (container, stream):
        frames = Frames(container, stream, Selection(10), going_on)
        first: list = []
        (still,) = pictures(frames, lambda frame: first.append(frame.reformat(format="bgra")) or first[0])
    assert still.duration_s == pytest.approx(4.0)


def test_what_lies_behind_the_lines_is_no_change(plain: Path) -> None:
    """The padding of a frame's lines may hold anything; only pixels are compared."""
    fills: list[int] = []

    def padded(_: VideoFrame) -> VideoFrame:
        frame = VideoFrame(5, 4, "bgr24")
        plane, fill = frame.planes[0], len(fills)
        fills.append(fill)
        assert plane.line_size > 15
        plane.update((bytes(15) + bytes([fill]) * (plane.line_size - 15)) * 4)
        return frame

    with open_video(plain) as (container, stream):
        assert len(list(pictures(Frames(container, stream, Selection(10), going_on), padded))) == 1
    assert len(fills) > 1


def test_a_container_without_an_index_starts_at_the_right_frame(tmp_path: Path) -> None:
    """Broadcast streams can only guess where to seek; the frames are the same."""
    path = write_video(tmp_path / "broadcast.ts", Video(seconds=6.0))
    assert indices(path, Selection(50, 4.2, 4.4)) == list(range(105, 110))
