"""Transcription beside faster-whisper, in one run: CPU seconds, peak memory of the process, word error rate.

    python benchmarks/transcribe.py speech.flac speech.txt [--repeat 4] [--lengths 600 3600 10800]

Each contender works in a process of its own, with the model tiny.en, int8, on the CPU. The sound is repeated to the
length that is wanted. Word error rates are computed with jiwer after Whisper's English normaliser.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import av

MODEL = "tiny.en"
#: What a slot's environment sets; ours runs under it, the others under the machine's own.
SLOT = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_MMAP_THRESHOLD_": "131072"}


def sequential(path: Path) -> Iterable[str]:
    """faster-whisper's `transcribe`, beam 5."""
    segments, _ = _peer().transcribe(str(path), beam_size=5)
    return (segment.text for segment in segments)


def batched(path: Path) -> Iterable[str]:
    """faster-whisper's batched pipeline, 8 windows, beam 5."""
    from faster_whisper import BatchedInferencePipeline

    segments, _ = BatchedInferencePipeline(_peer()).transcribe(str(path), batch_size=8, beam_size=5)
    return (segment.text for segment in segments)


def tightship(path: Path) -> Iterable[str]:
    """The operation `transcribe` with its defaults."""
    from tightship.operations import transcribe
    from tightship.testing import FakeAttempt

    options = transcribe.TranscribeOptions(model=MODEL, format="text")
    with tempfile.TemporaryDirectory() as scratch, FakeAttempt(path, scratch) as attempt:
        yield transcribe.run(attempt, asdict(options))["text"]


CONTENDERS: dict[str, Callable[[Path], Iterable[str]]] = {
    contender.__name__: contender for contender in (sequential, batched, tightship)
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
    text = " ".join(CONTENDERS[name](path))
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak_kib = int(status.split("VmHWM:")[1].split()[0])
    times = os.times()
    told = {"text": text, "cpu_s": times.user + times.system, "wall_s": time.monotonic() - started_s}
    print(json.dumps({**told, "peak_mb": peak_kib * 1024 / 1e6}))


def word_error_rate(truth: str, text: str) -> float:
    """Return the word error rate in per cent, after Whisper's English normaliser."""
    import jiwer
    from whisper_normalizer.english import EnglishTextNormalizer

    plain = EnglishTextNormalizer()
    return 100 * jiwer.wer(plain(truth), plain(text))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sound", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--length", type=float, default=600.0, help="seconds of the comparison")
    parser.add_argument("--lengths", type=float, nargs="*", default=[], help="further lengths for tightship alone")
    asked = parser.parse_args()
    truth = asked.truth.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sound.flac")
        for number, length_s in enumerate([asked.length, *asked.lengths]):
            times = repeated(asked.sound, path, length_s)
            for name in CONTENDERS if number == 0 else ["tightship"]:
                told = measure(name, path)
                errors = word_error_rate("\n".join([truth] * times), told["text"])
                print(
                    f"{length_s:7.0f} s  {name:10}  CPU {told['cpu_s']:7.1f} s  wall {told['wall_s']:7.1f} s  "
                    f"peak {told['peak_mb']:6.0f} MB  WER {errors:5.2f} %",
                    flush=True,
                )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
