"""Transcription beside faster-whisper, in one run: CPU seconds, peak memory of the process, words, times of words.

    python -m benchmarks.transcribe speech.flac speech.txt [--length 600] [--lengths 3600 10800]

Each contender works in a process of its own, with the model tiny.en, int8, on the CPU. The sound is repeated to the
length that is wanted. Word error rates are computed with jiwer after Whisper's English normaliser. Times of words are
compared with those that faster-whisper gives without a batch, near the places where tightship has cut the sound.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import av

MODEL = "tiny.en"
#: What a slot's environment sets; ours runs under it, the others under the machine's own.
SLOT = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_TRIM_THRESHOLD_": "131072",
    "MALLOC_MMAP_THRESHOLD_": "131072",
    "OPENBLAS_NUM_THREADS": "1",
}
#: What a contender brings: `text`, and where it has them `words` (word, start, end) and `cuts` in seconds.
Transcript = dict[str, Any]


def sequential(path: Path) -> Transcript:
    """faster-whisper's `transcribe`, beam 5."""
    segments, _ = _peer().transcribe(str(path), beam_size=5)
    return {"text": " ".join(segment.text for segment in segments)}


def timed(path: Path) -> Transcript:
    """The same with the time of each word."""
    segments, _ = _peer().transcribe(str(path), beam_size=5, word_timestamps=True)
    words = [word for segment in segments for word in segment.words]
    return {
        "text": "".join(word.word for word in words),
        "words": [(word.word, word.start, word.end) for word in words],
    }


def batched(path: Path) -> Transcript:
    """faster-whisper's batched pipeline, 8 windows, beam 5."""
    from faster_whisper import BatchedInferencePipeline

    segments, _ = BatchedInferencePipeline(_peer()).transcribe(str(path), batch_size=8, beam_size=5)
    return {"text": " ".join(segment.text for segment in segments)}


def tightship(path: Path) -> Transcript:
    """The operation `transcribe` with its defaults, and the time of each word."""
    from tightship.operations import transcribe
    from tightship.testing import FakeAttempt

    options = transcribe.TranscribeOptions(model=MODEL, words=True)
    with tempfile.TemporaryDirectory() as scratch, FakeAttempt(path, scratch) as attempt:
        result = transcribe.run(attempt, asdict(options))
        told = json.loads(Path(scratch, result["output"]).read_text(encoding="utf-8"))
    words = [(word["word"], word["start"], word["end"]) for word in told["words"]]
    cuts = sorted({segment["seek"] / 100 for segment in told["segments"]})
    return {"text": told["text"], "words": words, "cuts": cuts}


CONTENDERS: dict[str, Callable[[Path], Transcript]] = {
    contender.__name__: contender for contender in (sequential, timed, batched, tightship)
}


def _peer() -> Any:
    from faster_whisper import WhisperModel

    from tightship.inference.resolver import resolve

    return WhisperModel(str(resolve(MODEL).folder), device="cpu", compute_type="int8")


def repeated(source: Path, target: Path, length_s: float) -> int:
    """Write the sound of `source` over and over until `length_s` is reached; return how often."""
    with av.open(str(source)) as container:
        stream = container.streams.audio[0]
        rate = stream.rate
        resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
        pieces = [piece.to_ndarray() for frame in container.decode(stream) for piece in resampler.resample(frame)]
    once_s = sum(piece.shape[1] for piece in pieces) / rate
    times = max(1, round(length_s / once_s))
    with av.open(str(target), "w") as output:
        sound = output.add_stream("flac", rate=rate, layout="mono")
        at = 0
        for _ in range(times):
            for piece in pieces:
                frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
                frame.rate, frame.pts = rate, at
                at += frame.samples
                output.mux(sound.encode(frame))
        output.mux(sound.encode(None))
    return times


def measure(name: str, path: Path) -> dict[str, Any]:
    """Run one contender in a process of its own."""
    # The allocator reads its settings when a process starts.
    environment = {**os.environ, **(SLOT if name == "tightship" else {})}
    command = [sys.executable, __file__, "--child", name, str(path)]
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(ended.stdout.splitlines()[-1])


def child(name: str, path: Path) -> None:
    """Be the process of one contender: transcribe, then tell what it took."""
    started_s = time.monotonic()
    transcript = CONTENDERS[name](path)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak_kib = int(status.split("VmHWM:")[1].split()[0])
    times = os.times()
    told = {**transcript, "cpu_s": times.user + times.system, "wall_s": time.monotonic() - started_s}
    print(json.dumps({**told, "peak_mb": peak_kib * 1024 / 1e6}))


def show(length_s: float, name: str, told: dict[str, Any], truth: str) -> None:
    """Print what one contender took."""
    from benchmarks.likeness import word_error_rate

    print(
        f"{length_s:7.0f} s  {name:10}  CPU {told['cpu_s']:7.1f} s  wall {told['wall_s']:7.1f} s  "
        f"peak {told['peak_mb']:6.0f} MB  WER {word_error_rate(truth, told['text']):5.2f} %",
        flush=True,
    )


def show_times(reference: dict[str, Any], told: dict[str, Any]) -> None:
    """Print by how much the times of the words differ from the reference's."""
    from benchmarks.likeness import Spoken, apart_s, is_continuous, near, pairs

    words = [Spoken(*each) for each in told["words"]]
    paired = pairs([Spoken(*each) for each in reference["words"]], words)
    for place, chosen in (("everywhere", paired), (f"at {len(told['cuts'])} cuts", near(paired, told["cuts"]))):
        starts_s = sorted(abs(one.start - other.start) for one, other in chosen)
        nearer_s = sorted(map(apart_s, chosen))
        for what, apart in (("starts", starts_s), ("nearer ends", nearer_s)):
            print(
                f"{len(apart)} words {place}, their {what}: median {median(apart):.3f} s apart, "
                f"95 % within {apart[int(0.95 * (len(apart) - 1))]:.3f} s, all within {apart[-1]:.3f} s"
            )
    print("times are continuous" if is_continuous(words) else "TIMES ARE NOT CONTINUOUS", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sound", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--length", type=float, default=600.0, help="seconds of the comparison")
    parser.add_argument("--lengths", type=float, nargs="*", default=[], help="further lengths for tightship alone")
    asked = parser.parse_args()
    truth = asked.truth.read_text(encoding="utf-8")
    peaks_mb: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sound.flac")
        for number, length_s in enumerate([asked.length, *asked.lengths]):
            times = repeated(asked.sound, path, length_s)
            told = {}
            for name in CONTENDERS if number == 0 else ["tightship"]:
                told[name] = measure(name, path)
                show(length_s, name, told[name], "\n".join([truth] * times))
            if number == 0:
                show_times(told["timed"], told["tightship"])
            peaks_mb.append(told["tightship"]["peak_mb"])
    for length_s, peak_mb in zip(asked.lengths, peaks_mb[1:], strict=True):
        print(f"peak of {length_s:.0f} s: {peak_mb / peaks_mb[0]:.3f} times that of {asked.length:.0f} s")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
