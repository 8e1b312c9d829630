"""Text that is told while it is written: which piece is next, and whether what was told is how the text begins."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any


class Deltas:
    """What has been told of a text, from the partial results of its job.

    Events of a job are bounded, so some may be missing; and an attempt that dies is made anew, so some come twice. What
    comes twice is told once, and after a gap nothing more is: the rest comes from the result.
    """

    def __init__(self) -> None:
        self._next = 0
        self._has_gap = False
        self._told = hashlib.sha256()
        self.told_bytes = 0

    def piece(self, partial: Mapping[str, Any]) -> str:
        """Return what a partial result adds to the text; nothing where it adds nothing."""
        segment = partial.get("segment")
        # It comes from a slot that has read a stranger's file.
        number = segment.get("id") if isinstance(segment, Mapping) else None
        text = segment.get("text") if isinstance(segment, Mapping) else None
        if number != self._next or not isinstance(text, str):
            self._has_gap |= not isinstance(number, int) or number >= self._next
            return ""
        if self._has_gap:
            return ""
        self._next += 1
        # As in the result, the first word's leading space goes.
        piece = text.lstrip() if number == 0 else text
        raw = piece.encode("utf-8", "replace")
        self._told.update(raw)
        self.told_bytes += len(raw)
        return piece

    @property
    def digest(self) -> bytes:
        """SHA-256 of what has been told, which is how the result must begin."""
        return self._told.digest()

    def __repr__(self) -> str:
        return f"Deltas({self._next} segments, {self.told_bytes} bytes{', a gap' if self._has_gap else ''})"
