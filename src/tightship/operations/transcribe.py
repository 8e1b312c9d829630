"""The operation `transcribe`: what is said, and when."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from annotated_types import Interval, MaxLen

from tightship.core.attempt import Attempt
from tightship.errors import InvalidOptions
from tightship.inference import resolver
from tightship.inference.language import code_of
from tightship.operations.operation import Basis, Media, Operation, Session, unpacked
from tightship.operations.transcript import SUFFIXES, Format, Summary, plain_text, render

if TYPE_CHECKING:
    from tightship.inference.speech import Recognizer, Request
    from tightship.inference.transcription import Transcription
    from tightship.media.audio import Sound

#: Seconds per second of sound that the work may take, for each 100 MB of weights: tiny (75 MB) takes 0.05 s on a free
#: core; machines are shared.
WORK_S_PER_S_100MB = 1.0
#: Seconds that any transcription may take: a worker starts, a model is loaded.
MIN_WORK_S = 120.0
#: Bytes. Python, PyAV, the runtimes of model and voice detector, up to three windows in work. Measured with tiny.en:
#: 343 MB at most with the weights.
BASE_BYTES = 260 * 2**20
#: Bytes for each byte of weights on disk: while a model is loaded, it is there as stored and as converted.
LOADING = 1.5
#: Seconds between two reports of progress, for each 100 MB of weights: a window of 30 s is heard and written down in
#: between, up to six times where its text is unsound. large-v3 (3.1 GB) takes a minute for one try on a free core.
QUIET_S_100MB = 10.0
#: Characters of the text that the result itself tells, as lists of jobs carry it; all of it is in the file.
MAX_TEXT_CHARS = 4_000
#: Seconds of sound from which the first text comes early where windows are written in batches. Measured in batches of 3
#: with tiny.en: after 1.2 s of work instead of 3.0 s; 2 % more work for 4.5 minutes, but a tenth more for 1 to 3.
EARLY_S = 240.0
#: Packages whose versions a text depends on.
_RUNTIMES = ("faster-whisper", "ctranslate2", "onnxruntime", "tokenizers", "numpy", "av")
#: Steps in which the temperature rises when a text is a loop or improbable; Whisper's own.
_FALLBACK = (0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class TranscribeOptions:
    """How speech shall be written down.

    Args:
        model: Name (`tiny.en`), repository of the hub or folder of a Whisper model for CTranslate2; None or `whisper-1`
            is the default model.
        language: The language spoken, by its code (`de`) or English name; None detects it.
        task: `transcribe` keeps the language, `translate` writes English.
        format: Of the resulting file.
        prompt: Text that is taken to stand before the first word of every window: names, spelling, style.
        hotwords: Words to expect anywhere.
        temperature: 0 searches for the likeliest words, and tries again with chance where the result is unsound; above
            0 the words are drawn from the start.
        beam_size: Alternatives that the search keeps.
        batch_size: Windows of 30 s written down at once. None: one by one on a CPU, where each is told what stands
            before it; a few on a GPU, by the size of the model.
        words: Tell the time of each word.
        segments: Tell the segments, in `verbose_json`.
        track: Number of the sound track, from 0; None for the default one.
        vad_filter: Leave out what holds no voice.
    """

    model: Annotated[str, MaxLen(1024)] | None = None
    language: Annotated[str, MaxLen(16)] | None = None
    task: Literal["transcribe", "translate"] = "transcribe"
    format: Format = "verbose_json"
    prompt: Annotated[str, MaxLen(4096)] | None = None
    hotwords: Annotated[str, MaxLen(4096)] | None = None
    temperature: Annotated[float, Interval(ge=0, le=1)] = 0.0
    beam_size: Annotated[int, Interval(ge=1, le=20)] = 5
    batch_size: Annotated[int, Interval(ge=1, le=16)] | None = None
    words: bool = False
    segments: bool = True
    track: Annotated[int, Interval(ge=0, le=63)] | None = None
    vad_filter: bool = True

    def __post_init__(self) -> None:
        if self.language is None:
            return
        if (code := code_of(self.language)) is None:
            raise InvalidOptions(
                f"language={self.language}: it must be a code such as en, or an English name", option="language"
            )
        object.__setattr__(self, "language", code)  # frozen, and one language has one name from here on


def session_key(model: resolver.Model, device: str = "auto") -> str:
    """Return the key that `open_session` takes: what a warm slot holds, and is kept for.

    Other files in the same folder are another session: the old ones must not answer for them.
    """
    found = [(path.name, path.stat()) for path in resolver.files(model)]
    files = [(name, file.st_ino, file.st_ctime_ns) for name, file in found]
    told = {"folder": str(model.folder), "device": device, "files": files}
    return json.dumps(told, sort_keys=True)


def keeps(slot_key: Sequence[str] | None, model: resolver.Model) -> bool:
    """Tell whether a slot that is kept warm for `slot_key` holds a model, or weights that its folder held before."""
    if slot_key is None or slot_key[0] != __name__:
        return False
    return bool(json.loads(slot_key[1])["folder"] == str(model.folder))


@contextmanager
def open_session(key: str) -> Iterator[Recognizer]:
    """Load the model that `session_key` named, for the life of a slot."""
    from tightship.inference import allocator
    from tightship.inference.whisper import Whisper

    allocator.keep_buffers()
    told = json.loads(key)
    model = Whisper(Path(told["folder"]), told["device"])
    try:
        yield model
    finally:
        model.close()


def _session_of(options: TranscribeOptions, folders: bool) -> Session:
    model = resolver.resolve(options.model, folders=folders)
    return Session(session_key(model), model.name, tuple(map(str, model.readable)))


def _hundreds_of_mb(options: TranscribeOptions) -> float:
    return max(1.0, resolver.resolve(options.model).weights_bytes / 1e8)


def _pace_s(options: TranscribeOptions) -> float:
    return WORK_S_PER_S_100MB * _hundreds_of_mb(options)


def _limit_s(options: TranscribeOptions, media: Media) -> float:
    return max(MIN_WORK_S, _pace_s(options) * (media.get("duration_s") or 0.0))


def _reservation_bytes(options: TranscribeOptions, _media: Media) -> int:
    return BASE_BYTES + round(LOADING * resolver.resolve(options.model).weights_bytes)


def _basis(options: TranscribeOptions, folders: bool) -> Basis | None:
    # Who asks for chance wants another text each time. Without, chance only helps out where the likeliest is unsound.
    if options.temperature > 0:
        return None
    model = resolver.resolve(options.model, folders=folders)
    counted = {name: value for name, value in asdict(options).items() if name != "model"}  # its files tell more
    return Basis(counted, {"gpus": _gpus()}, resolver.files(model), _RUNTIMES)


def _gpus() -> str:
    """Return what decides whether a slot computes on a GPU, which rounds otherwise, without loading its libraries."""
    return f"{Path('/proc/driver/nvidia/version').exists()} {os.environ.get('CUDA_VISIBLE_DEVICES')}"


OPERATION = Operation(
    name="transcribe",
    summary="Write down what is said, with times.",
    options=TranscribeOptions,
    module=__name__,
    suffix=lambda options, _media: SUFFIXES[options.format],
    limit_s=_limit_s,
    reservation_bytes=_reservation_bytes,
    modules=("faster_whisper", "ctranslate2"),
    session=_session_of,
    no_progress_s=lambda options: QUIET_S_100MB * _hundreds_of_mb(options),
    pace_s=_pace_s,
    basis=_basis,
)


class Spool:
    """Segments on disk, one line each: a transcript of any length in the memory of one segment."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("w", encoding="utf-8")
        self.count = 0

    def add(self, segment: Mapping[str, Any]) -> None:
        """Write a segment down."""
        self._file.write(json.dumps(segment, ensure_ascii=False) + "\n")
        self.count += 1

    def close(self) -> None:
        """Finish writing; from then on it can be gone through, as often as wanted."""
        self._file.close()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with self._path.open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)


def run(attempt: Attempt, options: Mapping[str, Any]) -> dict[str, Any]:
    """Write the transcript into the scratch folder and return what it is, its name under `output`.

    Each segment is sent as a partial result as soon as it is there.
    """
    from tightship.media.audio import Sound, sound_track
    from tightship.media.guard import open_media
    from tightship.media.stream import claimed_s

    chosen, limits = unpacked(TranscribeOptions, options)
    with _session(attempt, chosen) as recognizer, open_media(attempt.input_fd, limits) as container:
        sound = Sound(container, sound_track(container, chosen.track), limits)
        claim_s = claimed_s(container)
        work = _transcription(attempt, chosen, recognizer, sound, claim_s)
        spool = Spool(attempt.scratch / "segments.jsonl")
        try:
            for segment in work:
                told = {name: value for name, value in asdict(segment).items() if value is not None}
                spool.add(told)
                attempt.partial({"segment": told})
        finally:
            spool.close()
        language = work.language or recognizer.language_of([])
    if sound.damaged:
        attempt.warn("damaged_sound", f"Packets that were damaged and left out: {sound.damaged:,}.")
    if work.stopped_early:
        attempt.warn("deadline", "The time was up; the transcript ends early.")
    summary = Summary(chosen.task, language.code, sound.position_s, chosen.words, chosen.segments)
    path = attempt.scratch / f"transcript{SUFFIXES[chosen.format]}"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(render(chosen.format, spool, summary))
    text = plain_text(spool)
    return {
        "output": path.name,
        "format": chosen.format,
        "task": chosen.task,
        "language": language.code,
        "language_probability": round(language.probability, 4),
        "duration_s": round(sound.position_s, 3),
        "segments": spool.count,
        "text": text[:MAX_TEXT_CHARS],
        "text_is_whole": len(text) <= MAX_TEXT_CHARS,
        "complete": not work.stopped_early,
        "size_bytes": path.stat().st_size,
    }


@contextmanager
def _session(attempt: Attempt, options: TranscribeOptions) -> Iterator[Recognizer]:
    """Yield the slot's loaded model, or one for this attempt alone where the slot has none."""
    if attempt.session is not None:
        yield cast("Recognizer", attempt.session)
        return
    with open_session(session_key(resolver.resolve(options.model))) as recognizer:
        yield recognizer


def _transcription(
    attempt: Attempt, options: TranscribeOptions, recognizer: Recognizer, sound: Sound, claim_s: float | None
) -> Transcription:
    from tightship.inference.transcription import Transcription
    from tightship.inference.windowing import EVERYTHING, Cutting

    def progress(done_s: float) -> bool:
        # A header may lie: what has been passed already is no total.
        total_s = claim_s if claim_s is not None and claim_s >= sound.position_s else None
        return attempt.checkpoint(done_s, total_s, "s")

    return Transcription(
        recognizer,
        sound,
        _request(options),
        batch_size=options.batch_size,
        cutting=Cutting() if options.vad_filter else EVERYTHING,
        early=(claim_s or 0.0) >= EARLY_S,
        progress=progress,
    )


def _request(options: TranscribeOptions) -> Request:
    from tightship.inference.speech import Request

    return Request(
        language=options.language,
        task=options.task,
        prompt=options.prompt,
        hotwords=options.hotwords,
        temperatures=(0.0, *_FALLBACK) if options.temperature == 0 else (options.temperature,),
        beam_size=options.beam_size,
        words=options.words,
    )
