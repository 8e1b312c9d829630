"""A transcript in each of its formats."""

from __future__ import annotations

import json
import re

import pytest

from tightship.operations.transcript import Summary, clock_time, plain_text, render, usage

SUMMARY = Summary("transcribe", "en", 61.2, words=False)


def segment(number: int, start: float, end: float, text: str) -> dict[str, object]:
    return {
        "id": number, "seek": 0, "start": start, "end": end, "text": text, "tokens": [1, 2], "temperature": 0.0,
        "avg_logprob": -0.2, "compression_ratio": 1.1, "no_speech_prob": 0.01,
    }  # fmt: skip


TWO = [segment(0, 0.0, 1.5, " Hello there."), segment(1, 59.9996, 61.2, " Tom & Jerry <b>run</b> --> home.")]


def written(form: str, segments: list[dict[str, object]] = TWO, summary: Summary = SUMMARY) -> str:
    return "".join(render(form, segments, summary))  # type: ignore[arg-type]


def test_text_is_the_words_alone() -> None:
    """One line, no space before it."""
    assert written("text") == "Hello there. Tom & Jerry <b>run</b> --> home.\n"


def test_json_is_what_openai_answers() -> None:
    """The text, and what it counts as."""
    assert json.loads(written("json")) == {
        "text": "Hello there. Tom & Jerry <b>run</b> --> home.",
        "usage": {"type": "duration", "seconds": 62},
    }


def test_srt_is_numbered_from_one_with_commas() -> None:
    """Times round up into the next minute rightly, and no text looks like a time."""
    assert written("srt") == (
        "1\n00:00:00,000 --> 00:00:01,500\nHello there.\n\n"
        "2\n00:01:00,000 --> 00:01:01,200\nTom & Jerry <b>run</b> -> home.\n\n"
    )


@pytest.mark.parametrize("start_s", [0.0005, 1.0015, 1.0025, 2.5])
def test_every_subtitle_takes_time(start_s: float) -> None:
    """Also where the times are rounded to the same thousandth."""
    shown, hidden = written("srt", [segment(0, start_s, start_s, "Hello")]).splitlines()[1].split(" --> ")

    assert shown < hidden


@pytest.mark.parametrize("arrow", ["-->", "--->", "-" * 9 + ">"])
def test_no_text_in_srt_looks_like_a_time(arrow: str) -> None:
    """However long its arrows are: a player would take the line for the next subtitle's."""
    assert "1 -> 2" in (text := written("srt", [segment(0, 0, 1, f"1 {arrow} 2")]))
    assert text.count("-->") == 1


@pytest.mark.parametrize("form", ["srt", "vtt"])
def test_a_subtitle_ends_after_it_has_begun(form: str) -> None:
    """A segment may take no time, where the one before it lasts as long."""
    assert re.findall(r"\d\d[.,]\d{3}", written(form, [segment(0, 1.5, 1.5, " Yes.")])) in (
        ["01,500", "01,501"],
        ["01.500", "01.501"],
    )


def test_vtt_escapes_what_would_be_markup() -> None:
    """The header comes first; `&`, `<` and `>` are text."""
    assert written("vtt") == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello there.\n\n"
        "00:01:00.000 --> 00:01:01.200\nTom &amp; Jerry &lt;b&gt;run&lt;/b&gt; --&gt; home.\n\n"
    )


def test_verbose_json_carries_the_segments_as_they_are() -> None:
    """With the fields of OpenAI's answer, and no words unless they were asked for."""
    told = json.loads(written("verbose_json"))

    assert set(told) == {"task", "language", "duration", "text", "usage", "segments"}
    assert told["segments"] == TWO
    assert (told["task"], told["language"], told["duration"]) == ("transcribe", "english", 61.2)


@pytest.mark.parametrize(
    ("task", "code", "name"),
    [("transcribe", "ht", "haitian creole"), ("translate", "de", "english"), ("transcribe", "und", "und")],
)
def test_verbose_json_names_the_language_of_the_text(task: str, code: str, name: str) -> None:
    """In English, as OpenAI's API does; a translation is English, and of silence nobody knows."""
    told = json.loads(written("verbose_json", summary=Summary(task, code, 2.0, words=False)))

    assert (told["task"], told["language"]) == (task, name)


def test_verbose_json_may_tell_words_alone() -> None:
    """Where segments are not wanted."""
    words = [{"word": " Hello", "start": 0.0, "end": 0.5, "probability": 0.9}]
    told = json.loads(
        written(
            "verbose_json", [{**TWO[0], "words": words}], Summary("transcribe", "en", 2.0, words=True, segments=False)
        )
    )

    assert set(told) == {"task", "language", "duration", "text", "usage", "words"}


def test_verbose_json_lists_words_at_the_top() -> None:
    """Each with its time, without the spaces around it; the segments do not repeat them."""
    words = [{"word": " Hello", "start": 0.0, "end": 0.5, "probability": 0.9}]
    told = json.loads(
        written("verbose_json", [{**TWO[0], "words": words}], Summary("transcribe", "en", 2.0, words=True))
    )

    assert told["words"] == [{"word": "Hello", "start": 0.0, "end": 0.5}]
    assert "words" not in told["segments"][0]


@pytest.mark.parametrize(("form", "expected"), [("text", "\n"), ("srt", ""), ("vtt", "WEBVTT\n\n")])
def test_nothing_said_is_an_empty_file_of_its_format(form: str, expected: str) -> None:
    """Silence is no error."""
    assert written(form, []) == expected


@pytest.mark.parametrize("form", ["json", "verbose_json"])
def test_nothing_said_is_valid_json(form: str) -> None:
    """Silence is no error there either."""
    assert json.loads(written(form, []))["text"] == ""


def test_an_empty_segment_makes_no_subtitle() -> None:
    """A block without lines would end the file for some players, and blank lines would break it."""
    assert written("srt", [segment(0, 0, 1, "  "), segment(1, 1, 2, " a\n\nb ")]) == (
        "1\n00:00:01,000 --> 00:00:02,000\na b\n\n"
    )


@pytest.mark.parametrize(
    ("time_s", "expected"), [(0, "00:00:00.000"), (3661.0015, "01:01:01.002"), (359_999.9996, "100:00:00.000")]
)
def test_a_time_has_hours_minutes_seconds_and_thousandths(time_s: float, expected: str) -> None:
    """Beyond 99 hours too."""
    assert clock_time(time_s, ".") == expected


def test_usage_counts_seconds_begun() -> None:
    """As OpenAI bills them."""
    assert usage(0.2) == {"type": "duration", "seconds": 1}


def test_plain_text_keeps_languages_without_spaces_together() -> None:
    """The model's own spaces are the only ones."""
    assert plain_text([{"text": "こんにちは。"}, {"text": "元気?"}]) == "こんにちは。元気?"
