"""Which part of a file was asked for.

Source: RFC 9110, section 14. Of several ranges at once none is served: the whole file is a right answer too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tightship.http.fault import RangeNotSatisfiable

_RANGE = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Span:
    """Bytes from `start` up to, but without, `end` of a file of `size_bytes`."""

    start: int
    end: int
    size_bytes: int

    @property
    def length_bytes(self) -> int:
        """How many bytes that is."""
        return self.end - self.start

    @property
    def content_range(self) -> str:
        """The span as the response's `Content-Range` tells it."""
        return f"bytes {self.start}-{self.end - 1}/{self.size_bytes}"


def span_of(header: str | None, size_bytes: int) -> Span | None:
    """Return the span that a `Range` header asks for; None means the whole file.

    Raises:
        RangeNotSatisfiable: The file ends before the span begins.
    """
    match = _RANGE.fullmatch(header or "")
    if match is None or match.groups() == ("", ""):
        return None
    if match[1]:
        start, end = int(match[1]), min(int(match[2]) + 1 if match[2] else size_bytes, size_bytes)
        if match[2] and int(match[2]) < start:
            return None
    else:
        start, end = max(0, size_bytes - int(match[2])), size_bytes
    if start >= size_bytes:
        raise RangeNotSatisfiable(f"the file has {size_bytes} bytes", size_bytes=size_bytes)
    return Span(start, end, size_bytes)
