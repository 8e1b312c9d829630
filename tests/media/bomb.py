"""Small pictures and streams that declare enormous ones."""

from __future__ import annotations

import io
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def png(width: int, height: int) -> bytes:
    """Return a black grey-scale PNG; a thousandth of its pixels in bytes."""
    packer = zlib.compressobj(9)
    row = bytes(1 + width)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def gif(width: int, height: int, frames: int = 20) -> bytes:
    """Return a GIF of one-pixel frames on a huge canvas."""
    one_pixel = b"\x21\xf9\x04\x00\x0a\x00\x00\x00" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0)
    frame = one_pixel + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + frame * frames + b"\x3b"


def jpeg(width: int, height: int) -> bytes:
    """Return a JPEG of 64x64 pixels that declares others."""
    target = io.BytesIO()
    with av.open(target, "w", format="mjpeg") as output:
        stream = output.add_stream("mjpeg", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuvj420p"
        frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 90, np.uint8), format="rgb24")
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    data = target.getvalue()
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def h264(width: int, height: int) -> bytes:
    """Return an H.264 access unit whose parameter set declares a picture of that size, multiples of 16."""
    bits = f"{66:08b}{0:08b}{51:08b}" + "".join(map(_golomb, (0, 0, 2, 1))) + "0"
    bits += _golomb(width // 16 - 1) + _golomb(height // 16 - 1) + "1" + "1" + "0" + "0"
    parameters = b"\x67" + _packed(bits)
    picture = b"\x68" + _packed(_golomb(0) * 2 + "00" + _golomb(0) * 3 + "000" + _golomb(0) * 3 + "000")
    return b"".join(
        b"\x00\x00\x00\x01" + unit for unit in (parameters, picture, b"\x65\x88\x84" + bytes(range(1, 200)))
    )


def write_packets(path: Path, codec: str, packets: list[bytes], width: int, height: int) -> Path:
    """Mux ready-made packets of video, 25 a second."""
    with av.open(str(path), "w") as output:
        stream = output.add_mux_stream(codec, rate=25, width=width, height=height)
        for index, data in enumerate(packets):
            packet = av.Packet(data)
            packet.stream, packet.is_keyframe = stream, True
            packet.time_base = Fraction(1, 25)
            packet.pts = packet.dts = index
            packet.duration = 1
            output.mux(packet)
    return path


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _golomb(value: int) -> str:
    digits = f"{value + 1:b}"
    return "0" * (len(digits) - 1) + digits


def _packed(bits: str) -> bytes:
    bits += "1"
    bits += "0" * (-len(bits) % 8)
    raw = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    return raw.replace(b"\x00\x00\x00", b"\x00\x00\x03\x00").replace(b"\x00\x00\x01", b"\x00\x00\x03\x01")
