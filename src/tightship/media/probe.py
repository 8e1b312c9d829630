"""Find out what a file is, from its headers and a bounded look at its timestamps."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from tightship.errors import CorruptMedia
from tightship.media.geometry import believable_aspect, displayed_size
from tightship.media.guard import DEFAULT_LIMITS, check_file, open_media
from tightship.media.info import MediaInfo, StreamInfo
from tightship.media.limits import Limits
from tightship.media.rotation import rotations_deg
from tightship.media.seek import seek
from tightship.media.sniff import HEAD_BYTES, declared_bytes
from tightship.media.stream import codec_name, decodable, is_picture, main_video
from tightship.media.timing import (
    Rhythm,
    believable_fps,
    has_full_index,
    index_extent,
    index_rhythm,
    packet_rhythm,
    tail_duration_s,
)

#: Bits per second below which a claimed duration is checked: speech in the thinnest codec in use takes 700.
MIN_BIT_RATE = 500
#: Share by which header and frames may disagree on the duration before the frames are believed.
DURATION_TOLERANCE = 0.1


def probe(fd: int, limits: Limits = DEFAULT_LIMITS) -> MediaInfo:
    """Return what the file behind `fd` holds.

    A partly damaged file gives what can be known, and says in `warnings` what is wrong.

    Raises:
        TightshipError: See `tightship.media.guard.open_media`.
        CorruptMedia: Nothing in the file can be played.
    """
    size_bytes = check_file(fd, limits)
    declared = declared_bytes(os.pread(fd, HEAD_BYTES, 0))
    warnings: list[str] = []
    if declared is not None and declared > size_bytes:
        warnings.append(f"The file is cut short: it has {size_bytes:,} of {declared:,} bytes.")
    with open_media(fd, limits) as container:
        return _describe(container, size_bytes, limits, warnings)


def _describe(container: InputContainer, size_bytes: int, limits: Limits, warnings: list[str]) -> MediaInfo:
    cut_short = bool(warnings)
    rotations = rotations_deg(container) if container.streams.video else {}
    streams = [_stream_info(stream, rotations.get(stream.index, 0.0), limits) for stream in container.streams]
    if not any(stream.type in ("video", "audio", "subtitle") for stream in streams):
        raise CorruptMedia("The file holds neither video nor sound nor subtitles that can be played.")
    warnings += _reservations(container, streams)
    streams = _checked_extents(container, streams, size_bytes, limits, warnings)
    streams = _with_rhythm(container, streams, limits, warnings)
    duration_s = _duration_s(container, streams, size_bytes, limits, warnings, cut_short)
    return MediaInfo(
        container=container.format.name,
        duration_s=duration_s,
        size_bytes=size_bytes,
        bit_rate=round(size_bytes * 8 / duration_s) if duration_s else None,
        streams=tuple(streams),
        tags=bounded_tags(container.metadata, limits),
        warnings=tuple(warnings),
    )


def _reservations(container: InputContainer, streams: list[StreamInfo]) -> Iterator[str]:
    """Yield what keeps a stream from being worked on."""
    for info in streams:
        if info.type in ("video", "audio") and not info.attached_pic and not decodable(container.streams[info.index]):
            yield f"Stream {info.index} is {info.type} in the codec {info.codec}, which is not decoded."
        elif info.type == "video" and info.width is None:
            yield f"The pictures of stream {info.index} are damaged, or larger than the limit."


def bounded_tags(tags: Mapping[str, str], limits: Limits) -> dict[str, str]:
    """Return as many tags, and as much of each, as the limits allow."""
    kept = list(tags.items())[: limits.max_tags]
    return {name[:128]: value[: limits.max_tag_chars] for name, value in kept}


def _stream_info(stream: Stream, rotation_deg: float, limits: Limits) -> StreamInfo:
    context = stream.codec_context
    language = stream.language
    info = StreamInfo(
        index=stream.index,
        type=stream.type,
        codec=codec_name(stream),
        profile=stream.profile if context is not None else None,
        language=None if language in (None, "", "und") else language[:16],
        frames=stream.frames or None,
        duration_s=_seconds(stream.duration, stream.time_base),
        attached_pic=stream.type == "video" and is_picture(stream),
        dispositions=tuple(flag.name for flag in Disposition if flag & stream.disposition and flag.name),
        tags=bounded_tags(stream.metadata, limits),
    )
    if context is None:
        return info
    if isinstance(stream, VideoStream):
        return replace(info, **_picture(stream, rotation_deg, limits))
    if isinstance(stream, AudioStream):
        return replace(info, **_sound(stream.codec_context))
    return info


def _picture(stream: VideoStream, rotation_deg: float, limits: Limits) -> dict[str, Any]:
    context = stream.codec_context
    fps = believable_fps(stream.average_rate, limits.max_fps) or believable_fps(stream.guessed_rate, limits.max_fps)
    facts: dict[str, Any] = {
        "rotation": rotation_deg,
        "fps": fps,
        "pixel_format": context.format.name if context.format else None,
        "bit_depth": context.format.components[0].bits if context.format else None,
    }
    if context.width <= 0 or context.height <= 0:
        return facts
    aspect = believable_aspect(stream.sample_aspect_ratio)
    width, height = displayed_size(context.width, context.height, aspect, rotation_deg)
    return {
        **facts,
        "width": width,
        "height": height,
        "coded_width": context.width,
        "coded_height": context.height,
        "sample_aspect_ratio": f"{aspect.numerator}:{aspect.denominator}",
    }


def _sound(context: CodecContext) -> dict[str, Any]:
    fixed = context.name.startswith("pcm_") or context.name in ("flac", "alac")
    form = getattr(context, "format", None)
    return {
        "sample_rate": getattr(context, "sample_rate", None) or None,
        "channels": getattr(context, "channels", None) or None,
        "bit_depth": form.bits if fixed and form is not None else None,
    }


def _checked_extents(
    container: InputContainer, streams: list[StreamInfo], size_bytes: int, limits: Limits, warnings: list[str]
) -> list[StreamInfo]:
    """Correct durations and counts of streams whose index says what is really there."""
    checked = []
    missing: list[str] = []
    found = 0
    for info in streams:
        stream = container.streams[info.index]
        if stream.type not in ("video", "audio") or not has_full_index(stream):
            checked.append(info)
            continue
        extent = index_extent(stream, size_bytes)
        found += extent.frames
        if not extent.whole:
            missing.append(f"{extent.frames} of {stream.frames} packets of stream {info.index}")
            info = replace(info, frames=extent.frames, duration_s=round(extent.duration_s, 6))
        elif extent.duration_s > limits.max_duration_s and not (info.duration_s or 0) > limits.max_duration_s:
            warnings.append(f"The timestamps of stream {info.index} are absurd: {extent.duration_s:.3g} s.")
        elif _contradicts(info.duration_s, extent.duration_s):
            info = replace(info, duration_s=round(extent.duration_s, 6))
        checked.append(info)
    if missing:
        warnings.append(f"The file is cut short: it holds {' and '.join(missing)}.")
        if not found:
            raise CorruptMedia("The file is cut short before the first picture or sound.")
    return checked


def _with_rhythm(
    container: InputContainer, streams: list[StreamInfo], limits: Limits, warnings: list[str]
) -> list[StreamInfo]:
    moving = [stream for stream in container.streams.video if not is_picture(stream) and decodable(stream)]
    if not moving:
        return streams
    stream = main_video(container)
    info = streams[stream.index]
    full = has_full_index(stream)
    rhythm = index_rhythm(stream, limits) if full else packet_rhythm(container, stream, limits)
    fps = _agreed_fps(info, rhythm, full)
    if fps is None and info.frames != 1:
        warnings.append("The timestamps of the video give no believable frame rate.")
    streams[stream.index] = replace(info, fps=fps, variable_frame_rate=rhythm.variable)
    return streams


def _agreed_fps(info: StreamInfo, rhythm: Rhythm, full: bool) -> float | None:
    """Prefer the header's average over the whole file, unless the timestamps contradict it."""
    if rhythm.variable is None:
        return info.fps
    if rhythm.fps is None:
        return None
    if full and rhythm.variable and info.frames and info.duration_s:
        return believable_fps(info.frames / info.duration_s, float("inf"))
    believed = info.fps is not None and 0.9 < info.fps / rhythm.fps < 1.1
    return info.fps if believed else rhythm.fps


def _duration_s(
    container: InputContainer,
    streams: list[StreamInfo],
    size_bytes: int,
    limits: Limits,
    warnings: list[str],
    cut_short: bool,
) -> float | None:
    claimed_s = _seconds(container.duration, Fraction(1, 1_000_000))
    listed = [info for info in streams if info.duration_s and has_full_index(container.streams[info.index])]
    if listed:
        listed_s = max(info.duration_s or 0.0 for info in listed)
        cut_short = any(info.frames != container.streams[info.index].frames for info in listed)
        if _contradicts(claimed_s, listed_s) or (cut_short and _disagree(claimed_s, listed_s)):
            warnings.append(f"The header claims {_words(claimed_s)}; the frames last {listed_s:.3f} s.")
            return listed_s
    if cut_short or _absurd(claimed_s, size_bytes, limits):
        return _measured_duration_s(container, claimed_s, limits, warnings)
    return claimed_s


def _measured_duration_s(
    container: InputContainer, claimed_s: float | None, limits: Limits, warnings: list[str]
) -> float | None:
    seek(container, None)
    found_s = tail_duration_s(container, claimed_s or limits.max_duration_s, limits)
    if found_s is None:
        if claimed_s is not None and claimed_s > limits.max_duration_s:
            warnings.append(f"The header claims {_words(claimed_s)}, which could not be checked.")
        return claimed_s
    if not _disagree(claimed_s, found_s):
        return claimed_s
    if claimed_s is not None:
        warnings.append(f"The header claims {_words(claimed_s)}; the packets last {found_s:.3f} s.")
    return round(found_s, 6)


def _absurd(claimed_s: float | None, size_bytes: int, limits: Limits) -> bool:
    return claimed_s is None or claimed_s > limits.max_duration_s or size_bytes * 8 / claimed_s < MIN_BIT_RATE


def _disagree(claimed_s: float | None, found_s: float) -> bool:
    return claimed_s is None or abs(claimed_s - found_s) > max(0.5, DURATION_TOLERANCE * found_s)


def _contradicts(claimed_s: float | None, listed_s: float) -> bool:
    """Tell whether an index contradicts the header. It holds decoding times: with B-frames of uneven length its span
    is some seconds off, so only a factor of two counts.
    """
    return claimed_s is None or not listed_s / 2 < claimed_s < listed_s * 2 + 1


def _words(claimed_s: float | None) -> str:
    return "no duration" if claimed_s is None else f"{claimed_s:.3f} s"


def _seconds(ticks: int | None, time_base: Fraction | None) -> float | None:
    if ticks is None or ticks <= 0 or not time_base:
        return None
    return round(float(ticks * time_base), 6)
