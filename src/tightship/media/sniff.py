"""Tell from the first bytes what a file is, to say so when it is refused."""

from __future__ import annotations

import re

#: Bytes that `sniff` wants to see: enough for an MPEG transport stream's third packet.
HEAD_BYTES = 512

#: What the first bytes say of files that are containers of media, and so are damaged when they cannot be opened.
_CONTAINERS: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), name)
    for pattern, name in (
        (rb".{4}(ftyp|moov|mdat|wide|free|skip|moof|styp)", "MP4 or QuickTime"),
        (rb"\x1a\x45\xdf\xa3", "Matroska or WebM"),
        (rb"RIFF.{4}AVI ", "AVI"),
        (rb"RIFF.{4}WAVE", "WAV"),
        (rb"GIF8[79]a", "GIF"),
        (rb"FLV\x01", "FLV"),
        (rb"OggS", "Ogg"),
        (rb"fLaC", "FLAC"),
        (rb"ID3", "MP3"),
        (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "ASF or WMV"),
        (rb"\x00\x00\x01\xba", "MPEG program stream"),
        (rb"\x47.{187}\x47.{187}\x47", "MPEG transport stream"),
    )
)

_OTHERS: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), name)
    for pattern, name in (
        (rb"\s*#EXTM3U", "an HLS playlist"),
        (rb"\s*ffconcat", "a concat script"),
        (rb"v=0\r?\n", "an SDP session description"),
        (rb".{0,400}<MPD", "a DASH manifest"),
        (rb"\x89PNG", "a PNG image"),
        (rb"\xff\xd8\xff", "a JPEG image"),
        (rb"RIFF.{4}WEBP", "a WebP image"),
        (rb"BM.{4}\x00\x00\x00\x00", "a BMP image"),
        (rb"II\*\x00|MM\x00\*", "a TIFF image"),
        (rb"PK\x03\x04", "a ZIP archive"),
        (rb"\x1f\x8b", "a gzip archive"),
        (rb"%PDF", "a PDF document"),
        (rb"\s*<", "a markup document"),
        (rb"[\t\n\r\x20-\x7e]+$", "plain text"),
    )
)


def container_of(head: bytes) -> str | None:
    """Return the name of the media container that `head` begins, or None when it begins none we know."""
    return next((name for pattern, name in _CONTAINERS if pattern.match(head)), None)


def other_of(head: bytes) -> str:
    """Return what a file that is no media container seems to be, with its article."""
    return next((name for pattern, name in _OTHERS if pattern.match(head)), "of an unknown kind")


def gif_canvas_px(head: bytes) -> int:
    """Return the pixels of the canvas that a GIF declares; 0 when `head` is no GIF."""
    if not head.startswith(b"GIF8") or len(head) < 10:
        return 0
    return int.from_bytes(head[6:8], "little") * int.from_bytes(head[8:10], "little")


def declared_bytes(head: bytes) -> int | None:
    """Return the size that a Matroska file declares for itself, or None where it does not."""
    if not head.startswith(b"\x1a\x45\xdf\xa3"):
        return None
    size, at = _vint(head, 4)
    if size is None or head[at + size : at + size + 4] != b"\x18\x53\x80\x67":
        return None
    segment, start = _vint(head, at + size + 4)
    return None if segment is None else start + segment


def _vint(data: bytes, at: int) -> tuple[int | None, int]:
    """Read a variable-length number of EBML: its value (None for "unknown") and where the next byte is."""
    if at >= len(data) or data[at] == 0:
        return None, at
    length = 9 - data[at].bit_length()
    mask = (1 << 7 * length) - 1
    value = int.from_bytes(data[at : at + length], "big") & mask
    return (None if value == mask else value), at + length
