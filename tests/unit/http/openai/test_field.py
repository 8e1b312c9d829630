"""Forms of OpenAI's clients, as options of `transcribe`."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tightship.errors import InvalidOptions
from tightship.http.openai.field import AudioWording, Manner
from tightship.operations.registry import operation_named
from tightship.operations.validation import validate


def order(**fields: str | list[str]) -> tuple[dict[str, Any], Manner]:
    """Read a form; `__` in a name stands for brackets."""
    wording = AudioWording("transcribe")
    told: dict[str, list[str]] = {}
    for name, value in fields.items():
        name = name.replace("__", "[]")
        for count, each in enumerate(value if isinstance(value, list) else [value]):
            if wording.admits(name, count):
                told.setdefault(name, []).append(each)
    asked = wording.order(told)
    assert asked.operation == "transcribe"
    assert asked.attended
    validate(operation_named("transcribe"), asked.options)
    return dict(asked.options), wording.manner


def test_nothing_but_a_file_is_a_transcription_as_json() -> None:
    """By the default model."""
    assert order() == ({"task": "transcribe", "format": "json"}, Manner("json", False))


def test_fields_are_options() -> None:
    """Each under our name, and of its type."""
    options, _ = order(
        model="tiny.en",
        language="English",
        prompt="Names: Ada.",
        hotwords="Ada",
        temperature="0.2",
        response_format="srt",
        vad_filter="False",
        without_timestamps="true",
        chunking_strategy="auto",
    )
    assert options == {
        "model": "tiny.en", "language": "English", "prompt": "Names: Ada.", "hotwords": "Ada", "temperature": 0.2,
        "format": "srt", "vad_filter": False, "task": "transcribe",
    }  # fmt: skip


def test_keywords_are_hotwords() -> None:
    """What OpenAI calls so; both may be there."""
    assert order(keywords__=["Ada", "Krel"])[0]["hotwords"] == "Ada, Krel"
    assert order(hotwords="Sir", keywords__=["Ada"])[0]["hotwords"] == "Sir, Ada"


@pytest.mark.parametrize(
    ("fields", "language"),
    [
        ({"languages__": ["fr"]}, "fr"),
        ({"languages": "fr", "language": "de"}, "de"),
        ({"languages__": ["fr", "de"]}, None),
    ],
)
def test_the_only_possible_language_is_the_one_spoken(fields: dict[str, Any], language: str | None) -> None:
    """Among several the model decides."""
    assert order(**fields)[0].get("language") == language


def test_of_a_long_prompt_the_end_counts() -> None:
    """As in OpenAI's API, which refuses none for its length."""
    options, _ = order(prompt="and so on " * 600 + "Ada")
    assert len(options["prompt"]) <= 4096
    assert options["prompt"].endswith("so on Ada")


def test_an_empty_field_is_none() -> None:
    """Forms that are put together by others send fields that nobody filled in."""
    assert order(language="", temperature=" ", prompt="", stream="", include__=[""]) == order()


def test_a_field_that_is_not_known_changes_nothing() -> None:
    """New ones of OpenAI's are let pass."""
    assert order(user="me", languages__=["en", "de"]) == order()


@pytest.mark.parametrize("name", ["timestamp_granularities__", "timestamp_granularities"])
@pytest.mark.parametrize(
    ("asked", "options"),
    [
        (["word"], {"words": True, "segments": False}),
        (["word", "segment"], {"words": True, "segments": True}),
        (["segment"], {}),
    ],
)
def test_times_are_told_as_asked_for(name: str, asked: list[str], options: dict[str, bool]) -> None:
    """Segments go where words alone are asked for, with brackets or without."""
    told, _ = order(response_format="verbose_json", **{name: asked})
    assert {key: told[key] for key in ("words", "segments") if key in told} == options


def test_a_stream_is_made_from_plain_text() -> None:
    """Whatever way the answer is told, the job writes what has to be told in the end."""
    assert order(stream="true", response_format="json") == (
        {"task": "transcribe", "format": "text"},
        Manner("json", True),
    )


def test_translation_is_another_task() -> None:
    """The route decides."""
    assert AudioWording("translate").order({}).options["task"] == "translate"


@pytest.mark.parametrize(
    ("fields", "option", "value"),
    [
        ({"response_format": "diarized_json"}, "response_format", "diarized_json"),
        ({"response_format": "srt", "stream": "true"}, "response_format", "srt"),
        ({"timestamp_granularities__": ["word"]}, "timestamp_granularities", "json"),
        ({"timestamp_granularities": ["line"], "response_format": "verbose_json"}, "timestamp_granularities", "line"),
        ({"temperature": "warm"}, "temperature", "warm"),
        ({"temperature": "3"}, "temperature", "3"),
        ({"temperature": "nan"}, "temperature", "nan"),
        ({"language": "xx"}, "language", "xx"),
        ({"languages__": ["fr", "xx"]}, "languages", "xx"),
        ({"stream": "maybe"}, "stream", "maybe"),
        ({"vad_filter": "2"}, "vad_filter", "2"),
        ({"without_timestamps": "-"}, "without_timestamps", "-"),
        ({"include__": ["logprobs"]}, "include", "logprobs"),
        ({"chunking_strategy": '{"type": "server_vad", "threshold": 0.4}'}, "chunking_strategy", "threshold"),
        ({"chunking_strategy[threshold]": "0.4"}, "chunking_strategy", "threshold"),
        ({"known_speaker_names__": ["Ada"]}, "known_speaker_names", "speakers"),
        ({"model": ["a", "b"]}, "model", "more than one"),
        ({"hotwords": "a" * 5000}, "hotwords", "at most"),
    ],
)
def test_what_cannot_be_done_is_refused(fields: dict[str, Any], option: str, value: str) -> None:
    """The message names the field and what was in it."""
    with pytest.raises(InvalidOptions, match=re.escape(value)) as refusal:
        order(**fields)
    assert refusal.value.details["option"] == option


@pytest.mark.parametrize("value", ["auto", '{"type": "server_vad"}', "server_vad"])
def test_speech_is_cut_where_nobody_speaks(value: str) -> None:
    """Which is what both strategies of OpenAI's do."""
    assert order(chunking_strategy=value) == order()


def test_what_the_fields_after_the_file_decide_is_not_refused_before_it() -> None:
    """Times of words need a format that may still come; all else is known with the model."""
    tells = AudioWording("transcribe").tells
    assert tells({"model": ["tiny.en"]})
    assert not tells({"model": ["tiny.en"], "timestamp_granularities[]": ["word"]})
    assert tells({"model": ["tiny.en"], "timestamp_granularities[]": ["word"], "response_format": ["verbose_json"]})
