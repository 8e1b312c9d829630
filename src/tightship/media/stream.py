"""Choose among the streams of an open container, and name what they are."""

from __future__ import annotations

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from tightship.errors import StreamMissing, UnsupportedMedia
from tightship.media.formats import DECODERS, VIDEO_DECODERS


def main_video(container: InputContainer) -> VideoStream:
    """Return the stream that a viewer would be shown: the default one, else the largest; never cover art.

    Raises:
        StreamMissing: There is no video.
        UnsupportedMedia: Its codec is not one that is decoded.
    """
    moving = [stream for stream in container.streams.video if not is_picture(stream)]
    if not moving:
        raise StreamMissing("The file has no video.")
    best = max(moving, key=lambda stream: (decodable(stream), _is_default(stream), area_px(stream)))
    if not decodable(best):
        raise UnsupportedMedia(f"Video in the codec {codec_name(best)} is not decoded.", codec=codec_name(best))
    return best


def claimed_s(container: InputContainer) -> float | None:
    """Return the seconds that the container claims to last; None where it claims nothing."""
    if not container.duration:
        return None
    # Matroska counts from zero, wherever its first packet is.
    offset = max(0, container.start_time or 0) if "matroska" in container.format.name else 0
    return max(0, container.duration - offset) / 1_000_000


def is_picture(stream: Stream) -> bool:
    """Tell whether a video stream is cover art or a thumbnail."""
    still = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    return bool(stream.disposition & still)


def decodable(stream: Stream) -> bool:
    """Tell whether the stream's codec is among those that are decoded."""
    context = stream.codec_context
    if context is None or context.name not in DECODERS:
        return False
    return stream.type != "video" or context.name in VIDEO_DECODERS


def is_described(stream: Stream) -> bool:
    """Tell whether it is known what no container can do without: the size of pictures, the sample rate of sound."""
    if isinstance(stream, VideoStream):
        return area_px(stream) > 0
    return not isinstance(stream, AudioStream) or stream.codec_context.sample_rate > 0


def codec_name(stream: Stream) -> str:
    """Return the codec's own name (`av1`, not the decoder's `libdav1d`), or `unknown`."""
    context = stream.codec_context
    return str(context.codec.canonical_name) if context is not None else "unknown"


def area_px(stream: VideoStream) -> int:
    """Return the pixels of one stored frame as declared; 0 when unknown."""
    context = stream.codec_context
    return context.width * context.height if context is not None else 0


def _is_default(stream: Stream) -> bool:
    return bool(stream.disposition & Disposition.default)
