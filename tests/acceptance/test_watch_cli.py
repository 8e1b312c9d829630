"""`tightship watch`: what people see, with real files and real jobs."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.media.sounds import tone, write_wav

from .conftest import PROGRAM, Cli, Ended

Eventually = Callable[..., None]
SETTLE = ("--settle", "0.3 s")
#: Bytes that a pipe takes at the least before whoever writes has to wait until somebody reads.
PIPE_BYTES = 4096


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to watch."""
    made = tmp_path / "in"
    made.mkdir()
    return made


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the program in the background; it is killed after the test if it has not ended."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            env={**environment, "TIGHTSHIP_JOBS_LEASE_S": "2", "TIGHTSHIP_JOBS_BACKOFF_BASE_S": "0"},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def beep(path: Path, seconds: float = 0.2, level: float = 0.3) -> Path:
    """Write a short sound."""
    return write_wav(path, tone(seconds, 8000, level).astype(np.float32), 8000)


def bring(folder: Path, name: str, seconds: float) -> None:
    """Put a short sound in the folder in one piece."""
    beep(folder.parent / "on its way.wav", seconds).replace(folder / name)


def names(folder: Path) -> set[str]:
    """Return everything below a folder but other folders, hidden files too."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def test_speech_gets_subtitles(cli: Cli, folder: Path, data: Path, tiny_en: Path, environment: dict[str, str]) -> None:
    """One of two copies is worked on; what was written by hand stays; the second run finds nothing to do."""
    environment["TIGHTSHIP_TRANSCRIBE_MODEL"] = str(tiny_en)
    speech = data / "speech" / "jfk.flac"
    (folder / "deep").mkdir()
    for name in ("talk.flac", "deep/copy.flac", "hand.flac"):
        shutil.copyfile(speech, folder / name)
    (folder / "hand.srt").write_text("by hand")
    (folder / "broken.mp3").write_text("no sound at all")

    first = cli("watch", "in", "--once", *SETTLE)

    assert "ask what you can do for your country." in (folder / "talk.srt").read_text()
    assert (folder / "deep" / "copy.srt").read_text() == (folder / "talk.srt").read_text()
    assert (folder / "hand.srt").read_text() == "by hand"
    assert (first.code, first.out) == (1, "")
    assert "in/hand.srt is not a result for in/hand.flac made here; it was left alone" in first.err
    assert "tightship watch: in/broken.mp3: The file is not media" in first.err
    assert first.err.count("(the same content was done before)") == 1
    again = cli("watch", "in", "--once", *SETTLE)
    assert (again.code, again.err.strip()) == (1, "tightship watch: 1 failed before")
    (folder / "broken.mp3").unlink()
    assert cli("watch", "in", "--once", "-q", *SETTLE) == Ended(0, "", "")


def test_files_get_their_results_as_they_come(
    start: Callable[..., subprocess.Popen[str]], folder: Path, eventually: Eventually
) -> None:
    """New ones, those in new folders, those that are written slowly and those that change; then it stops in order."""
    beep(folder / "first.wav")
    process = start("watch", "in", "--operation", "info", "--json", "--rescan", "600 s", "--settle", "1 s")
    eventually((folder / "first.json").exists, "what was there is done")

    whole = beep(folder.parent / "whole.wav", 3.0).read_bytes()
    with (folder / "slow.wav").open("wb") as file:
        for at in range(0, len(whole), len(whole) // 9):
            file.write(whole[at : at + len(whole) // 9])
            file.flush()
            os.fsync(file.fileno())
    (folder / "deep" / "er").mkdir(parents=True)
    bring(folder, "deep/er/new.wav", 0.4)
    bring(folder, ".hidden.wav", 0.5)
    eventually(lambda: lasts(folder / "slow.json") == 3.0, "what was written slowly is done")
    eventually((folder / "deep" / "er" / "new.json").exists, "what came is done")
    bring(folder, "first.wav", 0.7)
    eventually(lambda: lasts(folder / "first.json") == 0.7, "what changed is done")
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)

    assert process.returncode == 0
    told = [json.loads(line) for line in out.splitlines()]
    # What a disk keeps from getting on for longer than it takes to settle is done as it is, and again when it is whole.
    at_once = [each for each in told if "slow" not in each["input"]]
    assert [each["status"] for each in at_once] == ["done"] * 3
    assert told[-1]["status"] == "done"
    assert names(folder) == {
        "first.wav", "first.json", "slow.wav", "slow.json", "deep/er/new.wav", "deep/er/new.json", ".hidden.wav",
    }  # fmt: skip


def lasts(result: Path) -> float | None:
    """Return the length that a result tells of, if it is there."""
    return json.loads(result.read_text())["duration_s"] if result.exists() else None


def test_results_that_look_like_sources_are_none(cli: Cli, folder: Path, video: Path) -> None:
    """GIFs and clips of what is there, and none of those."""
    shutil.copyfile(video, folder / "talk.mp4")

    first = cli("watch", "in", "--once", "--operation", "clip", "--option", "end_s=1", *SETTLE)
    second = cli(
        "watch", "in", "--once", "--operation", "gif", "--option", "width=64", "--exclude", "*.clip.*", *SETTLE
    )
    third = cli("watch", "in", "--once", "--operation", "clip", "--option", "end_s=1", *SETTLE)

    assert (first.code, second.code, third.code) == (0, 0, 0)
    assert names(folder) == {"talk.mp4", "talk.clip.mp4", "talk.gif"}
    assert "nothing new" in third.err


def test_killed_watch_is_made_good_by_the_next(
    start: Callable[..., subprocess.Popen[str]], folder: Path, home: Path, eventually: Eventually
) -> None:
    """Every file gets its result, none twice, and nothing else is left in the folder."""
    sources = [beep(folder / f"{number:02}.wav", 0.1 + number / 100) for number in range(30)]
    process = start("watch", "in", "--operation", "info", "--once", "--json", *SETTLE)
    assert process.stdout is not None
    # Nobody reads, so it cannot tell of all: however slow this test is, there is work left.
    fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    eventually(lambda: len(list(folder.glob("*.json"))) >= 3, "it is in the middle of its work")
    process.kill()
    process.wait()
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.json")}
    assert process.communicate()[0].count('"done"') <= len(before) < len(sources)

    again = start("watch", "in", "--operation", "info", "--once", "--json", *SETTLE)
    out, _ = again.communicate(timeout=90)

    assert again.returncode == 0
    assert {json.loads(line)["status"] for line in out.splitlines()} == {"done"}
    assert names(folder) == {name for source in sources for name in (source.name, f"{source.stem}.json")}
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert list((home / "blobs" / "incoming").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere",), "there is no folder 'nowhere'"),
        (("in", "--operation", "paint"), "There is no operation 'paint'"),
        (("in", "--model", "./in"), "set TIGHTSHIP_TRANSCRIBE_MODEL=./in"),
    ],
)
def test_what_cannot_be_watched_is_refused(cli: Cli, folder: Path, arguments: tuple[str, ...], words: str) -> None:
    """At once, with the way out."""
    done = cli("watch", *arguments)

    assert (done.code, words in done.err) == (2, True)
