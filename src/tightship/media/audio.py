"""Decode the sound of a file as one stream of samples, in memory that does not depend on its length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Discard, Disposition, Stream
from numpy.typing import NDArray

from tightship.errors import CorruptMedia, InvalidOptions, StreamMissing, UnsupportedMedia, VideoTooLong
from tightship.media.guard import DEFAULT_LIMITS
from tightship.media.limits import Limits
from tightship.media.seek import packets_of
from tightship.media.stream import codec_name, decodable

Samples = NDArray[np.float32]

#: Samples per second that everything is brought to: what speech models hear.
RATE_HZ = 16_000
#: Samples that are given out at a time, at least: one second.
_BLOCK = RATE_HZ
#: Seconds by which a frame may be late before silence fills the gap: players and muxers round to a few hundredths.
_TOLERANCE_S = 0.1
#: Seconds of the longest gap that is believed; a longer one is a clock that jumped, and the sound goes on without it.
_MAX_GAP_S = 600.0
#: Seconds back from which a stream's clock is taken to have started anew.
_RESTART_S = 10.0
#: Samples per second between which a rate is believed. One sample a second would become 16 000 of them.
_MIN_RATE_HZ, _MAX_RATE_HZ = 1_000, 768_000
#: FFmpeg adds channels up; eight equal ones would be cut off at full scale.
_MIXING = {"rematrix_maxval": "1.0"}


def sound_track(container: InputContainer, track: int | None = None) -> AudioStream:
    """Return a sound track that can be decoded.

    Args:
        container: Opened input.
        track: Its number among the file's sound tracks, from 0; None for the default one, else the first.

    Raises:
        StreamMissing: There is no sound.
        InvalidOptions: There are fewer tracks.
        UnsupportedMedia: Its codec is not one that is decoded.
    """
    tracks = list(container.streams.audio)
    if not tracks:
        raise StreamMissing("The file has no sound.")
    if track is not None and not 0 <= track < len(tracks):
        raise InvalidOptions(f"There is no sound track {track}; the file has {len(tracks)}.", tracks=len(tracks))
    if track is not None:
        chosen = tracks[track]
    else:
        chosen = max(tracks, key=lambda each: (decodable(each), bool(each.disposition & Disposition.default)))
    if not decodable(chosen):
        raise UnsupportedMedia(f"Sound in the codec {codec_name(chosen)} is not decoded.", codec=codec_name(chosen))
    return chosen


class Clock:
    """Tell where silence is missing, so that a sample's number stays its time."""

    def __init__(self) -> None:
        self._shift_s = 0.0

    def gap_s(self, frame_s: float | None, position_s: float) -> float:
        """Return the seconds of silence that belong before a frame.

        Args:
            frame_s: The frame's own time, from the start of the file; None where it has none.
            position_s: Seconds of sound before it so far.
        """
        if frame_s is None:
            return 0.0
        late_s = frame_s + self._shift_s - position_s
        if late_s > _MAX_GAP_S or late_s < -_RESTART_S:
            self._shift_s -= late_s
            return 0.0
        return late_s if late_s > _TOLERANCE_S else 0.0


class Sound:
    """Iterate over the samples of a track: mono, 16 kHz, between -1 and 1, about a second at a time.

    Bad packets are counted and left out, as are samples that are not numbers. Gaps in the track's timestamps become
    silence, so that the number of a sample tells its time from the start of the file.

    Args:
        container: Opened input.
        stream: One of its sound tracks, not yet decoded from.
        limits: How long the sound may be.
    """

    def __init__(self, container: InputContainer, stream: AudioStream, limits: Limits = DEFAULT_LIMITS) -> None:
        self.damaged = 0
        self.samples = 0
        self._container, self._stream, self._limits = container, stream, limits
        self._clock = Clock()
        self._origin_s = (container.start_time or 0) / 1_000_000
        self._resampler: AudioResampler | None = None
        self._form: tuple[str, str, int] | None = None
        for other in container.streams:
            if other.index != stream.index:
                other.discard = Discard.all
        if not stream.codec_context.is_open:
            stream.codec_context.thread_count = 1

    @property
    def position_s(self) -> float:
        """Seconds given out so far."""
        return self.samples / RATE_HZ

    def __iter__(self) -> Iterator[Samples]:
        waiting: list[Samples] = []
        size = 0
        for piece in self._pieces():
            waiting.append(piece)
            size += piece.size
            if size >= _BLOCK:
                yield self._cleaned(waiting)
                waiting, size = [], 0
        if size:
            yield self._cleaned(waiting)

    def _cleaned(self, pieces: list[Samples]) -> Samples:
        block = np.concatenate(pieces)
        np.nan_to_num(block, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        np.clip(block, -1.0, 1.0, out=block)
        return block

    def _pieces(self) -> Iterator[Samples]:
        decoded = False
        for frame in self._frames():
            decoded = True
            for piece in self._placed(frame):
                self._advance(piece.size)
                yield piece
        for piece in self._flushed():
            self._advance(piece.size)
            yield piece
        if not decoded and self.damaged:
            raise CorruptMedia("The sound is damaged so that nothing of it can be decoded.", packets=self.damaged)

    def _advance(self, count: int) -> None:
        self.samples += count
        if self.position_s > self._limits.max_duration_s:
            raise VideoTooLong(
                f"The sound lasts longer than the limit of {self._limits.max_duration_s:.0f} s.",
                limit_s=self._limits.max_duration_s,
            )

    def _placed(self, frame: AudioFrame) -> Iterator[Samples]:
        time_s = None if frame.time is None else frame.time - self._origin_s
        missing = round(self._clock.gap_s(time_s, self.position_s) * RATE_HZ)
        while missing > 0:
            yield np.zeros(min(missing, _BLOCK), np.float32)
            missing -= _BLOCK
        yield from self._resampled(frame)

    def _resampled(self, frame: AudioFrame) -> Iterator[Samples]:
        if not _MIN_RATE_HZ <= frame.sample_rate <= _MAX_RATE_HZ:
            raise UnsupportedMedia(f"Sound of {frame.sample_rate} samples a second is not decoded.")
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if form != self._form:
            yield from self._flushed()
            self._form = form
            self._resampler = AudioResampler(format="flt", layout="mono", rate=RATE_HZ, options=_MIXING)
        if self._resampler is None:
            return
        frame.pts = None  # our clock has judged it; the filter would reckon with it once more
        try:
            resampled = self._resampler.resample(frame)
        except FFmpegError:
            resampled = None
        if resampled is None:
            raise UnsupportedMedia(f"Sound of {frame.layout.nb_channels} channels ({form[1]}) cannot be mixed.")
        yield from _arrays(resampled)

    def _flushed(self) -> Iterator[Samples]:
        if self._resampler is not None:
            # Where there is nothing to resample, PyAV hands back what it was given: None.
            yield from _arrays(frame for frame in self._resampler.resample(None) if frame)
        self._resampler = None

    def _frames(self) -> Iterator[AudioFrame]:
        with closing(packets_of(self._container, [self._stream], self._count_damage)) as packets:
            for packet in packets:
                yield from self._decode(packet)
        yield from self._decode(None)

    def _decode(self, packet: Packet[Stream] | None) -> list[AudioFrame]:
        try:
            return self._stream.decode(packet)
        except FFmpegError:
            # The decoder goes on with the next packet; only this one is lost.
            self._count_damage()
            return []

    def _count_damage(self) -> None:
        self.damaged += 1


def _arrays(frames: Iterable[AudioFrame]) -> Iterator[Samples]:
    for frame in frames:
        # A copy: the frame's memory goes back to FFmpeg.
        yield frame.to_ndarray().reshape(-1).astype(np.float32)
