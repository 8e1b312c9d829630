"""Results in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tightship.cli.output import printable
from tightship.units import format_bytes, format_seconds

#: Tags of a file that are shown; the rest is for programs (`--json`).
_MAX_TAGS = 12


def file_in_words(result: Mapping[str, Any]) -> str:
    """Return one line on a file that was made: where it is and what it is."""
    facts = (
        _size_px(result),
        f"{result['frames']} frames" if result.get("frames") else None,
        f"{result['fps']:g} fps" if result.get("fps") else None,
        _duration(result),
        _cut(result),
        format_bytes(result["size_bytes"]),
    )
    return f"{printable(str(result['output']))}: {', '.join(fact for fact in facts if fact)}"


def media_in_words(result: Mapping[str, Any]) -> str:
    """Return a table of what a media file holds."""
    bit_rate = result.get("bit_rate")
    rows = [
        ("container", str(result["container"])),
        ("duration", _duration(result) or "not known"),
        ("size", format_bytes(result["size_bytes"])),
        *([("bit rate", f"{bit_rate / 1000:.0f} kbit/s")] if bit_rate else []),
        *((f"#{stream['index']} {stream['type']}", _stream(stream)) for stream in result["streams"]),
        *((f"tag {name}", str(value)) for name, value in list(result["tags"].items())[:_MAX_TAGS]),
    ]
    return table(rows)


def table(rows: Iterable[tuple[str, str]]) -> str:
    """Return two columns, safe to show on a terminal."""
    clean = [(printable(name), printable(value)) for name, value in rows]
    width = max((len(name) for name, _ in clean), default=0)
    return "\n".join(f"{name:<{width}}  {value}".rstrip() for name, value in clean)


def _stream(stream: Mapping[str, Any]) -> str:
    profile, rotation, rate = stream.get("profile"), stream.get("rotation"), stream.get("sample_rate")
    channels = stream.get("channels")
    facts = (
        f"{stream['codec']} ({profile})" if profile else stream["codec"],
        _size_px(stream),
        f"{stream['fps']:.5g} fps" if stream.get("fps") else None,
        "variable frame rate" if stream.get("variable_frame_rate") else None,
        f"turned by {rotation:g}°" if rotation else None,
        stream.get("pixel_format"),
        f"{rate} Hz" if rate else None,
        ("1 channel" if channels == 1 else f"{channels} channels") if channels else None,
        stream.get("language"),
        "cover art" if stream.get("attached_pic") else None,
    )
    return ", ".join(str(fact) for fact in facts if fact)


def _cut(result: Mapping[str, Any]) -> str | None:
    """Say where a clip was cut: without `--exact` it begins earlier than asked for."""
    if "mode" not in result:
        return None
    how = {"copy": "copied without loss", "exact": "encoded again"}.get(result["mode"], result["mode"])
    return f"from {format_seconds(result['start_s'])} to {format_seconds(result['end_s'])} of the input, {how}"


def _size_px(facts: Mapping[str, Any]) -> str | None:
    return f"{facts['width']} x {facts['height']} px" if facts.get("width") and facts.get("height") else None


def _duration(facts: Mapping[str, Any]) -> str | None:
    return None if facts.get("duration_s") is None else format_seconds(facts["duration_s"])
