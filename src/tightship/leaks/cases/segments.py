"""Segments of transcripts that a service keeps.

Suspected: the speech model. True: the list of segments "for the summary at the end", in an object that lives as long as
the service does.
Cure: hand each segment on, to the client or to a file, and keep nothing; what must be kept belongs to the job and goes
with it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

#: Packages that must be installed, by what is imported.
NEEDS: dict[str, str] = {}
#: Segments of one transcript.
SEGMENTS = 20


@dataclass(frozen=True)
class Segment:
    """A piece of a transcript, as speech models give it."""

    start_s: float
    end_s: float
    text: str
    tokens: tuple[int, ...]


class _Service:
    def __init__(self) -> None:
        self.segments: list[Segment] = []


_service = _Service()


def kept() -> None:
    """The segments of each transcript are added to a list of the service."""
    for segment in _transcript():
        _service.segments.append(segment)


def kept_cured() -> None:
    """Each segment is written out and dropped."""
    with io.StringIO() as output:
        for segment in _transcript():
            output.write(f"{segment.start_s:.2f} {segment.text}\n")


def _transcript() -> Iterator[Segment]:
    for number in range(SEGMENTS):
        yield Segment(2.0 * number, 2.0 * number + 2, f"sentence {number} " * 5, tuple(range(1000, 1050)))
