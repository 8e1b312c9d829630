"""Carry packets of one stream over to another file, shifted in time, without decoding them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream

from tightship.media.seek import time_of

#: Pictures behind the end of a cut that are kept in case one before the end refers to them; codecs reorder 16 at most.
_MAX_REORDER = 32
#: Seconds that such pictures may add to a piece: 16 frames of a slow camera. Only broken timestamps reach further.
_MAX_OVERHANG_S = 2
#: Seconds by which a picture may be decoded before it is shown: 16 frames of a camera that takes one every four
#: seconds. Damaged tables claim days, which MP4 cannot even express.
_MAX_LEAD_S = 60


@dataclass(frozen=True)
class Opening:
    """Times of the first packet that was written, in ticks."""

    pts: int
    dts: int


def lengthen_last(packet: Packet[Stream], opening: Opening, until: Fraction) -> None:
    """Make the last packet of a track last as long as its pictures do.

    MP4 measures a track in decoding times, which end earlier than the pictures where B-frames last unevenly long.

    Args:
        packet: The last one.
        opening: When the track begins.
        until: When its last picture ends, in seconds.
    """
    if packet.dts is None or packet.stream.container.format.name not in ("mp4", "mov"):
        return
    shown = round(until / packet.time_base) - opening.pts
    packet.duration = max(packet.duration or 0, shown - (packet.dts - opening.dts))


class StreamCopy:
    """Take packets in the order they are read; give back those that belong to the cut, ready to be written.

    Args:
        source: Stream of the input.
        target: Stream of the output.
        begin, end: The cut in seconds on the input's clock; `begin` becomes zero.
    """

    def __init__(self, source: Stream, target: Stream, begin: Fraction, end: Fraction) -> None:
        self.source = source
        self.target = target
        self.done = False
        self.packets = 0
        self.duration = Fraction(0)
        self._begin = begin
        self._end = end
        self._latest_end = end + _MAX_OVERHANG_S
        self._held: list[Packet[Stream]] = []
        self._undated: list[Packet[Stream]] = []
        self._latest: Packet[Stream] | None = None
        self._opening = Opening(0, 0)
        self._last_dts: int | None = None
        self._step = _least_step(source)

    def feed(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        """Return the packets to write now; usually the one given, or none."""
        at = time_of(packet)
        if at is None or self.done:
            return []
        if packet.dts is not None and at - packet.dts * packet.time_base > _MAX_LEAD_S:
            packet.dts = None
        if self.source.type == "video":
            chosen = self._feed_video(packet, at)
        elif self.source.type == "subtitle":
            chosen = self._feed_subtitle(packet, at)
        else:
            # Half a packet more or less: sound is stored in pieces of 20 to 90 ms.
            middle = at + (packet.duration or 0) * packet.time_base / 2
            self.done = middle >= self._end
            chosen = [packet] if self._begin <= at and middle < self._end else []
        ready: list[Packet[Stream]] = []
        for each in self._dated(chosen):
            ready += [] if self._latest is None else [self._latest]
            self._latest = self._moved(each)
        return ready

    def finish(self) -> list[Packet[Stream]]:
        """Return the rest, after the last packet was fed."""
        self.done = True
        late = [self._moved(each) for each in self._release()]
        ready = [*([] if self._latest is None else [self._latest]), *late]
        last = ready.pop() if ready else None
        if last is None:
            return ready
        if self.source.type == "video":
            lengthen_last(last, self._opening, self.duration)
        return [*ready, last]

    def _feed_video(self, packet: Packet[Stream], at: Fraction) -> list[Packet[Stream]]:
        begun = self.packets > 0 or bool(self._held) or bool(self._undated)
        if at < self._begin or (not begun and not packet.is_keyframe):
            # Pictures that lead into the first key frame refer to ones before it, which are not there.
            return []
        decoded_at = at if packet.dts is None else packet.dts * packet.time_base
        if decoded_at >= self._end or len(self._held) >= _MAX_REORDER:
            self.done = True
            return []
        if at >= self._end:
            self._held.append(packet)
            return []
        for later in self._held:
            # It is in the piece now, so all that is shown before it has to be: no picture may be missing between.
            ends = (time_of(later) or at) + (later.duration or 1) * later.time_base
            self._end = min(max(self._end, ends), self._latest_end)
        # A picture of hours' length must not make the piece last for hours.
        packet.duration = min(packet.duration or 0, max(1, round((self._end - at) / packet.time_base)))
        chosen, self._held = [*self._held, packet], []
        return chosen

    def _feed_subtitle(self, packet: Packet[Stream], at: Fraction) -> list[Packet[Stream]]:
        ends = at + (packet.duration or 0) * packet.time_base
        if at >= self._end or ends <= self._begin or packet.pts is None:
            return []
        shown, gone = max(at, self._begin), min(ends, self._end)
        packet.pts = packet.dts = round(shown / packet.time_base)
        packet.duration = round((gone - shown) / packet.time_base)
        return [packet]

    def _dated(self, packets: list[Packet[Stream]]) -> list[Packet[Stream]]:
        """Hold packets back until one has a decoding time, and count backwards from it.

        Matroska stores no decoding times: after a seek FFmpeg knows them only from the third or so packet on.
        """
        if self._last_dts is not None or not packets:
            return packets
        self._undated += packets
        known = next((each.dts for each in self._undated if each.dts is not None), None)
        return [] if known is None and len(self._undated) < _MAX_REORDER else self._release()

    def _release(self) -> list[Packet[Stream]]:
        ready, self._undated = self._undated, []
        known = next((at for at, each in enumerate(ready) if each.dts is not None), None)
        if known is None:
            return ready
        for at in range(known - 1, -1, -1):
            ready[at].dts = (ready[at + 1].dts or 0) - (ready[at].duration or 1)
        return ready

    def _moved(self, packet: Packet[Stream]) -> Packet[Stream]:
        shift = round(self._begin / packet.time_base)
        dts = self._next_dts(packet, shift)
        packet.pts = max(dts, packet.pts - shift if packet.pts is not None else dts)
        self._opening = Opening(packet.pts, dts) if self._last_dts is None else self._opening
        self._last_dts = dts
        packet.dts = dts
        self.packets += 1
        self.duration = max(self.duration, (packet.pts + (packet.duration or 0)) * packet.time_base)
        packet.stream = self.target
        return packet

    def _next_dts(self, packet: Packet[Stream], shift: int) -> int:
        """Return the decoding time to write: the packet's own, but always later than the one before."""
        own = packet.dts if packet.dts is not None or self._last_dts is not None else packet.pts
        if own is None:
            return (self._last_dts or 0) + self._step
        return own - shift if self._last_dts is None else max(own - shift, self._last_dts + self._step)


def _least_step(source: Stream) -> int:
    """Return the ticks of the source by which decoding times must differ to do so in the result: MP4 counts sound in
    samples.
    """
    rate = source.codec_context.sample_rate if isinstance(source, AudioStream) else 0
    return max(1, math.ceil(1 / (rate * source.time_base))) if rate > 0 and source.time_base else 1
