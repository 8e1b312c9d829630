"""Jobs that succeed."""

from __future__ import annotations

import sys
from pathlib import Path

import av
import pytest

from .conftest import Cli

JOB = {"status", "operation", "result", "warnings", "receipt", "error"}


def test_gif_tells_where_it_is_and_what_it_cost(cli: Cli, video: Path, tmp_path: Path) -> None:
    """The first line names the file with its measures, the second is the receipt; stderr stays empty."""
    done = cli("gif", video, "out.gif", "--width", 160, "--fps", 5)

    assert (done.code, done.err) == (0, "")
    result, receipt = done.out.splitlines()
    assert result.startswith("out.gif: 160 x 90 px, 10 frames, 5 fps, 2.0 s, ")
    assert receipt.startswith("gif finished in ")
    assert "Nothing was left behind" in receipt
    assert (tmp_path / "out.gif").read_bytes()[:6] == b"GIF89a"


def test_gif_takes_every_option(cli: Cli, video: Path, tmp_path: Path) -> None:
    """What is asked for is what comes out."""
    shape = ("--height", 45, "--fps", 4, "--loop", 3, "--colors", 16, "--dither", "bayer", "--quality", "low")
    done = cli("gif", video, "out.gif", *shape, "--start", "0.5 s", "--end", "0:01.5", "--json")

    result = done.json()["result"]
    assert (result["width"], result["height"], result["frames"]) == (80, 45, 4)
    assert result["duration_s"] == pytest.approx(1.0, abs=0.1)
    repeats_after_the_first = b"NETSCAPE2.0\x03\x01\x02\x00"
    assert repeats_after_the_first in (tmp_path / "out.gif").read_bytes()


@pytest.mark.parametrize("operation", ["gif", "clip", "info"])
def test_json_is_one_whole_job(cli: Cli, video: Path, operation: str) -> None:
    """With --json stdout holds a single object of the documented shape, and stderr nothing."""
    outputs = {"gif": ["out.gif"], "clip": ["out.mp4"], "info": []}

    done = cli(operation, video, *outputs[operation], "--json")

    assert (done.code, done.err) == (0, "")
    job = done.json()
    assert set(job) == JOB
    assert (job["status"], job["operation"], job["error"]) == ("succeeded", operation, None)
    assert job["receipt"]["outcome"] == "ok"
    assert job["result"].get("output") == (outputs[operation] or [None])[0]


def test_info_is_a_table(cli: Cli, video: Path) -> None:
    """A person sees the container, the length and every stream."""
    lines = dict(line.split("  ", 1) for line in cli("info", video).out.splitlines() if "  " in line)

    assert lines["duration"].strip() == "2.0 s"
    assert lines["#0 video"].strip().startswith("h264")
    assert "320 x 180 px, 25 fps" in lines["#0 video"]
    assert "aac" in lines["#1 audio"]


def test_exact_clip_begins_on_the_very_frame(cli: Cli, video: Path, tmp_path: Path) -> None:
    """Without --exact a clip begins at the key frame before; with it, where it was told to."""
    span = ("--start", "0.6", "--end", "1.4", "--json")

    copied, exact = cli("clip", video, "copied.mp4", *span), cli("clip", video, "exact.mp4", *span, "--exact")

    assert copied.json()["result"]["start_s"] == 0.0
    assert exact.json()["result"]["start_s"] == pytest.approx(0.6, abs=0.04)
    with av.open(str(tmp_path / "exact.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 20


@pytest.mark.parametrize("flags", [("--quiet",), ("-q",)])
def test_quiet_says_nothing_of_a_made_file(cli: Cli, video: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    """With -q success is silent."""
    done = cli("clip", video, "out.mkv", *flags)

    assert (done.code, done.out, done.err) == (0, "", "")
    assert (tmp_path / "out.mkv").stat().st_size > 0


def test_quiet_info_still_shows_its_table(cli: Cli, video: Path) -> None:
    """With -q the result stays where it is the point; the receipt goes."""
    done = cli("info", video, "-q")

    assert "#0 video" in done.out
    assert "finished in" not in done.out


def test_shared_options_go_before_and_after_the_command(cli: Cli, video: Path, tmp_path: Path) -> None:
    """--home, --json and -q mean the same at both places."""
    before = cli("--home", tmp_path / "a", "-q", "--json", "info", video)
    after = cli("info", video, "--home", tmp_path / "b", "-q", "--json")

    assert before.json()["result"] == after.json()["result"]
    assert (tmp_path / "a" / "scratch").is_dir()
    assert (tmp_path / "b" / "scratch").is_dir()


def test_existing_output_is_replaced(cli: Cli, video: Path, tmp_path: Path) -> None:
    """A second run to the same place just works, as with cp."""
    (tmp_path / "out.gif").write_text("something else")

    assert cli("gif", video, "out.gif").code == 0
    assert (tmp_path / "out.gif").read_bytes()[:6] == b"GIF89a"


def test_nothing_is_left_in_the_home(cli: Cli, video: Path, home: Path) -> None:
    """After a job the scratch folder is empty."""
    cli("gif", video, "out.gif", "--width", 64)

    assert list((home / "scratch").iterdir()) == []


def test_installed_program_does_the_same(cli: Cli, video: Path) -> None:
    """`tightship` and `python -m tightship` are one program."""
    installed = (str(Path(sys.executable).with_name("tightship")),)

    assert cli("--version", program=installed) == cli("--version")
