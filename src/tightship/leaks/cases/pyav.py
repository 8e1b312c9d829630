"""Containers of PyAV.

Suspected: containers that nobody closes. True: a container that is dropped is freed, but only by the garbage collector,
so the peak grows with what lies about until it comes. A real leak is elsewhere: leaving the loop over the packets
before their end loses some 150 bytes of native memory each time, closed or not.
Cure: `with`; and read the packets to their end, which costs little if they are not decoded.
"""

from __future__ import annotations

from tightship.leaks.cases.video import video

#: Packages that must be installed, by what is imported.
NEEDS = {"av": "av"}


def container_dropped() -> None:
    """A container is opened, read to the end and never closed."""
    import av

    container = av.open(video())
    for _ in container.decode(video=0):
        pass


def container_dropped_cured() -> None:
    """It is closed by `with`."""
    import av

    with av.open(video()) as container:
        for _ in container.decode(video=0):
            pass


def closed_after_break() -> None:
    """The first frame is decoded, the loop left with `break`, the container closed."""
    import av

    with av.open(video()) as container:
        for _ in container.decode(video=0):
            break


def closed_after_break_cured() -> None:
    """The packets after it are read to their end, without decoding them."""
    import av

    with av.open(video()) as container:
        packets = container.demux(container.streams.video[0])
        for packet in packets:
            if packet.decode():
                break
        for _ in packets:
            pass
