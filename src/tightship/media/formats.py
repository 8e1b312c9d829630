"""The containers and codecs that are opened; everything else is refused by name."""

from __future__ import annotations

from collections.abc import Iterable

#: FFmpeg demuxers. Each reads one self-contained file. Left out on purpose: playlists and scripts (hls, dash, concat,
#: sdp, imf), which open other files; numbered images and image pipes, which are not video; raw elementary streams and
#: text formats, whose weak signatures match anything.
DEMUXERS = frozenset({
    "mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "gif", "mpegts", "mpeg", "flv", "ogg",
    "wav", "w64", "mp3", "flac", "aac", "aiff", "caf", "amr", "asf",
})  # fmt: skip

#: Decoders of pictures. Left out on purpose: still image codecs that decode to far more than they weigh (png, tiff,
#: webp, jpeg2000, exr: 820 MB for a small PNG while it was only probed), and the long tail of game and screen codecs.
VIDEO_DECODERS = frozenset({
    "h264", "hevc", "vp8", "vp9", "libvpx", "libvpx-vp9", "av1", "libdav1d", "mpeg4", "msmpeg4", "msmpeg4v1",
    "msmpeg4v2", "mpeg1video", "mpeg2video", "mpegvideo", "h261", "h263", "flv", "theora", "wmv1", "wmv2", "wmv3",
    "vc1", "mjpeg", "gif", "prores", "dnxhd", "dvvideo", "rawvideo",
})  # fmt: skip

#: Decoders of sound.
AUDIO_DECODERS = frozenset({
    "aac", "aac_latm", "mp3", "mp3float", "mp2", "mp2float", "mp1", "mp1float", "opus", "libopus", "vorbis", "flac",
    "alac", "ac3", "eac3", "dca", "truehd", "wmav1", "wmav2", "wmapro", "amrnb", "amrwb", "libopencore_amrnb",
    "libopencore_amrwb", "speex", "libspeex", "adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt", "gsm", "gsm_ms",
    "nellymoser", "pcm_alaw", "pcm_mulaw", "pcm_u8", "pcm_s8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be",
    "pcm_s32le", "pcm_s32be", "pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be",
})  # fmt: skip

#: Decoders of subtitles.
SUBTITLE_DECODERS = frozenset({
    "mov_text", "subrip", "srt", "ass", "ssa", "webvtt", "text", "dvdsub", "dvd_subtitle", "pgssub",
    "hdmv_pgs_subtitle", "dvbsub",
})  # fmt: skip

DECODERS = VIDEO_DECODERS | AUDIO_DECODERS | SUBTITLE_DECODERS

#: Codecs that FFmpeg says its muxers hold: it refuses them when it writes the header, or cannot read what it wrote.
REFUSED_CODECS = {
    "mov": frozenset({"vp8", "vp9", "av1", "rawvideo", "opus", "flac", "truehd"}),
    "matroska": frozenset({"rawvideo"}),
}
#: Codecs that players of MP4 know. What was neither MP4 nor Matroska becomes MP4 when it holds nothing else.
MP4_CODECS = frozenset({
    "h264", "hevc", "av1", "vp9", "mpeg4", "aac", "mp3", "ac3", "eac3", "opus", "flac", "alac",
})  # fmt: skip
#: Codecs that WebM may hold.
WEBM_CODECS = frozenset({"vp8", "vp9", "av1", "opus", "vorbis"})


#: Video that is copied into a clip of each ending; other video is encoded again.
COPIED_VIDEO = {
    ".mp4": frozenset({"h264", "hevc", "av1", "vp9", "mpeg4", "mpeg1video", "mpeg2video", "mjpeg", "vc1"}),
    ".mov": frozenset({"h264", "hevc", "mpeg4", "mpeg1video", "mpeg2video", "mjpeg", "prores", "dnxhd", "h263"}),
    ".mkv": frozenset({"h264", "hevc", "av1", "vp8", "vp9", "mpeg4", "mpeg1video", "mpeg2video", "mjpeg", "prores"}),
    ".webm": frozenset({"vp8", "vp9", "av1"}),
}


def natural_suffix(container: str, codecs: Iterable[str], major_brand: str = "") -> str:
    """Return the ending of a piece of a file that stays in its own format, or in the nearest one that is written.

    Args:
        container: FFmpeg's name of the input's format.
        codecs: Names of the codecs of its pictures and sound.
        major_brand: The tag of that name; it tells QuickTime from MP4.
    """
    held = frozenset(codecs)
    if "mp4" in container:
        return ".mov" if major_brand.strip() == "qt" else ".mp4"
    if "matroska" in container:
        return ".webm" if held <= WEBM_CODECS else ".mkv"
    return ".mp4" if held <= MP4_CODECS or container == "gif" else ".mkv"
