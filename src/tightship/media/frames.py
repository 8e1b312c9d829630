"""Decode the wanted frames of a video in one pass, in memory that does not depend on its length."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tightship.errors import VideoTooLong
from tightship.media.selection import Selection, Timeline, foresee

Checkpoint = Callable[[float, float | None, str], bool]
#: Seconds that one frame lasts where the stream does not tell, and the bounds of what it may tell.
_FRAME_S, _MIN_FRAME_S, _MAX_FRAME_S = 0.04, 0.001, 1.0
#: Seconds before the start from which on every frame is decoded: one of them may be on screen at the start.
_LEAD_S = 1.0
#: Seconds that a picture is held at most, whether or not the next one is the same. GIF's limit is 655.35.
_MAX_STILL_S = 600.0


@dataclass(frozen=True)
class Picture:
    """A frame and how long it is on screen."""

    frame: VideoFrame
    duration_s: float


class Frames:
    """Iterate over the wanted frames of a stream, each with its position in seconds from the selection's start.

    Bad packets are counted and left out. Frames that nobody wants and no other frame needs are not decoded at all.

    Args:
        container: Opened input.
        stream: Its video stream, not yet decoded from.
        selection: Which frames are wanted.
        checkpoint: Called for every packet; see `tightship.core.attempt.Attempt.checkpoint`.
        shrinks: The frames are going to be at most half as wide and high; allows to skip the deblocking of those that
            no other frame refers to. It cannot be seen at half the size, and no error accumulates.
        max_frames: How many frames may be decoded.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        selection: Selection,
        checkpoint: Checkpoint,
        *,
        shrinks: bool = False,
        max_frames: int | None = None,
    ) -> None:
        self.selection = selection
        self.damaged = 0
        self.decoded = 0
        self.past_end = False
        self.stopped_early = False
        self._container, self._stream = container, stream
        self._codec = stream.codec_context
        self._checkpoint, self._max_frames = checkpoint, max_frames
        self._tick = stream.time_base or Fraction(1, 90_000)
        self._origin = (stream.start_time or 0) + round(selection.start_s / self._tick)
        self._total_s = self._known_length_s()
        self.timeline = Timeline(_frame_s(stream))
        if not self._codec.is_open:
            # Threads hold pictures of their own, and decode some before we can say that they are not wanted.
            self._codec.thread_count = 1
            if shrinks:
                self._codec.options = {**self._codec.options, "skip_loop_filter": "noref"}

    @property
    def end_s(self) -> float:
        """Position where the last frame leaves the screen; right once the iteration is over."""
        end_s = self.timeline.position_s + self.timeline.frame_s
        length_s = self.selection.length_s
        if length_s is None:
            return end_s
        return length_s if self.past_end else min(length_s, end_s)

    def __iter__(self) -> Iterator[tuple[float, VideoFrame]]:
        before: VideoFrame | None = None
        slot = -1
        for frame in self._decode():
            at_s = None if frame.pts is None else float((frame.pts - self._origin) * self._tick)
            if at_s is not None and at_s < -self.timeline.frame_s / 2 and slot < 0:
                before = frame
                continue
            position_s = self.timeline.advance(None if at_s is None else max(at_s, 0.0) if slot < 0 else at_s)
            if self.selection.length_s is not None and position_s >= self.selection.length_s - 1e-6:
                self.past_end = True
                break
            if before is not None and self.selection.slot(position_s) > 0:
                yield 0.0, before
            before = None
            if self.selection.slot(position_s) > slot:
                slot = self.selection.slot(position_s)
                yield position_s, frame
            del frame
        if slot < 0 and before is not None and self.past_end:
            yield 0.0, before

    def _decode(self) -> Iterator[VideoFrame]:
        for packet, spare in foresee(self._packets(), float(self.selection.fps * self._tick), self._origin):
            if self._checkpoint(self.timeline.position_s, self._total_s, "s"):
                self.stopped_early = True
                return
            self._codec.skip_frame = "NONREF" if self._is_unwanted(packet, spare) else "DEFAULT"
            yield from self._decode_packet(packet)
        self._codec.skip_frame = "DEFAULT"
        yield from self._decode_packet(None)

    def _decode_packet(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        try:
            frames = self._codec.decode(packet)
        except FFmpegError:
            # The decoder goes on with the next packet; only this one is lost.
            self.damaged += 1
            return []
        self.decoded += len(frames)
        if self._max_frames is not None and self.decoded > self._max_frames:
            raise VideoTooLong(
                f"The video has more than {self._max_frames:,} frames to decode.", limit_frames=self._max_frames
            )
        return frames

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        if self.selection.start_s > 0:
            self._seek()
        try:
            for packet in self._container.demux(self._stream):
                if packet.size > 0:
                    yield packet
        except FFmpegError:
            # What follows cannot be read; what was read still counts.
            self.damaged += 1

    def _seek(self) -> None:
        try:
            self._container.seek(self._origin, stream=self._stream, backward=True)
        except FFmpegError:
            # Cannot seek: decode from here, which gives the same frames later.
            return

    def _is_unwanted(self, packet: Packet[VideoStream], spare: bool) -> bool:
        if packet.pts is None:
            return False
        at_s = (packet.pts - self._origin) * self._tick
        return at_s < -_LEAD_S or (spare and at_s > 0)

    def _known_length_s(self) -> float | None:
        duration = self._stream.duration
        whole_s = float(duration * self._tick) if duration and duration > 0 else None
        left_s = None if whole_s is None else max(0.0, whole_s - self.selection.start_s)
        lengths_s = [known for known in (left_s, self.selection.length_s) if known is not None]
        return min(lengths_s, default=None)


def pictures(frames: Frames, place: Callable[[VideoFrame], VideoFrame]) -> Iterator[Picture]:
    """Yield each wanted frame, as `place` returns it, with its time on screen; a frame like the one before extends it.

    Only what `place` returned is kept, and of that one: decoders have few buffers, and they are large.
    """
    held: VideoFrame | None = None
    since_s = 0.0
    for position_s, frame in frames:
        placed = place(frame)
        del frame
        if held is not None:
            if position_s - since_s < _MAX_STILL_S and _same(held, placed):
                continue
            yield Picture(held, position_s - since_s)
            since_s = position_s
        held = placed
    if held is not None:
        yield Picture(held, max(frames.end_s - since_s, 0.0))


def _same(one: VideoFrame, other: VideoFrame) -> bool:
    return all(bytes(a) == bytes(b) for a, b in zip(one.planes, other.planes, strict=True))


def _frame_s(stream: VideoStream) -> float:
    rate = stream.average_rate or stream.guessed_rate
    if not rate or rate <= 0:
        return _FRAME_S
    return min(max(float(1 / rate), _MIN_FRAME_S), _MAX_FRAME_S)
