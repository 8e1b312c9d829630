"""Every hostile file through every operation, in a process of its own: a clear error or a right result, in bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.media.child import OPTIONS, outcomes
from tests.media.hostile import expected_of, hostile_names, write_hostile

#: Bytes. No hostile file may cost more, PyAV and the child's own 35 MB included.
MAX_PEAK_BYTES = 300 * 2**20
#: CPU seconds for one operation.
MAX_CPU_S = 15.0
#: Files of the shared collection, with the codes that `info` may answer; None stands for a result.
SHARED: dict[str, frozenset[str | None]] = {
    **dict.fromkeys(
        (
            "ffconcat_rel_as.mp4",
            "m3u8_as.mp4",
            "m3u8_ssrf.m3u8",
            "png_as.mp4",
            "random_1mb.mp4",
            "sdp_as.mp4",
            "text.mp4",
            "zero.mp4",
        ),
        frozenset({"unsupported_media"}),
    ),
    **dict.fromkeys(("no_moov.mp4", "trunc_moov.mp4"), frozenset({"corrupt_media"})),
    "huge_dims_gif.gif": frozenset({"frame_too_large"}),
    **dict.fromkeys(
        (
            "audio_only.mp4",
            "bitflip_long.mp4",
            "bitflip_mdat.mp4",
            "huge_duration_hdr.mp4",
            "huge_stts_delta.mp4",
            "one_frame.mp4",
            "rotate90.mp4",
            "sub_only.mkv",
            "trunc_mdat.mp4",
            "vfr.mp4",
            "zero_fps.mp4",
        ),
        frozenset({None}),
    ),
}


@pytest.fixture(scope="session")
def hostile_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that keeps made files for the session."""
    return tmp_path_factory.mktemp("hostile")


def _check(path: Path, expected: frozenset[str | None]) -> None:
    lines = outcomes(path, list(OPTIONS))
    assert set(lines) == set(OPTIONS)
    error = lines["info"]["error"]
    assert (error["code"] if error else None) in expected
    for name, line in lines.items():
        assert line["peak_bytes"] < MAX_PEAK_BYTES, f"{name}: {line['peak_bytes']:,} bytes"
        assert line["cpu_s"] < MAX_CPU_S, f"{name}: {line['cpu_s']} s"
        if line["error"]:
            assert line["error"]["code"] not in ("internal", "conversion_failed"), f"{name}: {line['error']}"
        elif "output" in line["result"]:
            assert line["left"] == [line["result"]["output"]]
            assert line["result"]["size_bytes"] > 0
            assert line["result"]["duration_s"] < 100


@pytest.mark.parametrize("name", hostile_names())
def test_made_files(name: str, hostile_folder: Path) -> None:
    """Our own collection."""
    _check(write_hostile(name, hostile_folder), expected_of(name))


@pytest.mark.parametrize("name", sorted(SHARED))
def test_shared_files(name: str, data: Path) -> None:
    """The collection that lies beside the repository, where it is there."""
    _check(data / "hostile" / name, SHARED[name])
