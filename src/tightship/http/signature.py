"""What may come in at the door, by its first bytes; whether it is what it seems is found out in a slot."""

from __future__ import annotations

import re

from tightship.errors import UnsupportedMedia
from tightship.media import sniff

#: Bytes that `check_signature` wants to see, or all there are.
HEAD_BYTES = sniff.HEAD_BYTES

#: Formats that are opened but carry no mark of their own that could be relied on to say what is damaged.
_WEAK = re.compile(
    rb"\xff[\xe0-\xff]"  # frames of MP3 and AAC
    rb"|\x00\x00\x01[\xb3\xba\xbb\xe0-\xef]"  # MPEG video and program streams
    rb"|.{4}\x47.{191}\x47"  # transport streams with time stamps, of cameras and discs
    rb"|#!AMR|FORM.{4}AIF[FC]|caff|riff\x2e\x91\xcf\x11|RF64.{4}WAVE",
    re.DOTALL,
)


def check_signature(head: bytes) -> None:
    """Raise `UnsupportedMedia` when a file does not begin like media."""
    if not head:
        raise UnsupportedMedia("the file is empty")
    if sniff.container_of(head) is None and not _WEAK.match(head):
        raise UnsupportedMedia(f"the file is not media that is opened; it is {sniff.other_of(head)}")
