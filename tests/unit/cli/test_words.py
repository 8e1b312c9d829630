"""Results as people read them."""

from __future__ import annotations

from typing import Any

from tightship.cli.words import file_in_words, media_in_words, table

STREAM: dict[str, Any] = {
    "index": 0, "type": "video", "codec": "h264", "profile": "High", "width": 1080, "height": 1920, "fps": 29.97,
    "rotation": 90.0, "variable_frame_rate": True, "pixel_format": "yuv420p",
}  # fmt: skip


def media(**changed: Any) -> dict[str, Any]:
    """Return what `info` gives for a file of one stream."""
    plain = {"container": "mp4", "duration_s": 61.0, "size_bytes": 2**20, "bit_rate": 137_000}
    return {**plain, "streams": [STREAM], "tags": {}, **changed}


def test_gif_is_told_in_one_line() -> None:
    """Where it is comes first, then its measures."""
    told = file_in_words(
        {
            "output": "a.gif",
            "width": 480,
            "height": 270,
            "frames": 40,
            "fps": 10.0,
            "duration_s": 4.0,
            "size_bytes": 2048,
        }
    )

    assert told == "a.gif: 480 x 270 px, 40 frames, 10 fps, 4.0 s, 2.0 KiB"


def test_clip_tells_where_it_was_cut() -> None:
    """The key frame that a copied clip begins at is said."""
    told = file_in_words(
        {"output": "a.mp4", "mode": "copy", "start_s": 1.0, "end_s": 3.0, "duration_s": 2.0, "size_bytes": 1024}
    )

    assert told == "a.mp4: 2.0 s, from 1.0 s to 3.0 s of the input, copied without loss, 1.0 KiB"


def test_stream_says_how_it_is_shown() -> None:
    """Rotation and a variable frame rate are named, since they surprise people."""
    told = media_in_words(media())

    assert "h264 (High), 1080 x 1920 px, 29.97 fps, variable frame rate, turned by 90°, yuv420p" in told
    assert "duration   1 min 01 s" in told


def test_unknown_duration_is_said_to_be_unknown() -> None:
    """What is not known is never shown as zero."""
    assert "duration   not known" in media_in_words(media(duration_s=None, bit_rate=None))


def test_tags_cannot_steer_the_terminal() -> None:
    """Tags are a stranger's text."""
    told = media_in_words(media(tags={"title\x1b": "a\nb\x07"}))

    assert told.splitlines()[-1] == "tag title\\x1b  a\\x0ab\\x07"


def test_table_of_nothing_is_empty() -> None:
    """No rows, no text."""
    assert table([]) == ""
