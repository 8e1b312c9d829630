"""Jobs that fail, and wrong usage: a sentence, an exit code, and no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import BARE, PROGRAM, Cli

Arguments = tuple[str, ...]


def test_missing_input_fails(cli: Cli, tmp_path: Path) -> None:
    """A file that is not there is named."""
    done = cli("gif", "nowhere.mp4", "out.gif")

    assert (done.code, done.out) == (1, "")
    assert done.err == "tightship gif: there is no file 'nowhere.mp4'\n"
    assert not (tmp_path / "out.gif").exists()


def test_broken_input_fails_with_a_receipt(cli: Cli, video: Path, tmp_path: Path) -> None:
    """A file that is cut off fails as media, after work that is accounted for; an older result stays."""
    (tmp_path / "broken.mp4").write_bytes(video.read_bytes()[:200])
    (tmp_path / "out.gif").write_text("from yesterday")

    done = cli("gif", "broken.mp4", "out.gif", "--json")

    job = done.json()
    assert (done.code, job["status"], job["error"]["code"]) == (1, "failed", "corrupt_media")
    assert job["receipt"]["outcome"] == "failed"
    assert (tmp_path / "out.gif").read_text() == "from yesterday"


def test_input_that_is_no_media_is_told_in_words(cli: Cli, tmp_path: Path) -> None:
    """The error comes first, then what the attempt cost; stdout stays empty."""
    (tmp_path / "letter.txt").write_text("Dear reader,\n" * 50)

    done = cli("info", "letter.txt")

    assert (done.code, done.out) == (1, "")
    error, receipt = done.err.splitlines()
    assert error.startswith("tightship info: ")
    assert receipt.startswith("info failed after ")


def test_unwritable_output_fails_before_the_work(cli: Cli, video: Path) -> None:
    """A folder that is not there is noticed without a slot."""
    job = cli("clip", video, "nowhere/out.mp4", "--json").json()

    assert job["error"]["code"] == "output_unwritable"
    assert job["receipt"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("clip", "IN", "IN"), "same file"),
        (("gif", "IN", "-"), "stdout"),
        (("clip", "IN", "-"), "stdout"),
        (("gif", "IN", "out.mp4"), "ends in .gif"),
        (("gif", "IN", "out.gif", "--width", "0"), "width"),
        (("gif", "IN", "out.gif", "--fps", "nan"), "finite"),
        (("gif", "IN", "out.gif", "--quality", "best"), "'low', 'medium' or 'high'"),
        (("gif", "IN", "out.gif", "--start", "soon"), "'soon' is not a duration"),
        (("gif", "IN", "out.gif", "--start", "2", "--end", "1"), "must be after"),
        (("clip", "IN", "out.gif"), ".mkv"),
        (("gif", "IN", "out.gif", "--width", "wide"), "--width"),
        (("gif", "IN"), "OUT"),
        (("gif", "IN", "out.gif", "--depth", "3"), "--depth"),
        (("giff", "IN", "out.gif"), "giff"),
    ],
)
def test_wrong_usage_exits_with_2(cli: Cli, video: Path, tmp_path: Path, arguments: Arguments, said: str) -> None:
    """What is wrong is named on stderr, or with --json in the object; nothing is written."""
    filled = [str(video) if word == "IN" else word for word in arguments]

    plain, as_json = cli(*filled), cli(*filled, "--json")

    assert (plain.code, plain.out) == (2, "")
    assert said in plain.err
    assert as_json.code == 2
    assert as_json.json()["error"]["code"] in ("invalid_options", "invalid_quantity")
    assert said in as_json.json()["error"]["message"]
    assert not (tmp_path / "out.gif").exists()


def test_missing_extra_names_the_cure(cli: Cli, video: Path) -> None:
    """Without the media extra every operation says how to install it."""
    without_av = (sys.executable, "-c", "import sys; sys.modules['av'] = None\nfrom tightship.cli import main; main()")

    plain = cli("gif", video, "out.gif", program=without_av)
    as_json = cli("info", video, "--json", program=without_av)

    assert (plain.code, as_json.code) == (1, 1)
    assert plain.err == "tightship gif: av is not installed; run: pip install 'tightship[media]'\n"
    assert as_json.json()["error"]["code"] == "extra_missing"


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("gif", "IN", "out.gif"), "media"),
        (("clip", "IN", "out.mp4"), "media"),
        (("info", "IN"), "media"),
        (("cache", "show"), "media"),
        (("leaks", "job", "info", "IN"), "media"),
        (("transcribe", "IN"), "transcribe"),
        (("models", "fetch", "base"), "transcribe"),
        (("serve",), "server"),
        (("watch", "."), "server"),
        (("jobs", "list"), "server"),
    ],
)
def test_bare_install_names_the_one_extra_that_a_command_needs(
    cli: Cli, video: Path, arguments: Arguments, extra: str
) -> None:
    """Who installed tightship alone is told once what to install, not first a half of it."""
    done = cli(*(video if word == "IN" else word for word in arguments), program=BARE)

    assert (done.code, done.out) == (1, "")
    assert done.err.endswith(f" is not installed; run: pip install 'tightship[{extra}]'\n")


def test_home_that_is_a_file_fails(cli: Cli, video: Path, tmp_path: Path) -> None:
    """A home that cannot be used is named, also as JSON."""
    (tmp_path / "file").touch()

    done = cli("info", video, "--home", tmp_path / "file", "--json")

    assert done.code == 1
    assert str(tmp_path / "file") in done.json()["error"]["message"]
    assert "TIGHTSHIP_HOME" in done.json()["error"]["message"]


def test_hostile_names_do_not_steer_the_terminal(cli: Cli) -> None:
    """Control characters of a file's name are written out."""
    done = cli("info", "\x1b]0;mine\x07.mp4")

    assert "\x1b" not in done.err
    assert "\x07" not in done.err


def test_broken_pipe_is_silent(environment: dict[str, str], video: Path) -> None:
    """A reader that has gone away is no fault of the job."""
    command = [*PROGRAM, "info", str(video)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.close()
        complaint = program.stderr.read()

    assert (program.returncode, complaint) == (0, b"")


def test_full_stdout_is_told(environment: dict[str, str], video: Path) -> None:
    """An answer that cannot be written is a failure."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, "info", str(video)],
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )

    assert (done.returncode, done.stderr) == (1, "tightship info: the output: the disk is full\n")
