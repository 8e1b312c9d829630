"""What was written down once is found again: on the command line and over HTTP, with the real model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.http_server import running

from .conftest import Cli


@pytest.fixture
def speech(data: Path, tmp_path: Path) -> Path:
    """Eleven seconds of speech, under a name of its own."""
    return Path(shutil.copyfile(data / "speech" / "jfk.flac", tmp_path / "speech.flac"))


def file_of(cli: Cli, *arguments: object) -> dict[str, Any]:
    """Transcribe a file and return what is told of it."""
    (file,) = cli("transcribe", *arguments, "--json").json()["result"]["files"]
    assert file["error"] is None
    return file


@pytest.mark.usefixtures("model")
def test_the_second_time_no_slot_is_needed(cli: Cli, speech: Path, tmp_path: Path) -> None:
    """The same words, from a file of another name, without a receipt; whoever does not want that says so."""
    first = file_of(cli, speech)
    other = speech.rename(tmp_path / "other.flac")
    again = file_of(cli, other, "--model", "whisper-1")
    anew = [file_of(cli, other, flag) for flag in ("--no-cache", "--force")]
    shown = cli("transcribe", other)

    assert [file["result"].get("cached") for file in (first, again, *anew)] == [None, True, None, None]
    assert [file["receipt"] is None for file in (first, again, *anew)] == [False, True, False, False]
    assert {file["result"]["transcript"] for file in (again, *anew)} == {first["result"]["transcript"]}
    assert shown.out == first["result"]["transcript"]
    assert shown.err.strip() == f"{other}: remembered from before; --force does it again"


@pytest.mark.usefixtures("model")
def test_what_is_asked_otherwise_is_done(cli: Cli, beep: Path, tiny_en: Path, home: Path, tmp_path: Path) -> None:
    """Another option, another model of the same name, an entry that somebody has changed; and what is forgotten."""
    other = tmp_path / "tiny.en"
    shutil.copytree(tiny_en, other)
    with (other / "config.json").open("a") as config:
        config.write("\n")

    results = [file_of(cli, beep, *more)["result"] for more in ((), ("--format", "srt"), ("--model", other), ())]
    assert ["cached" in result for result in results] == [False, False, False, True]
    for entry in (home / "cache" / "results").iterdir():
        entry.write_bytes(entry.read_bytes()[::-1])
    assert ["cached" in file_of(cli, beep)["result"] for _ in range(2)] == [False, True]

    assert cli("cache", "show", "--json").json()["disk_entries"] == 3
    assert cli("cache", "clear").out == "3 results forgotten\n"
    assert cli("cache", "show").out.startswith("results  0, 0 B of 256 MiB\n")


@pytest.mark.usefixtures("model")
def test_a_file_in_the_caches_place_harms_no_job(cli: Cli, beep: Path, home: Path) -> None:
    """The work is done, and it is said why it will not be remembered."""
    place = home / "cache" / "results"
    place.parent.mkdir(parents=True)
    place.write_text("a file")

    done = cli("transcribe", beep)

    assert (done.code, done.out) == (0, "\n")
    assert "a result cannot be remembered: File exists" in done.err


@pytest.mark.usefixtures("model")
def test_nothing_is_remembered_where_that_is_set(cli: Cli, beep: Path, home: Path, environment: dict[str, str]) -> None:
    """Zero bytes in both places."""
    environment |= {"TIGHTSHIP_CACHE_MEMORY_BYTES": "0", "TIGHTSHIP_CACHE_DISK_BYTES": "0"}

    assert file_of(cli, beep)["status"] == "succeeded"
    assert not (home / "cache").exists()


def test_a_second_job_of_the_same_content(
    cli: Cli, tiny_en: Path, speech: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over HTTP it is answered at once, whoever sends it; and so is the command line on the same home folder."""
    monkeypatch.setenv("TIGHTSHIP_TRANSCRIBE_MODEL", str(tiny_en))
    with running(home) as server:
        ids = []
        for name in ("speech.flac", "renamed.flac"):
            path = speech.rename(tmp_path / name)
            ids.append(server.submit("transcribe", path, {"format": "text"}).json()["id"])
            server.ended(ids[-1])
            speech = path
        first, second = map(server.job, ids)
        done = [slot["jobs_done"] for slot in server.http.get("/health/memory").json()["slots"]]
        texts = [server.http.get(job["result_url"]) for job in (first, second)]
        metrics = server.http.get("/metrics").text
        cache = server.http.get("/health/memory").json()["cache"]

    assert [job["status"] for job in (first, second)] == ["succeeded"] * 2
    assert second["result"] == {**first["result"], "cached": True}
    assert (second["attempts"], second["receipt"]["slot"]) == (1, None)
    assert sum(done) == 2  # a look and a transcription
    assert texts[0].text == texts[1].text
    assert 'filename="renamed.txt"' in texts[1].headers["content-disposition"]
    assert 'tightship_cache_hits_total{tier="memory"} 1.0' in metrics
    assert (cache["misses"], cache["memory_entries"], cache["disk_entries"]) == (1, 1, 1)
    monkeypatch.undo()
    told = file_of(cli, speech, "--model", tiny_en)
    assert told["result"]["cached"]
    assert told["result"]["transcript"] == texts[0].text
