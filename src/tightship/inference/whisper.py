"""Whisper on CTranslate2, by way of faster-whisper: one window is heard at a time, a few are written down at once."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tightship.errors import ExtraMissing, InvalidOptions, ModelUnusable
from tightship.inference.allocator import give_back
from tightship.inference.lines import lines
from tightship.inference.speech import Heard, Language, Request, Segment
from tightship.inference.timing import take_tokens, timed_words
from tightship.inference.voice import SileroDetector, SileroNetwork
from tightship.inference.window import Window

Encoded = NDArray[np.float32]

#: The file by which tokens are text.
_TOKENIZER = "tokenizer.json"
#: Tokens of one window, prompt included: what Whisper's text half was trained with.
MAX_TOKENS = 448
#: Frames that Whisper's sound half hears, 10 ms each; less is filled up with silence.
FRAMES = 3000
#: A text that compresses better is a loop; Whisper's own threshold.
MAX_COMPRESSION = 2.4
#: A mean log-probability below is a failure; Whisper's own threshold.
MIN_LOGPROB = -1.0
#: A no-speech probability above, with an improbable text, is silence; Whisper's own threshold.
MAX_NO_SPEECH = 0.6
#: Drawn texts of which the best is taken, when the words are drawn.
_DRAWS = 5
#: Windows that a GPU writes down at once, by the bytes of the model's weights: batching saves time where a window costs
#: little memory, and a large model's window takes so long that progress must be told after each. A CPU writes them one
#: by one: each is told what stands before it then, which makes fewer mistakes and takes a tenth more time.
_BATCHES = ((200 * 2**20, 3), (600 * 2**20, 2))


@dataclass(frozen=True)
class Writing:
    """What the model wrote for one window."""

    tokens: tuple[int, ...]
    text: str
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    temperature: float

    @property
    def silent(self) -> bool:
        """Whether nobody spoke."""
        return self.no_speech_prob > MAX_NO_SPEECH and self.avg_logprob < MIN_LOGPROB

    @property
    def sound(self) -> bool:
        """Whether it can be kept: no loop, and not improbable."""
        return self.silent or (self.compression_ratio <= MAX_COMPRESSION and self.avg_logprob >= MIN_LOGPROB)


class Whisper:
    """A loaded model and voice detector; implements `Recognizer`.

    Args:
        folder: The model, converted for CTranslate2.
        device: `cpu`, `cuda`, or `auto`: the GPU where there is one.
        threads: Threads of one computation on the CPU. One uses the least time in all: more of them mostly wait for
            each other (measured: 1.5 times the CPU seconds with two).
    """

    def __init__(self, folder: Path, device: str = "auto", threads: int = 1) -> None:
        try:
            import ctranslate2
            from faster_whisper import WhisperModel
        except ImportError as missing:
            raise ExtraMissing.of(missing.name) from None
        if not (folder / _TOKENIZER).is_file():  # the library would fetch one, which a slot cannot
            raise ModelUnusable(f"The model in {folder.name} cannot be loaded: {_TOKENIZER} is missing.")
        gpu = device == "cuda" or (device == "auto" and ctranslate2.get_cuda_device_count() > 0)
        self.device = "cuda" if gpu else "cpu"
        try:
            self._loaded = WhisperModel(
                str(folder), device=self.device, compute_type="float16" if gpu else "int8", cpu_threads=threads
            )
        except MemoryError:
            raise
        except Exception as fault:  # noqa: BLE001 - a damaged tokenizer's has no class of its own
            raise ModelUnusable(f"The model in {folder.name} cannot be loaded: {str(fault)[:300]}") from None
        self._model: Any = self._loaded.model
        self._voice = SileroNetwork()
        weights_bytes = (folder / "model.bin").stat().st_size
        give_back()
        self.batch_size = next((size for limit, size in _BATCHES if gpu and weights_bytes <= limit), 1)

    def detector(self) -> SileroDetector:
        """Return a voice detector for one stream."""
        return self._voice.detector()

    def hear(self, window: Window) -> Heard:
        """Encode a window. One at a time: the sound half needs 100 MB for each, its result 2 MB (tiny)."""
        import ctranslate2

        features = self._loaded.feature_extractor(window.samples)[..., :-1][:, :FRAMES]
        features = np.pad(features, ((0, 0), (0, FRAMES - features.shape[-1])))
        view = ctranslate2.StorageView.from_array(np.ascontiguousarray(features[None], np.float32))
        return np.array(self._model.encode(view, to_cpu=True))

    def language_of(self, heard: Sequence[Heard]) -> Language:
        """Return the language that most of the probability falls to."""
        if not self._model.is_multilingual:
            return Language("en", 1.0)
        if not heard:
            return Language("und", 0.0)
        shares: dict[str, float] = {}
        for ranking in self._model.detect_language(_view(heard)):
            for token, probability in ranking:
                shares[token[2:-2]] = shares.get(token[2:-2], 0.0) + probability / len(heard)
        code = max(shares, key=lambda code: shares[code])
        return Language(code, shares[code])

    def write(
        self, windows: Sequence[Window], heard: Sequence[Heard], request: Request, language: str
    ) -> list[list[Segment]]:
        """Return the segments of each window."""
        if len(windows) > 1:
            give_back()  # what hearing took is not what writing a batch takes: kept, the two would add up
        tokenizer = self._tokenizer(request, language)
        prompt = self._prompt(tokenizer, request)
        writings = self._writings(heard, prompt, tokenizer, request)
        segments = [
            self._segments(window, sound, writing, tokenizer, request)
            for window, sound, writing in zip(windows, heard, writings, strict=True)
        ]
        give_back()
        return segments

    def _tokenizer(self, request: Request, language: str) -> Any:
        from faster_whisper.tokenizer import Tokenizer

        multilingual = self._model.is_multilingual
        if not multilingual and (language != "en" or request.task != "transcribe"):
            option = "language" if language != "en" else "model"
            raise InvalidOptions("The model knows English only, and does not translate.", option=option)
        if language not in self._loaded.supported_languages:
            raise InvalidOptions(f"There is no language {language!r} that the model knows.", option="language")
        return Tokenizer(self._loaded.hf_tokenizer, multilingual, task=request.task, language=language)

    def _prompt(self, tokenizer: Any, request: Request) -> list[int]:
        before = tokenizer.encode(f" {request.prompt.strip()}") if request.prompt else []
        return cast("list[int]", self._loaded.get_prompt(tokenizer, before, True, hotwords=request.hotwords))

    def _writings(self, heard: Sequence[Heard], prompt: list[int], tokenizer: Any, request: Request) -> list[Writing]:
        """Write all windows down at the first temperature, those that failed again at the next ones."""
        first, *rest = request.temperatures
        writings = self._generate(heard, prompt, tokenizer, request, first)
        for at, writing in enumerate(writings):
            tried = [writing]
            for temperature in rest:
                if tried[-1].sound:
                    break
                tried += self._generate([heard[at]], prompt, tokenizer, request, temperature)
            writings[at] = tried[-1] if tried[-1].sound else _best(tried)
        return writings

    def _generate(
        self, heard: Sequence[Heard], prompt: list[int], tokenizer: Any, request: Request, temperature: float
    ) -> list[Writing]:
        from faster_whisper.transcribe import get_suppressed_tokens

        drawn = {"beam_size": 1, "num_hypotheses": _DRAWS, "sampling_topk": 0, "sampling_temperature": temperature}
        results = self._model.generate(
            _view(heard),
            [prompt] * len(heard),
            max_length=MAX_TOKENS,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
            **(drawn if temperature > 0 else {"beam_size": request.beam_size}),
        )
        return [_writing(result, tokenizer, temperature) for result in results]

    def _segments(
        self, window: Window, sound: Heard, writing: Writing, tokenizer: Any, request: Request
    ) -> list[Segment]:
        if writing.silent or not writing.text:
            return []
        words = timed_words(self._loaded, tokenizer, _view([sound]), writing.tokens, window)
        tokens = writing.tokens
        segments = []
        for line in lines(words):
            text = "".join(word.word for word in line)
            count = take_tokens(tokens, len(text), tokenizer.decode)
            segments.append(
                Segment(
                    id=0,
                    seek=round(window.start_s * 100),
                    start=line[0].start,
                    end=line[-1].end,
                    text=text,
                    tokens=tokens[:count],
                    temperature=writing.temperature,
                    avg_logprob=writing.avg_logprob,
                    compression_ratio=writing.compression_ratio,
                    no_speech_prob=writing.no_speech_prob,
                    words=line if request.words else None,
                )
            )
            tokens = tokens[count:]
        return segments

    def close(self) -> None:
        """Drop the weights; only the end of the process gives all of their memory back."""
        with suppress(RuntimeError):
            self._model.unload_model()


def _view(heard: Sequence[Heard]) -> Any:
    import ctranslate2

    return ctranslate2.StorageView.from_array(np.ascontiguousarray(np.concatenate(cast("Sequence[Encoded]", heard))))


def _writing(result: Any, tokenizer: Any, temperature: float) -> Writing:
    tokens = tuple(result.sequences_ids[0])
    text = tokenizer.decode(list(tokens)).strip()
    # The score is a mean over the tokens; Whisper counts the end mark too.
    avg_logprob = result.scores[0] * len(tokens) / (len(tokens) + 1)
    return Writing(tokens, text, avg_logprob, result.no_speech_prob, compression_ratio(text), temperature)


def _best(tried: Sequence[Writing]) -> Writing:
    plain = [writing for writing in tried if writing.compression_ratio <= MAX_COMPRESSION]
    return max(plain or tried, key=lambda writing: writing.avg_logprob)


def compression_ratio(text: str) -> float:
    """Return the text's bytes over its compressed bytes."""
    raw = text.encode("utf-8")
    return len(raw) / len(zlib.compress(raw))
