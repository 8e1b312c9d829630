"""Decode the pictures of a cut and encode them again, so that it can start and end at any of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from typing import cast

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream

from tightship.errors import VideoTooLong
from tightship.media.copying import Opening, lengthen_last
from tightship.media.limits import Limits

#: Encoder for each muxer that cannot hold H.264; every other one gets libx264.
_ENCODERS = {"webm": "libvpx-vp9"}
#: Settings: visually close to the source, at the speed of a service. A short look-ahead holds a fifth of the frames
#: in memory that libx264 holds by default, for 1-2 % more bits.
_SETTINGS = {
    "libx264": {"preset": "veryfast", "crf": "18", "rc-lookahead": "10"},
    "libvpx-vp9": {"crf": "30", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1", "lag-in-frames": "0"},
}
#: What red, green and blue are turned into; encoders of 4:2:0 refuse, or mislabel, the source's own.
_BT709 = {"dst_colorspace": Colorspace.ITU709, "dst_color_range": ColorRange.MPEG}
#: Encoder threads at most: each holds frames of its own.
_MAX_THREADS = 4
#: Frames per second where the source does not tell.
_FALLBACK_FPS = Fraction(25)


class StreamReencode:
    """Take packets in the order they are read; give back newly encoded ones of the pictures inside the cut.

    Args:
        source: Video of the input; it is decoded here.
        output: Where the new stream is added.
        begin, end: The cut in seconds on the input's clock; `begin` becomes zero.
        rotation_deg: Degrees clockwise for display, kept as it is.
        limits: How many frames are decoded at most.
    """

    def __init__(
        self,
        source: VideoStream,
        output: OutputContainer,
        begin: Fraction,
        end: Fraction,
        rotation_deg: float,
        limits: Limits,
    ) -> None:
        self.source = source
        self.done = False
        self.packets = 0
        self.duration = Fraction(0)
        self.damaged = 0
        self._begin, self._end, self._limits = begin, end, limits
        self._fps = _believable_rate(source, limits)
        self._tick = source.time_base or Fraction(1, 90_000)
        self.target = _encoder(source, output, self._fps, self._tick, rotation_deg)
        self._scale = VideoReformatter()
        self._colors = _BT709 if _is_rgb(source) else {}
        self._decoded = 0
        self._before: VideoFrame | None = None
        self._waiting: VideoFrame | None = None
        self._last_pts = -1
        self._began = Opening(0, 0)
        self._durations: dict[int, int] = {}

    def feed(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        """Return what the encoder has ready after this packet."""
        return [] if self.done else self._encoded(self._decode(packet))

    def finish(self) -> list[Packet[Stream]]:
        """Return the rest, after the last packet was fed."""
        ready = [] if self.done else self._encoded(self._decode(None))
        self.done = True
        last, self._waiting = self._waiting, None
        if last is None and self._before is not None and self._last_pts < 0:
            last = self._at_begin(self._before)
        self._before = None
        if last is None:
            return ready
        usual = round(1 / (self._fps * self._tick))
        until = round((self._end - self._begin) / self._tick)
        natural = last.duration if last.duration and last.duration > 0 else usual
        ready += self._encode(last, max(1, min(natural, until - (last.pts or 0))))
        ready += self._labelled(self.target.encode(None))
        if ready:
            lengthen_last(ready[-1], self._began, self.duration)
        return ready

    def _decode(self, packet: Packet[Stream] | None) -> list[VideoFrame]:
        try:
            frames = self.source.decode(packet)
        except FFmpegError:
            # One bad packet spoils its own pictures; the decoder goes on from the next.
            self.damaged += 1
            return []
        self._decoded += len(frames)
        if self._decoded > self._limits.max_frames:
            raise VideoTooLong(
                f"The cut has more than {self._limits.max_frames:,} frames.", limit_frames=self._limits.max_frames
            )
        return frames

    def _encoded(self, frames: list[VideoFrame]) -> list[Packet[Stream]]:
        ready: list[Packet[Stream]] = []
        for frame in self._inside(frames):
            if self._waiting is not None:
                ready += self._encode(self._waiting, (frame.pts or 0) - (self._waiting.pts or 0))
            self._waiting = frame
        return ready

    def _inside(self, frames: list[VideoFrame]) -> Iterator[VideoFrame]:
        """Yield the frames of the cut, their times counted from its beginning."""
        for frame in frames:
            if frame.pts is None:
                self.damaged += 1
                continue
            at = frame.pts * self._tick
            if at >= self._end:
                self.done = True
                return
            if at < self._begin:
                self._before = frame
                continue
            if self._last_pts < 0 and at > self._begin:
                yield from self._opening(at)
                if self._last_pts < 0:
                    at = self._begin
            yield from self._timed(frame, at)

    def _opening(self, at: Fraction) -> Iterator[VideoFrame]:
        """Yield the picture that is on screen when the cut begins, where it stays for more than one frame.

        Less than a frame is not worth a picture of its own: the first one inside is shown that much earlier.
        """
        before, self._before = self._before, None
        if before is not None and (at - self._begin) * self._fps >= 1:
            yield self._at_begin(before)

    def _at_begin(self, frame: VideoFrame) -> VideoFrame:
        frame.pts, self._last_pts = 0, 0
        frame.time_base = self._tick
        return frame

    def _timed(self, frame: VideoFrame, at: Fraction) -> Iterator[VideoFrame]:
        pts = round((at - self._begin) / self._tick)
        if pts <= self._last_pts:
            # Two pictures at one time: nobody sees the first, and encoders refuse them.
            return
        frame.pts, self._last_pts = pts, pts
        frame.time_base = self._tick
        yield frame

    def _encode(self, frame: VideoFrame, duration: int) -> list[Packet[Stream]]:
        context = self.target.codec_context
        fitted = self._scale.reformat(
            frame, width=context.width, height=context.height, format=context.pix_fmt, **self._colors
        )
        fitted.pts, fitted.time_base = frame.pts, self._tick
        fitted.pict_type = 0  # the source's choice of key frames is not ours
        self._durations[frame.pts or 0] = duration
        return self._labelled(self.target.encode(fitted))

    def _labelled(self, packets: list[Packet[VideoStream]]) -> list[Packet[Stream]]:
        """Give each packet its duration, which encoders lose and the last frame's length depends on."""
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts or 0, packet.duration or 0)
            end = ((packet.pts or 0) + packet.duration) * packet.time_base
            self.duration = max(self.duration, end)
            if self.packets == 0:
                self._began = Opening(packet.pts or 0, packet.dts or 0)
            self.packets += 1
        return cast("list[Packet[Stream]]", packets)


def _encoder(
    source: VideoStream, output: OutputContainer, fps: Fraction, tick: Fraction, rotation_deg: float
) -> VideoStream:
    name = _ENCODERS.get(output.format.name, "libx264")
    stream = output.add_stream(name, rate=fps, options=dict(_SETTINGS[name]))
    if not isinstance(stream, VideoStream):
        raise AssertionError(f"{name} is not an encoder of video")
    width, height = source.codec_context.width, source.codec_context.height
    context = stream.codec_context
    # 4:2:0 stores one colour for four pixels, so both sides must be even.
    context.width, context.height = max(2, width & ~1), max(2, height & ~1)
    context.pix_fmt = _pixel_format(source, name)
    context.time_base = tick
    context.thread_count = min(_MAX_THREADS, os.cpu_count() or 1)
    if source.sample_aspect_ratio:
        context.sample_aspect_ratio = source.sample_aspect_ratio
    for name in ("color_range", "color_primaries", "color_trc", "colorspace"):
        setattr(context, name, getattr(source.codec_context, name))
    if _is_rgb(source):
        context.colorspace, context.color_range = _BT709["dst_colorspace"], _BT709["dst_color_range"]
    if rotation_deg:
        # FFmpeg counts counter-clockwise.
        stream.set_display_rotation(-rotation_deg)
    return stream


def _is_rgb(source: VideoStream) -> bool:
    form = source.codec_context.format
    return form is not None and (form.is_rgb or form.has_palette)


def _pixel_format(source: VideoStream, encoder: str) -> str:
    held = {form.name for form in av.Codec(encoder, "w").video_formats or ()}
    form = source.codec_context.format
    if form is None:
        return "yuv420p"
    if form.name in ("yuv420p", "yuvj420p", "yuv420p10le") and form.name in held:
        return str(form.name)
    deep = form.components[0].bits > 8
    return "yuv420p10le" if deep and "yuv420p10le" in held else "yuv420p"


def _believable_rate(source: VideoStream, limits: Limits) -> Fraction:
    for rate in (source.average_rate, source.guessed_rate):
        if rate and 1 <= rate <= limits.max_fps:
            return rate.limit_denominator(65_535)
    return _FALLBACK_FPS
