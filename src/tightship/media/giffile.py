"""Write a GIF file out of images that FFmpeg's encoder compressed, each with a palette of its own.

FFmpeg's own muxer knows one palette to which unchanged pixels can refer; here every window of frames has one. It also
leaves the sum of the delays to chance.

Source: GIF89a specification, CompuServe 1990.
"""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import BinaryIO

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

#: Hundredths of a second. Browsers show anything shorter than two as ten.
MIN_DELAY_CS = 2
_MAX_DELAY_CS = 65_535
_HEADER_BYTES, _DESCRIPTOR_BYTES = 13, 10
_EXTENSION, _GRAPHIC_CONTROL, _IMAGE, _TRAILER = 0x21, 0xF9, 0x2C, 0x3B
_HAS_TABLE = 0x80
_DISPOSE_TO_BACKGROUND = 2


class GifFile:
    """A GIF being written, image by image.

    Args:
        file: Opened for writing bytes; it stays the caller's.
        plays: How often the animation is shown; 0 for ever.
        transparent: The frames have transparent pixels, so each is cleared before the next and stored whole.
    """

    def __init__(self, file: BinaryIO, plays: int, transparent: bool = False) -> None:
        self.images = 0
        self.duration_cs = 0
        self._file, self._plays, self._transparent = file, plays, transparent
        self._due_s = 0.0
        self._palette = self._shared_palette = b""
        self._encoder: VideoCodecContext | None = None

    def new_palette(self, width: int, height: int) -> None:
        """Begin a window: the next frames share a palette, and store only what changes from one to the next."""
        encoder = av.CodecContext.create("gif", "w")
        if not isinstance(encoder, VideoCodecContext):
            raise AssertionError("gif is not an encoder of pictures")
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "pal8"
        encoder.time_base = Fraction(1, 100)
        if self._transparent:
            encoder.options = {"gifflags": "0"}
        self._encoder = encoder

    def add(self, frame: VideoFrame, duration_s: float) -> None:
        """Append a frame of palette indices."""
        if self._encoder is None:
            raise AssertionError("new_palette comes before add")
        frame.pts, frame.time_base = self.images, Fraction(1, 100)
        for packet in self._encoder.encode(frame):
            self._write(bytes(packet), self._delay_cs(duration_s))

    def finish(self) -> None:
        """Write the end of the file."""
        self._file.write(bytes([_TRAILER]))

    def _delay_cs(self, duration_s: float) -> int:
        """Return the delay that brings the end of this image nearest to where it belongs."""
        self._due_s += duration_s
        delay_cs = min(max(round(self._due_s * 100) - self.duration_cs, MIN_DELAY_CS), _MAX_DELAY_CS)
        self.duration_cs += delay_cs
        return delay_cs

    def _write(self, data: bytes, delay_cs: int) -> None:
        at = 0
        if data[:3] == b"GIF":
            at = _HEADER_BYTES + 3 * _table_entries(data[10])
            self._palette = data[_HEADER_BYTES:at]
            if self.images == 0:
                self._shared_palette = self._palette
                self._file.write(data[:at] + _loop_extension(self._plays))
        image = _end_of_extensions(data, at)
        self._file.write(_graphic_control(data[at:image], delay_cs, self._transparent))
        self._file.write(self._descriptor(data[image : image + _DESCRIPTOR_BYTES]))
        self._file.write(data[image + _DESCRIPTOR_BYTES :])
        self.images += 1

    def _descriptor(self, descriptor: bytes) -> bytes:
        """Return the image descriptor, with the window's palette where it is not the file's."""
        if descriptor[9] & _HAS_TABLE or self._palette == self._shared_palette:
            return descriptor
        size_bits = (len(self._palette) // 3).bit_length() - 2
        return descriptor[:9] + bytes([descriptor[9] | _HAS_TABLE | size_bits]) + self._palette


def _table_entries(flags: int) -> int:
    return 2 << (flags & 7) if flags & _HAS_TABLE else 0


def _end_of_extensions(data: bytes, at: int) -> int:
    while data[at] == _EXTENSION:
        at += 2
        while data[at]:
            at += data[at] + 1
        at += 1
    return at


def _graphic_control(extensions: bytes, delay_cs: int, transparent: bool) -> bytes:
    """Return the encoder's graphic control extension with our delay; where it wrote none, a plain one."""
    at = extensions.find(bytes([_EXTENSION, _GRAPHIC_CONTROL, 4]))
    flags, index = (extensions[at + 3], extensions[at + 6]) if at >= 0 else (1 << 2, 0)
    if transparent:
        flags = flags & 0b11100011 | _DISPOSE_TO_BACKGROUND << 2
    return struct.pack("<BBBBHBB", _EXTENSION, _GRAPHIC_CONTROL, 4, flags, delay_cs, index, 0)


def _loop_extension(plays: int) -> bytes:
    """Return the extension that browsers read the number of repetitions from; shown once needs none."""
    if plays == 1:
        return b""
    repetitions = 0 if plays == 0 else min(plays - 1, 65_535)
    return b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", repetitions) + b"\x00"
