"""Break the words of a window into segments that read like lines of subtitles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tightship.inference.speech import Word

#: Characters that end a sentence.
SENTENCE = (".", "!", "?", "。", "！", "？", "…")
#: Characters that end a clause.
_CLAUSE = (",", ";", ":", "-", "—", "、", "，", "；", "：")
#: Seconds of silence after which a new segment begins whatever was said.
_PAUSE_S = 1.0
#: Seconds and characters of one segment at most: two lines of subtitles, and what can be read in that time.
_MOST_S, _MOST_CHARS = 7.0, 84
#: Seconds of silence that part two halves of a long sentence, where no comma does.
_BREATH_S = 0.2
#: Words that a segment keeps when it is broken at a clause.
_LEAST_WORDS = 3


def lines(words: Sequence[Word]) -> Iterator[tuple[Word, ...]]:
    """Yield the words of each segment: a sentence, or so much of it as can be shown at once."""
    line: list[Word] = []
    for word in words:
        if line and (word.start - line[-1].end > _PAUSE_S or _ends(line[-1], SENTENCE)):
            yield tuple(line)
            line = []
        line.append(word)
        while _too_long(line):
            at = _break_of(line)
            yield tuple(line[:at])
            line = line[at:]
    if line:
        yield tuple(line)


def _too_long(line: Sequence[Word]) -> bool:
    chars = sum(len(word.word) for word in line)
    return len(line) > 1 and (line[-1].end - line[0].start > _MOST_S or chars > _MOST_CHARS)


def _break_of(line: Sequence[Word]) -> int:
    """Return how many words stay: up to the last clause that ends in the line, else to the longest breath in it."""
    clauses = [at for at in range(_LEAST_WORDS, len(line)) if _ends(line[at - 1], _CLAUSE)]
    if clauses:
        return clauses[-1]
    breaths = [(line[at].start - line[at - 1].end, at) for at in range(_LEAST_WORDS, len(line))]
    breath_s, at = max(breaths, default=(0.0, 0))
    return at if breath_s >= _BREATH_S else len(line) - 1


def _ends(word: Word, marks: tuple[str, ...]) -> bool:
    return word.word.rstrip("\"'”)] ").endswith(marks)
