"""Find the key frame that a cut has to start from."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction

from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from tightship.errors import CorruptMedia, InvalidOptions

#: Seconds before the wanted time at which the search begins, tried in turn: containers seek by decoding time or to the
#: nearest block, and may land behind the key frame that is wanted. None is the start of the file.
_BACK_OFFS_S: tuple[int | None, ...] = (0, 2, 10, 60, None)
#: Seconds behind the wanted time in which a stream that was cut off at its head must have its first key frame:
#: broadcasts have one every second or two, encoders' defaults end at 10 s.
_FIRST_KEY_S = 60
#: Microseconds before the start of a file that are sure to be before all of its packets.
_BEFORE_START_US = 10_000_000
#: Seconds by which sound may be stored before the picture it belongs to; players and muxers keep it below one.
INTERLEAVE_S = 1


@dataclass(frozen=True)
class Entry:
    """Where to enter a stream.

    Args:
        at: Presentation time of the first packet to use, in seconds on the file's own clock.
        seek_to: Time to seek to in order to meet that packet and all that belongs to it; None for the file's start.
    """

    at: Fraction
    seek_to: Fraction | None


def find_entry(container: InputContainer, stream: Stream, wanted: Fraction) -> Entry:
    """Return the last key frame of `stream` at or before `wanted`, or the first one where there is none before.

    Raises:
        InvalidOptions: The stream ends before `wanted`.
        CorruptMedia: The stream has no key frame.
    """
    later: Fraction | None = None
    for back_off_s in _BACK_OFFS_S:
        seek_to = None if back_off_s is None else wanted - back_off_s
        if not seek(container, seek_to):
            continue
        patience_s = _FIRST_KEY_S if back_off_s is None else 0
        key, last = _scan_keys(container, stream, wanted, patience_s)
        if key is not None and key <= wanted:
            if last is not None and last <= wanted:
                raise InvalidOptions("The media ends before the start of the cut.")
            return Entry(key, None if seek_to is None else seek_to - INTERLEAVE_S)
        later = key if key is not None else later
    if later is None:
        raise CorruptMedia("The stream has no key frame to start from.")
    return Entry(later, None)


def seek(container: InputContainer, to: Fraction | None) -> bool:
    """Move to the key frame before `to`, or to the first packet; False where the container cannot."""
    start = container.start_time or 0
    if to is not None:
        return _try_seek(container, max(start, round(to * 1_000_000)))
    # Containers without an index land behind a first packet that is asked for by its own time.
    return _try_seek(container, start - _BEFORE_START_US) or _try_seek(container, start)


def _try_seek(container: InputContainer, at_us: int) -> bool:
    try:
        container.seek(at_us, backward=True)
    except FFmpegError:
        return False
    return True


def _scan_keys(
    container: InputContainer, stream: Stream, wanted: Fraction, patience_s: int
) -> tuple[Fraction | None, Fraction | None]:
    """Return the last key frame at or before `wanted` (or the first after it), and the end where it was met.

    Where none is found, the scan goes on for `patience_s` behind `wanted`. Times far before the file's start are a
    broken clock's, and not believed.
    """
    earliest = Fraction((container.start_time or 0) - _BEFORE_START_US, 1_000_000)
    best: Fraction | None = None
    end: Fraction | None = None
    with closing(packets_of(container, [stream])) as packets:
        for packet in packets:
            at = time_of(packet)
            if at is None or at < earliest:
                continue
            end = max(end or at, at + (packet.duration or 0) * packet.time_base)
            if packet.is_keyframe and (best is None or at <= wanted):
                best = at
            decoded_at = at if packet.dts is None else packet.dts * packet.time_base
            decoded_at = decoded_at if decoded_at >= earliest else at
            if decoded_at > wanted and (best is not None or decoded_at > wanted + patience_s):
                return best, None
    return best, end


def packets_of(
    container: InputContainer, streams: Sequence[Stream], damage: Callable[[], None] | None = None
) -> Generator[Packet[Stream], None, None]:
    """Yield the packets from here to the end of what can be read, without the empty ones that flush decoders.

    Args:
        container: Where to read.
        streams: Which streams to yield.
        damage: Called when the end that was met is not a clean one.
    """
    try:
        for packet in container.demux(*streams):
            if packet.size > 0:
                yield packet
    except FFmpegError:
        if damage is not None:
            damage()
    except IndexError:
        # Some formats (FLV, MPEG) announce streams late. PyAV meets those at the end of the file, and stumbles; by then
        # every packet has been given out.
        return


def time_of(packet: Packet[Stream]) -> Fraction | None:
    """Return when the packet is shown, in seconds on the file's own clock."""
    time = packet.pts if packet.pts is not None else packet.dts
    return None if time is None else time * packet.time_base
