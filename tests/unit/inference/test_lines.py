"""Where words are broken into lines."""

from __future__ import annotations

from tightship.inference.lines import lines
from tightship.inference.speech import Word


def spoken(text: str, *, word_s: float = 0.4, gaps_s: dict[int, float] | None = None) -> list[Word]:
    """Return the words of a text, said one after the other, with gaps before some."""
    words, at_s = [], 0.0
    for number, word in enumerate(text.split()):
        at_s += (gaps_s or {}).get(number, 0.0)
        words.append(Word(f" {word}", at_s, at_s + word_s, 1.0))
        at_s += word_s
    return words


def texts(words: list[Word]) -> list[str]:
    return ["".join(word.word for word in line).strip() for line in lines(words)]


def test_a_sentence_is_a_line() -> None:
    """A full stop ends it."""
    assert texts(spoken("He came. She went!")) == ["He came.", "She went!"]


def test_a_pause_ends_a_line() -> None:
    """Whatever was said, more than a second of silence parts it."""
    assert texts(spoken("one two three", gaps_s={2: 1.5})) == ["one two", "three"]


def test_a_long_sentence_is_broken_after_a_clause() -> None:
    """The last comma that fits is the place."""
    text = "when the night had come, and the land was dark, and the moon was the only light that we could see there"

    assert texts(spoken(text)) == [
        "when the night had come, and the land was dark,",
        "and the moon was the only light that we could see there",
    ]


def test_without_a_comma_the_longest_breath_is_the_place() -> None:
    """Speakers breathe between phrases."""
    text = "ask not what your country can do for you ask now what else you can do for it"

    assert texts(spoken(text, gaps_s={3: 0.1, 9: 0.5}))[0] == "ask not what your country can do for you"


def test_no_word_is_lost() -> None:
    """However long a text without any mark is, its words come out as they went in."""
    words = spoken("word " * 200)

    broken = list(lines(words))

    assert [word for line in broken for word in line] == words
    assert all(line[-1].end - line[0].start <= 7.0 for line in broken)


def test_a_word_that_lasts_for_ever_stands_alone() -> None:
    """It is too long for a line, but there is nothing to break."""
    assert len(texts(spoken("aaaa bbbb", word_s=9.0))) == 2


def test_nothing_said_is_no_line() -> None:
    """No words, no lines."""
    assert texts([]) == []
