"""The one place where "512 MiB" becomes bytes and "90 s" becomes seconds, and back."""

from __future__ import annotations

import math
import re

from tightship.errors import InvalidQuantity

_BYTE_UNITS = {
    "": 1, "b": 1,
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_SECOND_UNITS = {"ms": 1e-3, "": 1.0, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-zA-Z]*)\s*")
_TIMECODE = re.compile(r"\s*(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d*)?)\s*")


def _scaled(text: str, units: dict[str, float] | dict[str, int], what: str, example: str) -> float:
    match = _QUANTITY.fullmatch(text)
    scale = units.get(match[2].lower()) if match else None
    if match is None or scale is None:
        raise InvalidQuantity(f"{text!r} is not {what}; write for instance {example}", value=text)
    return float(match[1]) * scale


def parse_bytes(text: str | int) -> int:
    """Read a size such as `512 MiB`, `1.5GB` or `4096`.

    Args:
        text: A number with a unit: kB, MB, GB, TB are powers of 1000; K, M, G, T and KiB, MiB, GiB, TiB of 1024.

    Returns:
        The size in bytes, rounded down.

    Raises:
        InvalidQuantity: The text is not a size.
    """
    if isinstance(text, int):
        text = str(text)
    return int(_scaled(text, _BYTE_UNITS, "a size", "512 MiB"))


def parse_seconds(text: str | float) -> float:
    """Read a duration such as `90 s`, `1.5 min`, `250 ms`, `1:30`, `01:02:03.5` or `90`.

    Returns:
        The duration in seconds.

    Raises:
        InvalidQuantity: The text is not a duration, or is negative or infinite.
    """
    if isinstance(text, int | float):
        if not math.isfinite(text) or text < 0:
            raise InvalidQuantity(f"{text!r} is not a duration; it must be finite and not negative", value=text)
        return float(text)
    timecode = _TIMECODE.fullmatch(text)
    if timecode:
        return int(timecode[1] or 0) * 3600 + int(timecode[2]) * 60 + float(timecode[3])
    return _scaled(text, _SECOND_UNITS, "a duration", "90 s or 1:30")


def format_bytes(count: float) -> str:
    """Write a size for people: `0 B`, `1.5 KiB`, `512 MiB`, `-3.0 MiB`."""
    size, unit = abs(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    digits = 0 if unit == "B" or size >= 100 else 1
    return f"{'-' if count < 0 else ''}{size:.{digits}f} {unit}"


def format_seconds(duration_s: float) -> str:
    """Write a duration for people: `12 ms`, `3.4 s`, `2 min 05 s`, `1 h 02 min`."""
    if duration_s < 1:
        return f"{duration_s * 1000:.0f} ms"
    if duration_s < 60:
        return f"{duration_s:.1f} s"
    whole = round(duration_s)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
