"""When each word was said, from what the model attended to while it wrote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tightship.inference.speech import Word
from tightship.inference.window import CHUNK_S, Window

#: Frames per second of a window's features.
_FRAMES_PER_S = 100
#: Punctuation that belongs to the word after it, and to the one before it.
_OPENING, _CLOSING = "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、"

#: Seconds of silence that lie beside a word, not in it.
_PAUSE_S = 0.2
#: Seconds of voice behind a pause that can be a word; less is an echo or a breath.
_LEAST_VOICE_S = 0.1
#: Seconds of voice before a word that can be its own; more is something left out.
_MOST_VOICE_S = 1.0


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
    words: list[Word] = []
    ended_s = 0.0
    for raw in part.get("words", []):
        start_s, ended_s = fitted(float(raw["start"]), float(raw["end"]), ended_s, window.voiced)
        words.append(_word(raw, start_s, ended_s, window))
    return words


def fitted(start_s: float, end_s: float, before_s: float, voiced: Sequence[bool]) -> tuple[float, float]:
    """Fit a word to the voice: it holds no pause, and begins where its voice does.

    A model gives the silence before a word to the word, and now and then a word's beginning to the comma before it.

    Args:
        start_s, end_s: Where the model sees the word, in seconds of its window.
        before_s: Where the word before ends.
        voiced: Whether there is a voice in each chunk of the window.

    Returns:
        Where the word begins and ends.
    """
    first = int(start_s / CHUNK_S)
    begin, end = (first + at for at in _longest_pause(voiced[first : round(end_s / CHUNK_S)]))
    if (end - begin) * CHUNK_S >= _PAUSE_S:
        if sum(voiced[end : round(end_s / CHUNK_S)]) * CHUNK_S >= _LEAST_VOICE_S:
            start_s = end * CHUNK_S
        elif any(voiced[first:begin]):
            end_s = begin * CHUNK_S
    at = int(start_s / CHUNK_S)
    while at > 0 and (at - 1) * CHUNK_S >= before_s and sum(voiced[at - 1 : at + 1]) == 2:
        at -= 1
    if start_s - at * CHUNK_S <= _MOST_VOICE_S:
        start_s = min(start_s, max(before_s, at * CHUNK_S))
    return start_s, max(start_s, end_s)


def _longest_pause(voiced: Sequence[bool]) -> tuple[int, int]:
    """Return where the longest run without a voice begins and ends."""
    longest = begin = end = 0
    for at, voice in enumerate([*voiced, True]):
        if voice:
            if at - begin > longest:
                longest, end = at - begin, at
            begin = at + 1
    return end - longest, end


def _word(raw: dict[str, Any], start_s: float, end_s: float, window: Window) -> Word:
    # Both ends by the piece that holds the word's middle: a word is not torn by a pause that was cut out.
    middle_s = (start_s + end_s) / 2
    shift_s = window.time_s(middle_s) - middle_s
    return Word(raw["word"], round(start_s + shift_s, 3), round(end_s + shift_s, 3), float(raw["probability"]))


def take_tokens(tokens: Sequence[int], chars: int, decode: Callable[[list[int]], str]) -> int:
    """Return how many of the tokens make up the first `chars` characters of their text."""
    for count in range(1, len(tokens) + 1):
        if len(decode(list(tokens[:count]))) >= chars:
            return count
    return len(tokens)
