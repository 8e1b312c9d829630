"""The one place where "512 MiB" becomes bytes and "90 s" becomes seconds, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from tightship.errors import InvalidQuantity

_BYTE_UNITS = {"": Fraction(1), "b": Fraction(1)}
for _power, _letter in enumerate("kmgt", start=1):
    _BYTE_UNITS[f"{_letter}b"] = Fraction(1000**_power)
    _BYTE_UNITS[_letter] = _BYTE_UNITS[f"{_letter}ib"] = Fraction(1024**_power)
_SECOND_UNITS = {
    "ms": Fraction(1, 1000), "": Fraction(1), "s": Fraction(1), "min": Fraction(60), "m": Fraction(60),
    "h": Fraction(3600), "d": Fraction(86400),
}  # fmt: skip
_SIZE = ("a size", "512 MiB")
_DURATION = ("a duration", "90 s or 1:30")
#: At most 18 digits before the point: beyond an exabyte, or the age of the universe, it is a mistake.
_QUANTITY = re.compile(r"\s*([0-9]{1,18}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})\s*([a-zA-Z]*)\s*")
#: Hours, minutes, seconds; without hours, the minutes may be any number.
_TIMECODE = re.compile(r"\s*(?:([0-9]{1,9}):([0-5]?[0-9])|([0-9]{1,9})):([0-5]?[0-9](?:\.[0-9]{0,40})?)\s*")
#: Characters of a wrong value that are worth repeating.
_SHOWN_CHARS = 40


def _wrong(value: object, what: str, example: str) -> InvalidQuantity:
    try:
        shown = repr(value)
    except ValueError:  # CPython refuses to print integers of thousands of digits
        shown = "the number"
    if len(shown) > _SHOWN_CHARS:
        shown = f"{shown[:_SHOWN_CHARS]}..."
    return InvalidQuantity(f"{shown} is not {what}; write for instance {example}", value=shown)


def _scaled(text: str, units: Mapping[str, Fraction], what: str, example: str) -> Fraction:
    match = _QUANTITY.fullmatch(text)
    scale = units.get(match[2].lower()) if match else None
    if match is None or scale is None:
        raise _wrong(text, what, example)
    return Fraction(match[1].rstrip(".")) * scale


def _plain(number: float, what: str, example: str) -> float:
    # True and None come from configuration files, not from anybody who means a quantity.
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < 10**18:
        raise _wrong(number, what, example)
    return number


def parse_bytes(text: str | float) -> int:
    """Read a size such as `512 MiB`, `1.5GB` or `4096`.

    Args:
        text: A number with a unit: kB, MB, GB, TB are powers of 1000; K, M, G, T and KiB, MiB, GiB, TiB of 1024.

    Returns:
        The size in bytes, rounded down.

    Raises:
        InvalidQuantity: The text is not a size.
    """
    if isinstance(text, str):
        return int(_scaled(text, _BYTE_UNITS, *_SIZE))
    return int(_plain(text, *_SIZE))


def parse_seconds(text: str | float) -> float:
    """Read a duration such as `90 s`, `1.5 min`, `250 ms`, `1:30`, `01:02:03.5` or `90`.

    Returns:
        The duration in seconds.

    Raises:
        InvalidQuantity: The text is not a duration, or is negative or infinite.
    """
    if not isinstance(text, str):
        return float(_plain(text, *_DURATION))
    timecode = _TIMECODE.fullmatch(text)
    if timecode:
        return int(timecode[1] or 0) * 3600 + int(timecode[2] or timecode[3]) * 60 + float(timecode[4])
    return float(_scaled(text, _SECOND_UNITS, *_DURATION))


def format_bytes(count: float) -> str:
    """Write a size for people: `0 B`, `1.5 KiB`, `512 MiB`, `-3.0 MiB`."""
    sign, size, unit = "-" if count < 0 else "", abs(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        # What would be rounded to 1024 is told in the larger unit.
        if round(size) < 1024:
            break
        size, unit = size / 1024, larger
    # 99.96 has one digit more when it is written than when it is compared.
    digits = 0 if unit == "B" or round(size, 1) >= 100 else 1
    return f"{sign if round(size, digits) else ''}{size:.{digits}f} {unit}"


def format_seconds(duration_s: float) -> str:
    """Write a duration for people: `12 ms`, `3.4 s`, `2 min 05 s`, `1 h 02 min`."""
    if duration_s < 0:
        return f"-{format_seconds(-duration_s)}"
    if duration_s == 0:
        return "0 s"
    if round(duration_s * 1000) < 1000:
        return f"{duration_s * 1000:.0f} ms"
    if round(duration_s, 1) < 60:
        return f"{duration_s:.1f} s"
    whole = round(duration_s)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
