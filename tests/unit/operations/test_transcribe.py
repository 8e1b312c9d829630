"""The operation `transcribe`, with the real model on real speech."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from tests.media.sounds import tone, write_matroska, write_wav
from tightship.errors import Cancelled, InvalidOptions
from tightship.inference.speech import Recognizer
from tightship.inference.whisper import Whisper
from tightship.media.audio import Sound
from tightship.operations import transcribe
from tightship.operations.transcribe import OPERATION, TranscribeOptions
from tightship.operations.validation import validate
from tightship.testing import FakeAttempt

Transcribe = Callable[..., tuple[dict[str, Any], str, FakeAttempt]]


@pytest.fixture
def written(tmp_path: Path, tiny: Recognizer) -> Transcribe:
    """Transcribe a file; return the result, the file that was written, and the attempt."""

    def run(source: Path, **options: Any) -> tuple[dict[str, Any], str, FakeAttempt]:
        with FakeAttempt(source, tmp_path, session=tiny) as attempt:
            result = transcribe.run(attempt, asdict(TranscribeOptions(**options)))
        return result, (tmp_path / result["output"]).read_text(encoding="utf-8"), attempt

    return run


def test_the_descriptor_loads_no_model_library(tiny_en: Path) -> None:
    """The parent process finds models and reckons deadlines without any of them in its memory."""
    code = (
        "import sys, tightship.operations.transcribe as t; "
        f"t.OPERATION.limit_s(t.TranscribeOptions(model={str(tiny_en)!r}), {{}}); "
        "print(*sorted({'av', 'numpy', 'faster_whisper', 'ctranslate2', 'huggingface_hub'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""


def test_what_is_said_is_written_down(data: Path, written: Transcribe) -> None:
    """Every word of a famous sentence, and the time of each."""
    jiwer = pytest.importorskip("jiwer")
    truth = (data / "speech" / "jfk.txt").read_text(encoding="utf-8")

    result, text, _ = written(data / "speech" / "jfk.flac", words=True)

    told = json.loads(text)
    plain = jiwer.Compose([jiwer.ToLowerCase(), jiwer.RemovePunctuation(), jiwer.Strip()])
    assert jiwer.wer(plain(truth), plain(result["text"])) == 0
    assert result["text"] == told["text"]
    assert told["duration"] == pytest.approx(11.0, abs=0.01)
    assert all(one["end"] <= other["start"] for one, other in pairwise(told["words"]))
    assert 10 < told["words"][-1]["end"] <= 11.0
    assert all(segment["tokens"] and segment["avg_logprob"] < 0 for segment in told["segments"])


def test_segments_are_sent_as_they_come(data: Path, written: Transcribe) -> None:
    """The partial results are the segments of the file, in order, and progress reaches the end."""
    _, text, attempt = written(data / "speech" / "sonnet_1.mp3")

    sent = json.loads(json.dumps([partial["segment"] for partial in attempt.partials]))
    assert sent == json.loads(text)["segments"]
    assert attempt.checkpoints[-1].done == pytest.approx(attempt.checkpoints[-1].total, rel=0.01)
    assert len(attempt.checkpoints) > 50


def test_times_are_right_behind_a_gap(data: Path, tmp_path: Path, written: Transcribe) -> None:
    """The same words after minutes of silence have times that are minutes later."""
    from tightship.media.audio import Sound, sound_track
    from tightship.media.guard import open_media

    with (data / "speech" / "jfk.flac").open("rb") as file, open_media(file.fileno()) as container:
        speech = np.concatenate(list(Sound(container, sound_track(container))))
    twice = np.concatenate([speech, np.zeros(16_000 * 60, np.float32), speech])
    path = write_wav(tmp_path / "twice.wav", twice, 16_000)

    _, text, _ = written(path, words=True)

    words = json.loads(text)["words"]
    half = len(words) // 2
    spoken = [word["word"].strip(".,").lower() for word in words]
    assert spoken[:half] == spoken[half:]
    for one, other in zip(words[:half], words[half:], strict=True):
        assert other["end"] - one["end"] == pytest.approx(71.0, abs=0.3)


@pytest.mark.parametrize("kind", ["silence", "tone", "noise", "empty", "one sample", "not numbers"])
def test_what_is_no_speech_is_an_empty_transcript(tmp_path: Path, written: Transcribe, kind: str) -> None:
    """Nothing is made up, and nothing fails."""
    samples = {
        "silence": np.zeros(16_000 * 40, np.float32),
        "tone": tone(20, 16_000).astype(np.float32),
        "noise": (np.random.default_rng(1).standard_normal(16_000 * 20) * 0.1).astype(np.float32),
        "empty": np.zeros(0, np.float32),
        "one sample": np.ones(1, np.float32),
        "not numbers": np.full(16_000 * 5, np.nan, np.float32),
    }[kind]

    result, text, _ = written(write_wav(tmp_path / "a.wav", samples, 16_000), format="srt")

    assert (result["segments"], result["text"], text) == (0, "", "")
    assert result["complete"]


def test_a_long_text_is_told_in_part(data: Path, written: Transcribe, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a store may keep of a result is bounded; the file holds all of it."""
    monkeypatch.setattr(transcribe, "MAX_TEXT_CHARS", 20)

    result, text, _ = written(data / "speech" / "jfk.flac", format="text")

    assert (len(result["text"]), result["text_is_whole"]) == (20, False)
    assert text.startswith(result["text"])
    assert len(text) > 50


def test_a_prompt_and_hotwords_are_taken(data: Path, written: Transcribe) -> None:
    """They stand before what is written, and are not in it."""
    result, _, _ = written(data / "speech" / "jfk.flac", prompt="A speech of 1961.", hotwords="Americans")

    assert "1961" not in result["text"]
    assert "country" in result["text"]


@pytest.mark.parametrize(("wrong", "option"), [({"language": "de"}, "language"), ({"task": "translate"}, "model")])
def test_what_the_model_cannot_do_is_refused(
    data: Path, written: Transcribe, wrong: dict[str, Any], option: str
) -> None:
    """A model that knows English alone neither hears German nor translates; the error names what to change."""
    with pytest.raises(InvalidOptions, match="English only") as refused:
        written(data / "speech" / "jfk.flac", **wrong)
    assert refused.value.details["option"] == option


@pytest.mark.parametrize("told", ["de", " DE", "German", None])
def test_a_language_is_told_by_code_or_name(told: str | None) -> None:
    """Everywhere, not only where OpenAI's clients ask."""
    assert TranscribeOptions(language=told).language == (told and "de")


def test_what_is_no_language_is_refused_before_any_work() -> None:
    """By its name, whatever the model knows."""
    with pytest.raises(InvalidOptions, match=r"language=klingon: .* code such as en") as refused:
        validate(OPERATION, {"language": "klingon"})
    assert refused.value.details["option"] == "language"


def test_a_sound_track_that_is_not_there_is_refused(tmp_path: Path, written: Transcribe) -> None:
    """Tracks are counted from 0."""
    with pytest.raises(InvalidOptions, match="no sound track 2"):
        written(write_matroska(tmp_path / "a.mkv", [(0, 1)], [(0, 1)]), track=2)


@pytest.mark.parametrize(("claim_s", "early"), [(None, False), (60.0, False), (3600.0, True)])
def test_long_sound_has_its_first_text_early(
    data: Path, tmp_path: Path, tiny: Recognizer, claim_s: float | None, early: bool
) -> None:
    """There it costs next to nothing, and somebody may be reading."""
    with FakeAttempt(data / "speech" / "jfk.flac", tmp_path, session=tiny) as attempt:
        work = transcribe._transcription(attempt, TranscribeOptions(), tiny, cast("Sound", ()), claim_s)
    assert work.early is early


def test_a_soft_deadline_keeps_what_is_written(data: Path, tmp_path: Path, tiny: Recognizer) -> None:
    """The transcript ends early, and says so."""
    with FakeAttempt(data / "speech" / "sonnet_1.mp3", tmp_path, session=tiny, stop_after=40) as attempt:
        result = transcribe.run(attempt, asdict(TranscribeOptions(batch_size=1)))

    assert not result["complete"]
    assert result["segments"] > 0
    assert [code for code, _ in attempt.warnings] == ["deadline"]


def test_a_cancel_ends_the_work(data: Path, tmp_path: Path, tiny: Recognizer) -> None:
    """The error passes; the input is closed."""
    attempt = FakeAttempt(data / "speech" / "jfk.flac", tmp_path, session=tiny, cancel_after=3)

    with attempt, pytest.raises(Cancelled):
        transcribe.run(attempt, asdict(TranscribeOptions()))


def test_a_session_is_a_loaded_model_that_closes(tiny: Recognizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key names the folder; at the end the weights are let go."""
    from tightship.inference import allocator
    from tightship.inference.resolver import resolve

    # Its settings hold for a whole process, and other tests measure this one's memory.
    monkeypatch.setattr(allocator, "keep_buffers", lambda: True)

    with transcribe.open_session(transcribe.session_key(resolve("tiny.en"), "cpu")) as session:
        assert isinstance(session, Whisper)
        assert session.device == "cpu"
        model = session._model

    assert not model.model_is_loaded


def test_a_slot_is_known_by_the_model_that_it_keeps(tmp_path: Path) -> None:
    """Weights that the folder held before count, too; other folders and other operations do not."""
    from tightship.inference.resolver import resolve

    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "model.bin").write_bytes(b"old")
    mine, other = (resolve(str(tmp_path / name)) for name in ("mine", "other"))
    key = (transcribe.__name__, transcribe.session_key(mine), str(mine.folder))
    (mine.folder / "model.bin").unlink()
    (mine.folder / "model.bin").write_bytes(b"new")

    assert transcribe.session_key(mine) != key[1]
    assert transcribe.keeps(key, mine)
    assert not transcribe.keeps(key, other)
    assert not transcribe.keeps(("another.operation", *key[1:]), mine)
    assert not transcribe.keeps(None, mine)


def test_every_file_of_a_model_makes_a_session(tmp_path: Path) -> None:
    """A slot that has read the old vocabulary must not answer for the new one."""
    from tightship.inference.resolver import resolve

    for name in ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt"):
        (tmp_path / name).write_text("old")
    model = resolve(str(tmp_path))
    keys = {transcribe.session_key(model)}
    for name in ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt"):
        (tmp_path / "new").write_text("new")
        (tmp_path / "new").rename(tmp_path / name)
        keys.add(transcribe.session_key(model))

    assert len(keys) == 5


def test_time_and_memory_grow_with_the_model(tmp_path: Path) -> None:
    """A model of a gigabyte gets more of both than one of a kilobyte."""
    demands = []
    for size in (1_000, 1_000_000_000):
        folder = tmp_path / str(size)
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        with (folder / "model.bin").open("wb") as weights:
            weights.truncate(size)
        options = TranscribeOptions(model=str(folder))
        assert OPERATION.no_progress_s is not None
        time = (OPERATION.limit_s(options, {"duration_s": 600}), OPERATION.no_progress_s(options))
        demands.append((*time, OPERATION.reservation_bytes(options, {})))

    assert demands[0][:2] == (600, 10)
    assert demands[1][:2] == (6000, 100)
    assert demands[1][2] - demands[0][2] == pytest.approx(1.5e9, rel=0.01)
