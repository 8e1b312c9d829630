"""When each word was said, from what the model attended to while it wrote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tightship.inference.speech import Word
from tightship.inference.windowing import Window

#: Frames per second of a window's features.
_FRAMES_PER_S = 100
#: Punctuation that belongs to the word after it, and to the one before it.
_OPENING, _CLOSING = "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、"


def timed_words(model: Any, tokenizer: Any, encoded: Any, tokens: Sequence[int], window: Window) -> list[Word]:
    """Return the words of a window.

    Args:
        model: faster-whisper's model; it aligns words with sound, and shortens those that reach into a pause.
        tokenizer: The one that the tokens were written with.
        encoded: The window as the model's sound half left it.
        tokens: What was written.
        window: Maps positions to times.
    """
    part: dict[str, Any] = {"seek": 0, "start": 0.0, "end": window.duration_s, "tokens": list(tokens)}
    frames = round(window.duration_s * _FRAMES_PER_S)
    model.add_word_timestamps([[part]], tokenizer, encoded, frames, _OPENING, _CLOSING, 0.0)
    words = part.get("words", [])
    if words and words[0]["start"] < window.onset_s < words[0]["end"]:
        words[0]["start"] = window.onset_s  # the first word is given all of the silence before it
    return [_word(raw, window) for raw in words]


def _word(raw: dict[str, Any], window: Window) -> Word:
    # Both ends by the piece that holds the word's middle: a word is not torn by a pause that was cut out.
    start_s, end_s = float(raw["start"]), float(raw["end"])
    middle_s = (start_s + end_s) / 2
    shift_s = window.time_s(middle_s) - middle_s
    return Word(raw["word"], round(start_s + shift_s, 3), round(end_s + shift_s, 3), float(raw["probability"]))


def take_tokens(tokens: Sequence[int], chars: int, decode: Callable[[list[int]], str]) -> int:
    """Return how many of the tokens make up the first `chars` characters of their text."""
    for count in range(1, len(tokens) + 1):
        if len(decode(list(tokens[:count]))) >= chars:
            return count
    return len(tokens)
