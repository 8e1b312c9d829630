"""Decode the wanted frames of a video in one pass, in memory that does not depend on its length."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction

from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tightship.errors import VideoTooLong
from tightship.media.seek import find_entry, packets_of, seek, time_of
from tightship.media.selection import MAX_GAP_S, MAX_RATE_FPS, Selection, Timeline, foresee
from tightship.media.thumbnail import lines

Checkpoint = Callable[[float, float | None, str], bool]
#: Seconds that one frame lasts where the stream does not tell anything that can be believed.
_FRAME_S = 0.04
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
        self.timeline = Timeline(_frame_s(stream))
        self.selection = replace(selection, frame_s=self.timeline.frame_s)
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
            at_s = None if frame.pts is None else self._at_s(frame.pts)
            if at_s is not None and slot < 0 and self.selection.slot(at_s) < 0:
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
        for packet, spare in foresee(self._packets(), lambda pts: self.selection.slot(self._at_s(pts))):
            if self._checkpoint(self.timeline.position_s, self._total_s, "s"):
                self.stopped_early = True
                return
            self._codec.skip_frame = "NONREF" if spare else "DEFAULT"
            yield from self._decode_packet(packet)
        self._codec.skip_frame = "DEFAULT"
        yield from self._decode_packet(None)

    def _decode_packet(self, packet: Packet[Stream] | None) -> list[VideoFrame]:
        try:
            frames = self._stream.decode(packet)
        except FFmpegError:
            # The decoder goes on with the next packet; only this one is lost.
            self._count_damage()
            return []
        self.decoded += len(frames)
        if self._max_frames is not None and self.decoded > self._max_frames:
            raise VideoTooLong(
                f"The video has more than {self._max_frames:,} frames to decode.", limit_frames=self._max_frames
            )
        return frames

    def _packets(self) -> Iterator[Packet[Stream]]:
        begin = self._seek() if self.selection.start_s > 0 else None
        with closing(packets_of(self._container, [self._stream], self._count_damage)) as packets:
            for packet in packets:
                at = time_of(packet)
                if begin is None or at is None or at >= begin:
                    begin = None
                    yield packet

    def _seek(self) -> Fraction:
        """Move to the key frame that the first wanted frame needs; return its time."""
        entry = find_entry(self._container, self._stream, self._origin * self._tick)
        seek(self._container, entry.seek_to)
        return entry.at

    def _count_damage(self) -> None:
        self.damaged += 1

    def _at_s(self, pts: int) -> float:
        return float((pts - self._origin) * self._tick)

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
    """Tell whether two frames show the same, looking no further than the first line that differs."""
    return all(a == b for a, b in zip(lines(one), lines(other), strict=True))


def _frame_s(stream: VideoStream) -> float:
    rate = stream.average_rate or stream.guessed_rate
    return float(1 / rate) if rate and 1 / MAX_GAP_S <= rate <= MAX_RATE_FPS else _FRAME_S
