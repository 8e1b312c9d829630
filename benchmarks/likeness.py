"""How alike two transcripts are: in their words, and in when these were said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import jiwer
from whisper_normalizer.english import EnglishTextNormalizer

#: Seconds on either side of a cut in which words count as near it.
NEAR_S = 2.0

_plain = EnglishTextNormalizer()


@dataclass(frozen=True)
class Spoken:
    """A word and when it was said, in seconds."""

    word: str
    start: float
    end: float


def word_error_rate(truth: str, text: str) -> float:
    """Return the word error rate in per cent, after Whisper's English normaliser."""
    return 100 * jiwer.wer(_plain(truth), _plain(text))


def pairs(reference: Sequence[Spoken], words: Sequence[Spoken]) -> list[tuple[Spoken, Spoken]]:
    """Return the words that both transcripts have, each with its counterpart, in order."""
    reference, words = _named(reference), _named(words)
    (chunks,) = jiwer.process_words(
        " ".join(each.word for each in reference), " ".join(each.word for each in words)
    ).alignments
    return [
        pair
        for chunk in chunks
        if chunk.type == "equal"
        for pair in zip(
            reference[chunk.ref_start_idx : chunk.ref_end_idx],
            words[chunk.hyp_start_idx : chunk.hyp_end_idx],
            strict=True,
        )
    ]


def near(paired: Sequence[tuple[Spoken, Spoken]], cuts_s: Sequence[float]) -> list[tuple[Spoken, Spoken]]:
    """Return the pairs of words that lie near a cut."""
    return [pair for pair in paired if any(abs(pair[0].start - cut_s) <= NEAR_S for cut_s in cuts_s)]


def apart_s(pair: tuple[Spoken, Spoken]) -> float:
    """Return by how many seconds two words lie apart, by the end that is nearer.

    A pause beside a word is now and then given to the word: then one of its ends is off, and says nothing of its place.
    """
    one, other = pair
    return min(abs(one.start - other.start), abs(one.end - other.end))


def is_continuous(words: Sequence[Spoken]) -> bool:
    """Tell whether no word ends before it begins, or begins before the one before it has ended."""
    return all(word.start <= word.end for word in words) and all(
        one.end <= other.start for one, other in pairwise(words)
    )


def _named(words: Sequence[Spoken]) -> list[Spoken]:
    """Return the words in small letters, without punctuation and without those that are nothing else."""
    bare = [Spoken("".join(filter(str.isalnum, each.word.lower())), each.start, each.end) for each in words]
    return [each for each in bare if each.word]
