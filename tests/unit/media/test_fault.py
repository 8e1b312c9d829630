"""FFmpeg's errors in our words."""

from __future__ import annotations

import errno
import json

import av
import pytest

from tightship.media.fault import fault_of, write_fault_of
from tightship.media.limits import Limits


def ffmpeg_error(code: int) -> av.FFmpegError:
    with pytest.raises(av.FFmpegError) as caught:
        av.error.err_check(-code)
    return caught.value


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk_full"),
        (errno.EFBIG, "output_too_large"),
        (errno.ENOMEM, "corrupt_media"),
        (errno.EACCES, "conversion_failed"),
        (errno.EINVAL, "corrupt_media"),
        (av.error.tag_to_code(b"INDA"), "corrupt_media"),
        (av.error.tag_to_code(b"PAWE"), "unsupported_media"),
        (av.error.tag_to_code(b"\xf8DEC"), "unsupported_media"),
        (av.error.tag_to_code(b"BUG!"), "conversion_failed"),
    ],
)
def test_every_error_becomes_one_of_ours(number: int, code: str) -> None:
    """Users see a code of ours, never FFmpeg's number."""
    assert fault_of(ffmpeg_error(number)).code == code


@pytest.mark.parametrize("tag", [b"INDA", b"PAWE"])
def test_what_fails_while_writing_is_not_the_inputs_fault(tag: bytes) -> None:
    """A muxer calls packets it cannot place "invalid data"."""
    assert write_fault_of(ffmpeg_error(av.error.tag_to_code(tag))).code == "conversion_failed"


def test_limits_travel_as_json() -> None:
    """A newer sender's unknown limit is left out."""
    limits = Limits(max_streams=3, max_duration_s=1.5)
    assert Limits.from_dict({**json.loads(json.dumps(limits.to_dict())), "later": 1}) == limits
