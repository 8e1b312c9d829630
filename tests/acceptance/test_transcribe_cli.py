"""`tightship transcribe`: what people type, and what they get."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tightship.operations.transcribe import TranscribeOptions

from .conftest import Cli

pytestmark = pytest.mark.usefixtures("model")


def test_speech_goes_to_stdout(cli: Cli, data: Path) -> None:
    """The text and nothing else; the account goes to stderr."""
    done = cli("transcribe", data / "speech" / "jfk.flac")

    assert done.code == 0
    assert done.out.strip().endswith("ask what you can do for your country.")
    assert done.out.count("\n") == 1
    assert "transcribe finished" in done.err


def test_files_become_subtitles_once(cli: Cli, data: Path, beep: Path, tmp_path: Path) -> None:
    """Each gets its own, what is done is left alone, and a file that is missing keeps no other from its turn."""
    wanted = (
        "transcribe",
        data / "speech" / "jfk.flac",
        "nothing.mp3",
        beep,
        "--output-dir",
        "texts",
        "--format",
        "srt",
    )

    first = cli(*wanted)
    subtitles = tmp_path / "texts" / "jfk.srt"
    written = subtitles.stat().st_mtime_ns
    again = cli(*wanted, "-q")

    assert (first.code, again.code) == (1, 1)
    assert "1\n00:00:00" in subtitles.read_text()
    assert (tmp_path / "texts" / "beep.srt").read_text() == ""
    assert "nothing.mp3" in first.err
    assert again.err.strip() == "tightship transcribe: there is no file 'nothing.mp3'"
    assert subtitles.stat().st_mtime_ns == written
    assert cli(*wanted, "-q", "--force").code == 1
    assert subtitles.stat().st_mtime_ns > written


def test_json_tells_of_every_file(cli: Cli, beep: Path) -> None:
    """One object on one line, with the transcript where it went nowhere else."""
    told = cli("transcribe", beep, "--format", "verbose_json", "--json").json()

    (file,) = told["result"]["files"]
    assert (told["status"], told["error"]) == ("succeeded", None)
    assert (file["input"], file["status"], file["result"]["segments"]) == (str(beep), "succeeded", 0)
    assert json.loads(file["result"]["transcript"])["duration"] == 2.0
    assert file["receipt"]["outcome"] == "ok"


def test_models_are_listed(cli: Cli) -> None:
    """The default one first, with its size and its place, for people and for programs."""
    (first, *_) = cli("models", "list", "--json").json()["models"]

    assert (first["default"], first["size_bytes"] > 2**20) == (True, True)
    assert cli("models", "list").out.splitlines()[0].startswith(f"{first['name']}  72.0 MiB, ")


def test_a_model_that_is_here_is_not_fetched(cli: Cli, tiny_en: Path) -> None:
    """No hub is asked for it."""
    told = cli("models", "fetch", "tiny.en", "--json").json()

    assert (told["name"], told["folder"]) == ("tiny.en", str(tiny_en))


def test_a_model_that_cannot_be_fetched_is_told(cli: Cli, environment: dict[str, str]) -> None:
    """The exit code is 1, and the message says what else will do."""
    environment.update({"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": environment["TIGHTSHIP_HOME"]})

    done = cli("models", "fetch", "small")

    assert (done.code, done.out) == (1, "")
    assert "the hub cannot be reached" in done.err


def test_the_doctor_knows_the_default_model(cli: Cli, environment: dict[str, str]) -> None:
    """Where it is; or that it is not here and how to get it, which stops nothing else from working."""
    assert f"for transcription {environment['TIGHTSHIP_TRANSCRIBE_MODEL']}, 72.0 MiB, in " in cli("doctor").out

    environment.update({"TIGHTSHIP_TRANSCRIBE_MODEL": "small", "HF_HOME": environment["TIGHTSHIP_HOME"]})
    done = cli("doctor")

    assert done.code == 0
    assert "model: tightship models fetch small" in done.out


def test_a_model_that_is_not_there_is_named(cli: Cli, beep: Path) -> None:
    """With what was tried."""
    done = cli("transcribe", beep, "--model", "nowhere")

    assert done.code == 1
    assert done.err.startswith("tightship transcribe: There is no model 'nowhere'")


@pytest.mark.parametrize("wrong", [("--format", "doc"), ("--beam-size", "0"), ("beep.wav", "--task", "translate")])
def test_wrong_usage_is_told_before_any_work(cli: Cli, beep: Path, wrong: tuple[str, ...]) -> None:
    """Options that are out of range, and several files without a folder."""
    done = cli("transcribe", beep, *wrong)

    assert done.code == 2
    assert "finished" not in done.err


def test_help_tells_the_true_defaults(cli: Cli) -> None:
    """What the operation does when nothing is said."""
    text = " ".join(cli("transcribe", "--help").out.split())

    defaults = TranscribeOptions()
    for option, default in (("beam-size", defaults.beam_size), ("task", defaults.task), ("temperature", "0")):
        assert f"[default: {default}]" in text[text.index(f"--{option}") :][:200]
    assert defaults.temperature == 0
