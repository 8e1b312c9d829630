"""What is opened, what is refused, and what is left afterwards."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from tests.media.files import opened
from tests.media.synthetic import Video, write_audio, write_video
from tightship.errors import CorruptMedia, FrameTooLarge, MediaTooLarge, StreamMissing, TooManyStreams, UnsupportedMedia
from tightship.media.guard import open_media
from tightship.media.limits import Limits
from tightship.media.stream import main_video

MakeClip = Callable[..., Path]


def _open_fds() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_the_descriptor_stays_the_callers(clip_of: MakeClip) -> None:
    """Opening the same descriptor twice reads the file from its start both times, and leaves it open."""
    with opened(clip_of("plain.mp4")) as fd:
        counts = []
        for _ in range(2):
            with open_media(fd) as container:
                counts.append(sum(1 for _ in container.decode(main_video(container))))
        assert counts == [100, 100]
        assert os.fstat(fd).st_size > 0


def test_a_named_pipe_is_refused_without_being_read(tmp_path: Path) -> None:
    """A pipe nobody writes to would block for ever."""
    os.mkfifo(tmp_path / "pipe.mp4")
    fd = os.open(tmp_path / "pipe.mp4", os.O_RDWR)
    try:
        with pytest.raises(UnsupportedMedia, match="a named pipe"), open_media(fd):
            pass
    finally:
        os.close(fd)


@pytest.mark.parametrize(("path", "kind"), [("/dev/zero", "a device"), ("/", "a folder")])
def test_what_is_not_a_file_is_refused(path: str, kind: str) -> None:
    """A device has no end; a folder has no bytes."""
    with opened(Path(path)) as fd, pytest.raises(UnsupportedMedia, match=kind), open_media(fd):
        pass


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    """The size is judged from the file's status: five sparse gigabytes cost nothing."""
    path = tmp_path / "large.mp4"
    with path.open("wb") as file:
        file.truncate(5 * 2**30)
    with opened(path) as fd:
        with pytest.raises(MediaTooLarge) as caught, open_media(fd):
            pass
        assert os.lseek(fd, 0, os.SEEK_CUR) == 0
    assert caught.value.details == {"size_bytes": 5 * 2**30, "limit_bytes": 4 * 2**30}


def test_frames_over_the_limit_are_refused(clip_of: MakeClip) -> None:
    """The limit counts stored pixels."""
    with (
        opened(clip_of("plain.mp4")) as fd,
        pytest.raises(FrameTooLarge),
        open_media(fd, Limits(max_frame_pixels=9999)),
    ):
        pass


def test_a_frame_that_turns_large_in_the_middle_is_refused(clip_of: MakeClip, tmp_path: Path) -> None:
    """The decoder itself holds the limit, so the first pictures of a stream cannot vouch for the later ones."""
    small = clip_of("small.ts", Video(width=160, height=96, seconds=1)).read_bytes()
    large = clip_of("large.ts", Video(width=640, height=384, seconds=1, offset_s=1)).read_bytes()
    (tmp_path / "grows.ts").write_bytes(small + large)
    sizes: set[tuple[int, int]] = set()
    with (
        opened(tmp_path / "grows.ts") as fd,
        pytest.raises(CorruptMedia),
        open_media(fd, Limits(max_frame_pixels=4 * 160 * 96)) as container,
    ):
        sizes.update((frame.width, frame.height) for frame in container.decode(main_video(container)))
    assert sizes == {(160, 96)}


def test_more_streams_than_the_limit_are_refused(clip_of: MakeClip) -> None:
    """Sound and picture are two streams."""
    with (
        opened(clip_of("sound.mp4", Video(audio="aac"))) as fd,
        pytest.raises(TooManyStreams),
        open_media(fd, Limits(max_streams=1)),
    ):
        pass


def test_a_codec_off_the_list_is_not_decoded(clip_of: MakeClip) -> None:
    """The container may be opened, its foreign stream may not."""
    with (
        opened(clip_of("ffv1.mkv", Video(codec="ffv1", bframes=0, seconds=0.2))) as fd,
        open_media(fd) as container,
        pytest.raises(UnsupportedMedia, match="ffv1"),
    ):
        main_video(container)


def test_a_decoder_off_the_list_does_not_even_open(clip_of: MakeClip) -> None:
    """Whoever forgets to ask `main_video` is stopped by the decoder's own list."""
    with (
        opened(clip_of("ffv1.mkv", Video(codec="ffv1", bframes=0, seconds=0.2))) as fd,
        pytest.raises(CorruptMedia),
        open_media(fd) as container,
    ):
        next(container.decode(container.streams.video[0]))


def test_sound_alone_has_no_video(clip_of: MakeClip, tmp_path: Path) -> None:
    """Cover art and sound are no video."""
    with (
        opened(write_audio(tmp_path / "sound.mp3", "libmp3lame", 1)) as fd,
        open_media(fd) as container,
        pytest.raises(StreamMissing),
    ):
        main_video(container)


def test_a_kept_error_keeps_no_container_open(clip_of: MakeClip) -> None:
    """The container is closed when the block ends, however long the exception lives."""
    kept: list[BaseException] = []
    containers = []
    with opened(clip_of("plain.mp4")) as fd:
        before = _open_fds()
        for _ in range(5):
            try:
                with open_media(fd) as container:
                    containers.append(container)
                    raise ValueError("something else went wrong")
            except ValueError as error:
                kept.append(error)
        assert not any(container.input_was_opened for container in containers)
        assert _open_fds() == before
    assert len(kept) == 5


def test_a_kept_error_of_ffmpeg_keeps_no_pictures(clip_of: MakeClip) -> None:
    """The frames a failing function had decoded are released though its traceback is not."""

    class Pictures(list[av.VideoFrame]):
        pass

    alive: list[weakref.ref[Pictures]] = []

    def fail(container: av.container.InputContainer) -> None:
        pictures = Pictures(container.decode(main_video(container)))
        alive.append(weakref.ref(pictures))
        container.seek(0)
        raise av.error.InvalidDataError(av.error.tag_to_code(b"INDA"), "Invalid data", "fd:")

    with opened(clip_of("plain.mp4")) as fd, pytest.raises(CorruptMedia) as caught, open_media(fd) as container:
        fail(container)
    assert caught.value.code == "corrupt_media"
    assert alive[0]() is None


def test_no_other_file_is_read(tmp_path: Path) -> None:
    """A concat script under a video's name does not lead to its neighbour."""
    write_video(tmp_path / "secret.mp4", Video(seconds=0.2))
    script = tmp_path / "innocent.mp4"
    script.write_text("ffconcat version 1.0\nfile secret.mp4\n")
    with opened(script) as fd, pytest.raises(UnsupportedMedia, match="a concat script"), open_media(fd):
        pass
