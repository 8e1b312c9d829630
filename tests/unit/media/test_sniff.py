"""Names for what the first bytes are."""

from __future__ import annotations

import pytest

from tests.media import bomb
from tightship.media.sniff import container_of, declared_bytes, gif_canvas_px, other_of


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x20ftypisom", "MP4 or QuickTime"),
        (b"\x1a\x45\xdf\xa3\x93", "Matroska or WebM"),
        (b"RIFF\0\0\0\0AVI LIST", "AVI"),
        (b"GIF89a", "GIF"),
        ((b"\x47" + bytes(187)) * 3, "MPEG transport stream"),
        (b"#EXTM3U", None),
    ],
)
def test_containers_are_known_by_their_signatures(head: bytes, name: str | None) -> None:
    """A file that begins like a container and cannot be opened is damaged, not foreign."""
    assert container_of(head) == name


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"#EXTM3U\n", "an HLS playlist"),
        (b'<?xml version="1.0"?><MPD>', "a DASH manifest"),
        (b"v=0\r\no=-", "an SDP session description"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"hello", "plain text"),
        (b"\x00\xfe\xff", "of an unknown kind"),
    ],
)
def test_other_files_are_named_in_the_refusal(head: bytes, name: str) -> None:
    """Users learn what they sent."""
    assert other_of(head) == name


def test_the_canvas_of_a_gif_is_read_without_a_decoder() -> None:
    """Four bytes tell a bomb."""
    assert gif_canvas_px(bomb.gif(16_000, 16_000)) == 256_000_000


def test_matroska_declares_its_size() -> None:
    """The segment's size and the bytes before it make the file's."""
    head = b"\x1a\x45\xdf\xa3\x82ab" + b"\x18\x53\x80\x67" + b"\x41\x00"
    assert declared_bytes(head) == len(head) + 256


def test_a_live_recording_declares_no_size() -> None:
    """All ones stand for "unknown"."""
    assert declared_bytes(b"\x1a\x45\xdf\xa3\x82ab" + b"\x18\x53\x80\x67" + b"\x01" + b"\xff" * 7) is None
