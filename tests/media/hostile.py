"""Broken and malicious files, each made by a function of its own name.

`HOSTILE` maps a file's name to what is expected of `probe`: the codes of the errors that are right, or `None` among
them where a result is right as well.
"""

from __future__ import annotations

import gzip
import io
import random
import zipfile
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av

from tests.media import bomb
from tests.media.atoms import atom, atoms, patched, payload
from tests.media.synthetic import Video, write_audio, write_video

#: Small and with sound; a key frame each second.
HEALTHY = Video(audio="aac")
REFUSED = frozenset({"unsupported_media"})
DAMAGED = frozenset({"corrupt_media"})
TOO_LARGE = frozenset({"frame_too_large"})
FINE: frozenset[str | None] = frozenset({None})

Maker = Callable[[Path, bytes], object]
_MAKERS: dict[str, tuple[Maker, frozenset[str | None]]] = {}


def _file(name: str, expected: frozenset[str | None] | frozenset[str]) -> Callable[[Maker], Maker]:
    def register(maker: Maker) -> Maker:
        _MAKERS[name] = (maker, frozenset(expected))
        return maker

    return register


def hostile_names() -> list[str]:
    """Return the names of every file that `write_hostile` makes."""
    return sorted(_MAKERS)


def expected_of(name: str) -> frozenset[str | None]:
    """Return the error codes that are right for a file; None among them stands for a result."""
    return _MAKERS[name][1]


def write_hostile(name: str, folder: Path) -> Path:
    """Make one file, unless it is there already."""
    path, healthy = folder / name, folder / "healthy.mp4"
    if not healthy.exists():
        write_video(healthy, HEALTHY)
    if not path.exists():
        _MAKERS[name][0](path, healthy.read_bytes())
    return path


def _bytes(name: str, expected: frozenset[str], make: Callable[[], bytes]) -> None:
    _file(name, expected)(lambda path, _healthy: path.write_bytes(make()))


# --- not media at all --------------------------------------------------------------------------------------------

_bytes("empty.mp4", REFUSED, lambda: b"")
_bytes("random.mp4", REFUSED | DAMAGED, lambda: random.Random(1).randbytes(2**20))
_bytes("text.mp4", REFUSED, lambda: b"once upon a time\n" * 200)
_bytes("page.mp4", REFUSED, lambda: b"<!doctype html><title>hello</title>" * 20)
_bytes("hls.mp4", REFUSED, lambda: b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhealthy.mp4\n#EXT-X-ENDLIST\n")
_bytes("hls_remote.m3u8", REFUSED, lambda: b"#EXTM3U\n#EXTINF:5,\nhttp://169.254.1.1/secret.ts\n#EXT-X-ENDLIST\n")
_bytes("concat.mp4", REFUSED, lambda: b"ffconcat version 1.0\nfile healthy.mp4\n")
_bytes(
    "session.mp4",
    REFUSED,
    lambda: b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nc=IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n",
)
_bytes(
    "manifest.mp4",
    REFUSED,
    lambda: (
        b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet>'
        b'<Representation id="1" mimeType="video/mp4"><BaseURL>healthy.mp4</BaseURL></Representation></AdaptationSet>'
        b"</Period></MPD>"
    ),
)
_bytes("image.png", REFUSED, lambda: bomb.png(64, 64))
_bytes("image_png.mp4", REFUSED, lambda: bomb.png(640, 360))
_bytes("image_jpeg.mp4", REFUSED, lambda: bomb.jpeg(64, 64))
_bytes("archive.mp4", REFUSED, lambda: gzip.compress(bytes(100_000)))


@_file("zip.mp4", REFUSED)
def _zip(path: Path, healthy: bytes) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("healthy.mp4", healthy)
    path.write_bytes(target.getvalue())


# --- cut off and damaged -----------------------------------------------------------------------------------------


@_file("cut_in_moov.mp4", DAMAGED)
def _cut_in_moov(path: Path, healthy: bytes) -> None:
    path.write_bytes(healthy[: payload(healthy, b"stts")])


@_file("cut_in_mdat.mp4", FINE)
def _cut_in_mdat(path: Path, healthy: bytes) -> None:
    at = payload(healthy, b"mdat")
    path.write_bytes(healthy[: at + (len(healthy) - at) // 3])


@_file("no_moov.mp4", DAMAGED)
def _no_moov(path: Path, _healthy: bytes) -> None:
    write_video(path, replace(HEALTHY, muxer_flags="+write_colr"))
    data = path.read_bytes()
    path.write_bytes(data[: payload(data, b"moov") - 8])


@_file("bit_flips.mp4", FINE)
def _bit_flips(path: Path, healthy: bytes) -> None:
    chance, data = random.Random(2), bytearray(healthy)
    for at in range(payload(healthy, b"mdat"), len(data)):
        if chance.random() < 0.01:
            data[at] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


@_file("garbage_tail.mp4", FINE)
def _garbage_tail(path: Path, healthy: bytes) -> None:
    path.write_bytes(healthy + random.Random(3).randbytes(300_000))


@_file("cut.mkv", FINE)
def _cut_mkv(path: Path, _healthy: bytes) -> None:
    data = write_video(path, HEALTHY).read_bytes()
    path.write_bytes(data[: len(data) // 2])


@_file("deep_atoms.mp4", DAMAGED | REFUSED)
def _deep_atoms(path: Path, healthy: bytes) -> None:
    body = b""
    for _ in range(20_000):
        body = atom(b"moov", body)
    path.write_bytes(atom(b"ftyp", b"isom\0\0\2\0isomavc1") + body)


# --- headers that lie --------------------------------------------------------------------------------------------


@_file("long_header.mp4", FINE)
def _long_header(path: Path, healthy: bytes) -> None:
    data = patched(healthy, b"mvhd", 16, 0xFFFFFFF0)
    for track in range(2):
        data = patched(data, b"tkhd", 20, 0xFFFFFFF0, nth=track)
        data = patched(data, b"mdhd", 16, 0xFFFFFFF0, nth=track)
    path.write_bytes(data)


@_file("hours_between_frames.mp4", FINE)
def _hours_between_frames(path: Path, healthy: bytes) -> None:
    path.write_bytes(patched(healthy, b"stts", 12, 2**28))


@_file("shown_days_late.mp4", FINE)
def _shown_days_late(path: Path, healthy: bytes) -> None:
    """The first picture of all is shown two days after it is decoded."""
    path.write_bytes(patched(healthy, b"ctts", 12, 0x7FFF_FC03))


@_file("no_time_passes.mp4", FINE)
def _no_time_passes(path: Path, healthy: bytes) -> None:
    path.write_bytes(patched(healthy, b"stts", 12, 0))


@_file("zero_timescale.mp4", FINE | DAMAGED)
def _zero_timescale(path: Path, healthy: bytes) -> None:
    path.write_bytes(patched(patched(healthy, b"mdhd", 12, 0), b"mvhd", 12, 0))


@_file("ten_thousand_fps.mp4", FINE)
def _ten_thousand_fps(path: Path, healthy: bytes) -> None:
    scale = int.from_bytes(healthy[payload(healthy, b"mdhd") + 12 :][:4], "big")
    path.write_bytes(patched(healthy, b"mdhd", 12, scale * 400))


@_file("million_samples.mp4", FINE | DAMAGED)
def _million_samples(path: Path, healthy: bytes) -> None:
    count = 0x0FFF_FFFF
    data = patched(patched(healthy, b"stsz", 4, 1), b"stsz", 8, count)
    data = patched(patched(data, b"stts", 8, count), b"stsc", 12, count)
    path.write_bytes(data)


@_file("huge_canvas.gif", TOO_LARGE)
def _huge_canvas(path: Path, healthy: bytes) -> None:
    path.write_bytes(bomb.gif(16_000, 16_000))


@_file("png_bomb.mov", FINE | TOO_LARGE)
def _png_bomb(path: Path, healthy: bytes) -> None:
    bomb.write_packets(path, "png", [bomb.png(20_000, 20_000)], 64, 64)


@_file("jpeg_bomb.avi", FINE | TOO_LARGE | DAMAGED)
def _jpeg_bomb(path: Path, healthy: bytes) -> None:
    bomb.write_packets(path, "mjpeg", [bomb.jpeg(20_000, 20_000)] * 10, 64, 64)


@_file("h264_bomb.ts", FINE | TOO_LARGE | DAMAGED)
def _h264_bomb(path: Path, healthy: bytes) -> None:
    bomb.write_packets(path, "h264", [bomb.h264(20_000, 20_000)] * 10, 20_000, 20_000)


@_file("declared_size.mp4", FINE | TOO_LARGE)
def _declared_size(path: Path, healthy: bytes) -> None:
    at = healthy.index(b"avc1", payload(healthy, b"stsd")) + 4 + 24
    path.write_bytes(healthy[:at] + b"\x4e\x20\x4e\x20" + healthy[at + 4 :])


# --- odd, but right ----------------------------------------------------------------------------------------------


@_file("one_frame.mp4", FINE)
def _one_frame(path: Path, healthy: bytes) -> None:
    write_video(path, Video(seconds=0.04))


@_file("variable_rate.mp4", FINE)
def _variable_rate(path: Path, healthy: bytes) -> None:
    chance, at, times = random.Random(4), 0, []
    for _ in range(60):
        times.append(at)
        at += chance.choice((20, 40, 40, 200))
    write_video(path, Video(times=times, bframes=0))


@_file("turned.mp4", FINE)
def _turned(path: Path, healthy: bytes) -> None:
    write_video(path, replace(HEALTHY, rotation_deg=90))


@_file("sound_only.mp4", FINE)
def _sound_only(path: Path, healthy: bytes) -> None:
    write_audio(path, "aac")


@_file("text_only.mkv", FINE)
def _text_only(path: Path, healthy: bytes) -> None:
    with av.open(str(path), "w") as output:
        stream = output.add_mux_stream("subrip")
        for index in range(3):
            packet = av.Packet(f"line {index}".encode())
            packet.stream, packet.time_base = stream, Fraction(1, 1000)
            packet.pts = packet.dts = 1000 * index
            packet.duration = 500
            output.mux(packet)


@_file("ffv1.mkv", FINE)
def _ffv1(path: Path, healthy: bytes) -> None:
    write_video(path, Video(codec="ffv1", bframes=0, seconds=1))


@_file("attachment.mkv", FINE)
def _attachment(path: Path, healthy: bytes) -> None:
    with av.open(io.BytesIO(healthy)) as source, av.open(str(path), "w") as output:
        target = output.add_stream_from_template(source.streams.video[0], opaque=True)
        output.add_attachment("font.ttf", "font/ttf", bytes(1_000_000))
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = target
                output.mux(packet)


@_file("cover.mp3", FINE)
def _cover(path: Path, healthy: bytes) -> None:
    with av.open(str(path), "w") as output:
        sound = output.add_stream("libmp3lame", rate=48_000)
        picture = output.add_mux_stream("mjpeg", width=64, height=64)
        picture.disposition = av.stream.Disposition.attached_pic
        packet = av.Packet(bomb.jpeg(64, 64))
        packet.stream, packet.is_keyframe, packet.time_base = picture, True, Fraction(1, 90_000)
        packet.pts = packet.dts = 0
        silent = av.AudioFrame(format="s16p", layout="stereo", samples=48_000)
        silent.sample_rate = 48_000
        for plane in silent.planes:
            plane.update(bytes(plane.buffer_size))
        sounds = [*sound.encode(silent), *sound.encode(None)]
        output.mux([packet, *sounds])


@_file("new_size.ts", FINE)
def _new_size(path: Path, healthy: bytes) -> None:
    one = write_video(path.with_name("one.ts"), Video(seconds=2)).read_bytes()
    other = write_video(path.with_name("other.ts"), Video(seconds=2, width=640, height=360, offset_s=2)).read_bytes()
    path.write_bytes(one + other)


@_file("late_sound.flv", FINE)
def _late_sound(path: Path, healthy: bytes) -> None:
    """Sound that the header does not announce, behind more video than is looked at."""
    silent = write_video(path.with_name("silent.flv"), replace(HEALTHY, audio=None, seconds=8)).read_bytes()
    other = write_video(path.with_name("other.flv"), replace(HEALTHY, audio="libmp3lame")).read_bytes()
    path.write_bytes(silent + other[13:])


@_file("before_zero.mp4", FINE)
def _before_zero(path: Path, healthy: bytes) -> None:
    write_video(path, replace(HEALTHY, offset_s=-1.0))


@_file("many_streams.mov", frozenset({"too_many_streams"}) | DAMAGED)
def _many_streams(path: Path, healthy: bytes) -> None:
    start = payload(healthy, b"moov")
    track = next(healthy[at - 8 : end] for kind, at, end in atoms(healthy) if kind == b"trak")
    header = next(healthy[at - 8 : end] for kind, at, end in atoms(healthy) if kind == b"mvhd")
    path.write_bytes(
        healthy[: start - 8] + atom(b"moov", header + track * 2000) + healthy[payload(healthy, b"mdat") - 8 :]
    )
