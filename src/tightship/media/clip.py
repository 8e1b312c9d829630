"""Cut a piece out of a file: by copying packets, or picture by picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard, Stream
from av.video.stream import VideoStream

from tightship.errors import CorruptMedia, InvalidOptions, StreamMissing, UnsupportedMedia, VideoTooLong
from tightship.media.copying import StreamCopy
from tightship.media.formats import REFUSED_CODECS
from tightship.media.guard import DEFAULT_LIMITS
from tightship.media.limits import Limits
from tightship.media.output import lasting_tags, mux, open_output
from tightship.media.reencoding import StreamReencode
from tightship.media.rotation import rotations_deg
from tightship.media.seek import Entry, find_entry, packets_of, seek
from tightship.media.stream import area_px, claimed_s, codec_name, decodable, is_described, is_picture, main_video

#: Told the seconds done and the seconds in all; answers True to stop early and keep what there is.
Progress = Callable[[float, float], bool]
#: Seconds by which one stream may lag behind another in the file before it is taken to have ended.
_LAG_S = 10
#: Packets between two reports of progress: a copy moves tens of thousands a second.
_REPORT_PACKETS = 64


@dataclass(frozen=True)
class Cut:
    """What was really cut.

    Args:
        mode: `copy`: packets as they were, from a key frame on. `exact`: pictures encoded again.
        start_s, end_s: The piece in seconds of the input, the start being the first picture's (or sound's) time.
        duration_s: Seconds that its pictures (or its sound) play.
        streams: How many streams it has.
        complete: False when it was stopped early.
        warnings: One sentence each on what was left out or damaged.
    """

    mode: Literal["copy", "exact"]
    start_s: float
    end_s: float
    duration_s: float
    streams: int
    complete: bool
    warnings: tuple[str, ...]


@dataclass
class _Tracks:
    main: StreamCopy | StreamReencode | None = None
    every: dict[int, StreamCopy | StreamReencode] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def add(self, track: StreamCopy | StreamReencode) -> None:
        self.main = self.main or track
        self.every[track.source.index] = track


def cut(
    container: InputContainer,
    out_path: Path,
    start_s: float = 0.0,
    end_s: float | None = None,
    *,
    exact: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> Cut:
    """Write the piece from `start_s` to `end_s` to `out_path`, streaming.

    Args:
        container: Input, as `tightship.media.guard.open_media` opened it.
        out_path: File to create; its ending (.mp4, .mov, .mkv, .webm) chooses the format.
        start_s, end_s: Seconds from the start of the input; an end of None is the input's own.
        exact: Encode the pictures again, so that the piece starts and ends on the very frame. Else packets are
            copied, and the piece starts at the key frame at or before `start_s`.
        limits: How long a piece may be, and how many frames.
        progress: Told how far it is, several times a second.

    Raises:
        InvalidOptions: The start is not before the end, or is behind the end of the media.
        StreamMissing: There is neither video nor sound.
        UnsupportedMedia: There is sound alone, and the format of `out_path` cannot hold it.
        VideoTooLong: The piece is longer than the limit.
        TightshipError: Input or output failed; nothing is left at `out_path`.
    """
    origin = Fraction(container.start_time or 0, 1_000_000)
    begin = origin + Fraction(start_s).limit_denominator(1_000_000)
    end = origin + _end_of(container, start_s, end_s, limits)
    leading = _leading(container)
    entry = find_entry(container, leading, begin)
    rotation_deg = rotations_deg(container).get(leading.index, 0.0) if leading.type == "video" else 0.0
    with open_output(out_path) as output:
        again = exact and leading.type == "video"
        if not again and not _holds(output, leading):
            if leading.type != "video":
                raise _not_held(out_path, leading)
            again = True
        first = begin if again else min(begin, entry.at)
        tracks = _Tracks()
        if again and isinstance(leading, VideoStream):
            tracks.add(StreamReencode(leading, output, first, end, rotation_deg, limits))
            if not exact:
                name = codec_name(leading)
                tracks.warnings.append(f"{out_path.suffix[1:]} cannot hold {name}; it was encoded again.")
        _add_copies(container, output, leading, tracks, first, end)
        output.metadata.update(lasting_tags(container.metadata))
        complete = _run(container, output, entry, tracks, end - first, progress)
        duration = _duration_of(tracks)
    return Cut(
        mode="exact" if again else "copy",
        start_s=round(float(first - origin), 6),
        end_s=round(float(first - origin + duration), 6),
        duration_s=round(float(duration), 6),
        streams=len(tracks.every),
        complete=complete,
        warnings=tuple(tracks.warnings),
    )


def _end_of(container: InputContainer, start_s: float, end_s: float | None, limits: Limits) -> Fraction:
    known_s = claimed_s(container) or 0.0
    if end_s is not None and end_s <= start_s:
        raise InvalidOptions(f"The cut ends at {end_s} s, not after its start at {start_s} s.")
    # Whether the media really lasts as long as its header says shows when its end is met.
    span_s = (end_s if end_s is not None else max(known_s, start_s)) - start_s
    if min(span_s, known_s or span_s) > limits.max_duration_s:
        raise VideoTooLong(
            f"The cut lasts {span_s:.0f} s; the limit is {limits.max_duration_s:.0f} s.",
            duration_s=span_s,
            limit_s=limits.max_duration_s,
        )
    latest = start_s + limits.max_duration_s
    return Fraction(min(end_s, latest) if end_s is not None else latest).limit_denominator(1_000_000)


def _leading(container: InputContainer) -> Stream:
    if any(not is_picture(stream) for stream in container.streams.video):
        video = main_video(container)
        if not area_px(video):
            raise CorruptMedia("The pictures are damaged, or larger than the limit.")
        return video
    sound = [stream for stream in container.streams.audio if decodable(stream)]
    if not sound:
        raise StreamMissing("The file has neither video nor sound.")
    whole = [stream for stream in sound if is_described(stream)]
    if not whole:
        raise CorruptMedia("The sound is damaged; its sample rate cannot be told.")
    return whole[0]


def _holds(output: OutputContainer, stream: Stream) -> bool:
    context, name = stream.codec_context, codec_name(stream)
    if context is None or name in REFUSED_CODECS.get(output.format.name, ()):
        return False
    return not output.supported_codecs.isdisjoint((context.name, name))


def _not_held(out_path: Path, stream: Stream) -> UnsupportedMedia:
    container, codec = out_path.suffix[1:], codec_name(stream)
    return UnsupportedMedia(f"{container} cannot hold sound in the codec {codec}.", container=container, codec=codec)


def _add_copies(
    container: InputContainer, output: OutputContainer, leading: Stream, tracks: _Tracks, begin: Fraction, end: Fraction
) -> None:
    ordered = sorted(container.streams, key=lambda stream: (stream is not leading, stream.index))
    for stream in ordered:
        if stream.index in tracks.every:
            continue
        wanted = stream.type in ("video", "audio", "subtitle") and decodable(stream) and not is_picture(stream)
        if not wanted or not is_described(stream) or not _holds(output, stream):
            stream.discard = Discard.all
            what = "cover art" if stream.type == "video" and is_picture(stream) else stream.type
            tracks.warnings.append(f"Stream {stream.index} ({what}, {codec_name(stream)}) was left out.")
            continue
        target = output.add_stream_from_template(stream, opaque=True)
        target.disposition = stream.disposition
        target.metadata.update(lasting_tags(stream.metadata))
        tracks.add(StreamCopy(stream, target, begin, end))


def _run(
    container: InputContainer,
    output: OutputContainer,
    entry: Entry,
    tracks: _Tracks,
    span: Fraction,
    progress: Progress | None,
) -> bool:
    """Feed every packet to its track until all are done; False when stopped early."""
    seek(container, entry.seek_to)
    complete = True
    for count, (track, packet) in enumerate(_relevant(container, tracks)):
        mux(output, track.feed(packet))
        if progress and count % _REPORT_PACKETS == 0 and progress(float(_done(tracks)), float(span)):
            tracks.warnings.append("The time was up; the clip ends early.")
            complete = False
            break
    for track in tracks.every.values():
        mux(output, track.finish())
        if isinstance(track, StreamReencode) and track.damaged:
            which = f"Packets of stream {track.source.index} that were damaged and skipped"
            tracks.warnings.append(f"{which}: {track.damaged:,}.")
    return complete


def _relevant(
    container: InputContainer, tracks: _Tracks
) -> Iterator[tuple[StreamCopy | StreamReencode, Packet[Stream]]]:
    """Yield packets with their track, until every picture and sound of the cut has been read."""
    sources = [track.source for track in tracks.every.values()]
    waited_for = [track for track in tracks.every.values() if track.source.type in ("video", "audio")]

    def damaged() -> None:
        tracks.warnings.append("The file is damaged or cut short; the clip ends where it could still be read.")

    over_since: Fraction | None = None
    with closing(packets_of(container, sources, damaged)) as packets:
        for packet in packets:
            yield tracks.every[packet.stream_index], packet
            if all(track.done for track in waited_for):
                return
            if any(track.done for track in waited_for) and packet.dts is not None:
                now = packet.dts * packet.time_base
                over_since = now if over_since is None else over_since
                if now - over_since > _LAG_S:
                    return


def _done(tracks: _Tracks) -> Fraction:
    return tracks.main.duration if tracks.main else Fraction(0)


def _duration_of(tracks: _Tracks) -> Fraction:
    """Return the seconds that the main stream of the result plays."""
    if tracks.main is None or not tracks.main.packets:
        raise CorruptMedia("There is nothing in this part of the file that can be read.")
    return tracks.main.duration
