"""The model's pieces: the detector on a stream, what counts as a sound text, what the hub's client says offline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tightship.errors import ModelNotFound, ModelUnusable
from tightship.inference import hub
from tightship.inference.speech import Recognizer
from tightship.inference.timing import take_tokens
from tightship.inference.voice import CHUNK
from tightship.inference.whisper import Whisper, Writing, compression_ratio

GOOD = Writing((1, 2), "a text", -0.2, 0.01, 1.2, 0.0)


def test_the_detector_hears_the_same_in_blocks_of_any_size(tiny: Recognizer) -> None:
    """Its memory is carried over: a stream in pieces is the stream."""
    samples = (np.random.default_rng(2).standard_normal(CHUNK * 60) * 0.2).astype(np.float32)

    whole = tiny.detector().probabilities(samples)
    detector = tiny.detector()
    pieces = [detector.probabilities(samples[at : at + CHUNK * 7]) for at in range(0, samples.size, CHUNK * 7)]

    assert np.allclose(np.concatenate(pieces), whole, atol=1e-5)


def test_it_hears_what_faster_whispers_own_detector_hears(tiny: Recognizer) -> None:
    """The same network, given the same, answers the same."""
    from faster_whisper.vad import get_vad_model

    samples = (np.random.default_rng(3).standard_normal(CHUNK * 40) * 0.2).astype(np.float32)

    theirs = get_vad_model()(samples).reshape(-1)

    assert np.allclose(tiny.detector().probabilities(samples), theirs, atol=1e-5)


@pytest.mark.parametrize(
    ("writing", "sound"),
    [
        (GOOD, True),
        (replace(GOOD, compression_ratio=3.0), False),
        (replace(GOOD, avg_logprob=-1.5), False),
        (replace(GOOD, avg_logprob=-1.5, no_speech_prob=0.9), True),
    ],
    ids=["good", "loop", "improbable", "silence"],
)
def test_a_text_is_kept_unless_it_is_a_loop_or_improbable(writing: Writing, sound: bool) -> None:
    """An improbable text where nobody spoke is silence, and no reason to try again."""
    assert writing.sound is sound


def test_a_loop_compresses_well() -> None:
    """The ratio tells a text from a stutter, and is no error for no text."""
    assert compression_ratio("and so on " * 40) > 2.4
    assert compression_ratio("Ask not what your country can do for you.") < 1.5
    assert compression_ratio("") == 0.0


def test_tokens_are_taken_up_to_a_length_of_text() -> None:
    """Each segment gets the tokens that its words were written with."""
    texts = {1: " ask", 2: " not", 3: " what"}

    def decode(tokens: list[int]) -> str:
        return "".join(texts[token] for token in tokens)

    assert take_tokens([1, 2, 3], len(" ask not"), decode) == 2
    assert take_tokens([1, 2, 3], 99, decode) == 3


def test_a_folder_that_only_looks_like_a_model_is_refused(tmp_path: Path, tiny: Recognizer) -> None:
    """What CTranslate2 cannot load is told in one sentence, with the folder's name."""
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"no weights")
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")

    with pytest.raises(ModelUnusable, match="broken"):
        Whisper(folder, "cpu")


@pytest.mark.parametrize(("text", "fault"), [(None, "tokenizer.json is missing"), ("{", "EOF")])
def test_a_model_whose_tokenizer_cannot_be_read_is_refused(
    tmp_path: Path, tiny_en: Path, text: str | None, fault: str
) -> None:
    """It is the model's fault, and no file's: whoever watches a folder tries its files again with a better one."""
    folder = tmp_path / "wordless"
    folder.mkdir()
    for name in ("model.bin", "config.json", "vocabulary.txt"):
        (folder / name).symlink_to(tiny_en / name)
    if text is not None:
        (folder / "tokenizer.json").write_text(text)

    with pytest.raises(ModelUnusable, match=f"wordless .*{fault}"):
        Whisper(folder, "cpu")


def test_offline_the_hub_is_told_of_in_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The process that fetches says what is missing and what to do, and leaves nothing running."""
    pytest.importorskip("huggingface_hub")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))

    with pytest.raises(ModelNotFound, match=r"while HF_HUB_OFFLINE is set\. A folder that holds it"):
        hub.fetch("nobody/nothing")
