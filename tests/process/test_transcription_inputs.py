"""Whatever sound comes in, the real model in a real slot gives a sane transcript or a clear error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.media.sounds import samples_of, tone, write_film, write_flac, write_wav
from tightship.pool.config import PoolConfig
from tightship.pool.pool import Pool
from tightship.runner import Job, Runner

HZ = 16_000
Write = Callable[[Path, np.ndarray], Path]


@pytest.fixture(scope="module")
def speech(data: Path) -> np.ndarray:
    """Eleven seconds that end in "what you can do for your country"."""
    return samples_of(data / "speech" / "jfk.flac")


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """A runner whose warm slot keeps the model."""
    with Pool(PoolConfig(idle_s=None), home=tmp_path_factory.mktemp("home")) as pool:
        yield Runner(pool)


@pytest.fixture
def transcribed(runner: Runner, tmp_path: Path, tiny_en: Path) -> Callable[..., Job]:
    """Transcribe a file."""

    def run(source: Path, **options: Any) -> Job:
        return runner.run(
            "transcribe", source, tmp_path / "out.json", {"model": str(tiny_en), "words": True, **options}
        )

    return run


def _not_all_numbers(path: Path, speech: np.ndarray) -> Path:
    wrong = speech.astype(np.float32)
    wrong[1000:2000], wrong[::4001], wrong[::7001] = np.nan, np.inf, -np.inf
    return write_wav(path, wrong, HZ)


def _cut_short(path: Path, speech: np.ndarray) -> Path:
    whole = write_flac(path, np.concatenate([speech, speech]), HZ).read_bytes()
    path.write_bytes(whole[: len(whole) * 5 // 8])
    return path


SPOKEN: dict[str, tuple[Write, dict[str, Any], float]] = {
    "8 kHz mono": (
        lambda path, speech: write_wav(path, speech[: speech.size // 2 * 2].reshape(-1, 2).mean(1), 8_000),
        {},
        11,
    ),
    "96 kHz 7.1": (
        lambda path, speech: write_wav(
            path, np.repeat(np.repeat(speech, 6)[:, None], 8, axis=1), 96_000, channel_mask=0x63F
        ),
        {},
        11,
    ),
    "not all numbers": (_not_all_numbers, {}, 11),
    "WAV that claims 10 h": (lambda path, speech: write_wav(path, speech, HZ, claimed_bytes=HZ * 4 * 36_000), {}, 11),
    "WAV that claims 0 s": (lambda path, speech: write_wav(path, speech, HZ, claimed_bytes=0), {}, 11),
    "FLAC that claims 100 h": (lambda path, speech: write_flac(path, speech, HZ, HZ * 360_000), {}, 11),
    "FLAC that claims 1 s": (lambda path, speech: write_flac(path, speech, HZ, HZ), {}, 11),
    "FLAC that claims nothing": (lambda path, speech: write_flac(path, speech, HZ, 0), {}, 11),
    "cut short": (_cut_short, {}, 13.5),
    "film": (write_film, {}, 11),
    "second track": (lambda path, speech: write_film(path, tone(3, HZ), speech), {"track": 1}, 11),
    "time that begins below zero": (lambda path, speech: write_film(path, speech, start_s=-4.0), {}, 11),
    "time that begins in an hour": (lambda path, speech: write_film(path, speech, start_s=3600.0), {}, 11),
    "time that jumps an hour": (lambda path, speech: write_film(path, np.tile(speech, 2), gap_s=3600.0), {}, 22),
}


@pytest.mark.parametrize("name", SPOKEN)
def test_speech_is_understood(name: str, speech: np.ndarray, tmp_path: Path, transcribed: Callable[..., Job]) -> None:
    """However it is packed, every word of it is written down, at times that lie within the sound."""
    write, options, length_s = SPOKEN[name]

    job = transcribed(write(tmp_path / _named(name), speech), **options)

    assert job.error is None
    result = job.result or {}
    assert "ask what you can do for your country" in result["text"].lower()
    assert result["duration_s"] == pytest.approx(length_s, abs=0.5)
    words = json.loads((tmp_path / "out.json").read_text())["words"]
    times = [time for word in words for time in (word["start"], word["end"])]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= length_s + 0.5


def test_a_minute_that_is_missing_moves_what_follows(
    speech: np.ndarray, tmp_path: Path, transcribed: Callable[..., Job]
) -> None:
    """The second half is told at its own time."""
    assert transcribed(write_film(tmp_path / "a.mkv", np.tile(speech, 2), gap_s=60.0)).error is None

    words = json.loads((tmp_path / "out.json").read_text())["words"]
    ends = [word["end"] for word in words if word["word"].lower().startswith("country")]
    assert ends[-1] - ends[1] == pytest.approx(71.0, abs=0.3)


def _chords() -> np.ndarray:
    """Return half a minute of chords, two a second."""
    at = np.arange(30 * HZ) / HZ
    roots = 220 * 2 ** (np.array([0, 5, 7, 3, 0, 8, 5, 7])[(at * 2).astype(int) % 8] / 12)
    return (
        sum(np.sin(2 * np.pi * np.cumsum(roots * third) / HZ) for third in (1, 1.26, 1.5))
        * 0.1
        * np.exp(-4 * (at % 0.5))
    )


SILENT: dict[str, Callable[[], np.ndarray]] = {
    "silence": lambda: np.zeros(40 * HZ),
    "noise": lambda: np.random.default_rng(1).standard_normal(20 * HZ) * 0.1,
    "music": _chords,
    "full scale": lambda: np.sign(tone(10, HZ)),
    "no sample": lambda: np.zeros(0),
    "one sample": lambda: np.ones(1),
    "not one number": lambda: np.full(5 * HZ, np.nan),
}


@pytest.mark.parametrize("name", SILENT)
def test_what_is_no_speech_is_an_empty_transcript(name: str, tmp_path: Path, transcribed: Callable[..., Job]) -> None:
    """Nothing is made up, and nothing fails."""
    samples = SILENT[name]().astype(np.float32)

    job = transcribed(write_wav(tmp_path / "in.wav", samples, HZ))

    assert job.error is None
    assert job.result is not None
    assert (job.result["text"], job.result["segments"]) == ("", 0)
    assert job.result["duration_s"] == pytest.approx(samples.size / HZ, abs=0.01)


def _bytes(content: bytes) -> Write:
    def write(path: Path, _speech: np.ndarray) -> Path:
        path.write_bytes(content)
        return path

    return write


REFUSED: dict[str, tuple[Write, dict[str, Any], str]] = {
    "empty file": (_bytes(b""), {}, "unsupported_media"),
    "text": (_bytes(b"And so, my fellow Americans. " * 500), {}, "unsupported_media"),
    "film without sound": (lambda path, _speech: write_film(path), {}, "stream_missing"),
    "track that is not there": (write_film, {"track": 5}, "invalid_options"),
    "one sample a second": (lambda path, speech: write_wav(path, speech, 1), {}, "unsupported_media"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_heard_is_refused(
    name: str, speech: np.ndarray, tmp_path: Path, transcribed: Callable[..., Job]
) -> None:
    """The error says what is wrong with it."""
    write, options, code = REFUSED[name]

    job = transcribed(write(tmp_path / _named(name), speech), **options)

    assert job.error is not None
    assert job.error.code == code


def _named(name: str) -> str:
    """Return a file's name with the ending that its writer wants."""
    endings = {"WAV": ".wav", "FLAC": ".flac", "cut": ".flac", "8": ".wav", "96": ".wav", "not": ".wav"}
    return "in" + endings.get(name.split()[0], ".mkv")
