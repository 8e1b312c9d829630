"""The form of OpenAI's audio routes: its fields, and those that compatible servers added, as options of `transcribe`.

Source: https://platform.openai.com/docs/api-reference/audio
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from tightship.errors import InvalidOptions
from tightship.http.field import Fields, Order
from tightship.inference.language import code_of
from tightship.operations.transcript import Format

#: Fields that count, without the brackets that mark a list.
FIELDS = (
    "model", "language", "languages", "prompt", "keywords", "response_format", "temperature",
    "timestamp_granularities", "stream", "include", "chunking_strategy", "hotwords", "vad_filter", "without_timestamps",
)  # fmt: skip
#: Those that may be there more than once.
_LISTS = frozenset({"languages", "keywords", "timestamp_granularities", "include", "chunking_strategy"})
#: Fields that ask for what is not done here; others that are not known change nothing that somebody could miss.
_SPEAKERS = frozenset({"known_speaker_names", "known_speaker_references"})
#: Formats in which the text can be told piece by piece.
_STREAMED = frozenset({"json", "text"})
_TRUTH = {**dict.fromkeys(("true", "1", "yes", "on"), True), **dict.fromkeys(("false", "0", "no", "off"), False)}
#: Characters of a prompt that count, the last ones: OpenAI's API hears the last 224 tokens, and refuses no more.
_PROMPT_CHARS = 4096
#: Characters of a wrong value that are worth repeating.
_SHOWN_CHARS = 40


@dataclass(frozen=True)
class Manner:
    """How the answer is to look.

    Args:
        form: Its format.
        stream: Whether the text is told piece by piece, as it is written.
    """

    form: Format
    stream: bool


class AudioWording:
    """One form of OpenAI's audio routes.

    Args:
        task: `translate` for the route that translates.
    """

    def __init__(self, task: Literal["transcribe", "translate"]) -> None:
        self._task = task
        #: How the answer is to look; known when the form has been read.
        self.manner = Manner("json", False)

    def admits(self, name: str, count: int) -> bool:
        """Take the fields that count, lists more than once."""
        plain = _plain(name)
        if plain in _SPEAKERS:
            raise InvalidOptions(f"{plain}: speakers are not told apart here", option=plain)
        if count and plain in FIELDS and plain not in _LISTS:
            raise InvalidOptions(f"the form has more than one {plain}", option=plain)
        return plain in FIELDS

    def tells(self, fields: Fields) -> bool:
        """Know what is to be done when the model is named, and the format too where times of words hang on it."""
        names = set(map(_plain, fields))
        return "model" in names and ("response_format" in names or "timestamp_granularities" not in names)

    def order(self, fields: Fields) -> Order:
        """Return a job that transcribes or translates."""
        told = _Told(fields)
        form = told.choice("response_format", get_args(Format)) or "json"
        self.manner = Manner(cast("Format", form), told.truth("stream") or False)
        told.truth("without_timestamps")  # whether times are told is the format's to say
        _refuse_the_impossible(told)
        options = {
            "model": told.one("model"),
            "language": told.one("language") or _only_language(told),
            "prompt": (told.one("prompt") or "")[-_PROMPT_CHARS:].strip() or None,
            "hotwords": ", ".join([*told.all("hotwords"), *told.all("keywords")]) or None,
            "temperature": told.number("temperature"),
            "vad_filter": told.truth("vad_filter"),
            "task": self._task,
            "format": "text" if self.manner.stream else form,
            **_granularity(told, form),
        }
        if self.manner.stream and form not in _STREAMED:
            raise _wrong("response_format", form, "with stream=true it must be json or text")
        return Order("transcribe", {name: value for name, value in options.items() if value is not None}, attended=True)


class _Told:
    """The values of a form, an empty one being none."""

    def __init__(self, fields: Fields) -> None:
        self._values: dict[str, list[str]] = {}
        for name, values in fields.items():
            self._values.setdefault(_plain(name), []).extend(value for value in values if value.strip())
        self.names = tuple(name for name, values in fields.items() if any(value.strip() for value in values))

    def all(self, name: str) -> Sequence[str]:
        return self._values.get(name, [])

    def one(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)

    def choice(self, name: str, known: Iterable[str]) -> str | None:
        value = self.one(name)
        if value is not None and value.strip() not in known:
            raise _wrong(name, value, f"it must be one of {', '.join(known)}")
        return value and value.strip()

    def truth(self, name: str) -> bool | None:
        value = self.one(name)
        if value is not None and value.strip().lower() not in _TRUTH:
            raise _wrong(name, value, "it must be true or false")
        return None if value is None else _TRUTH[value.strip().lower()]

    def number(self, name: str) -> float | None:
        value = self.one(name)
        try:
            return None if value is None else float(value)
        except ValueError:
            raise _wrong(name, value, "it must be a number") from None


def _plain(name: str) -> str:
    """Return a field's name without what marks it as a list, or as a part of something: `include[]`, `a[b]`."""
    return name.partition("[")[0]


def _granularity(told: _Told, form: str) -> Mapping[str, Any]:
    """Return the options that tell times: segments unless words alone are asked for."""
    asked = {value.strip() for value in told.all("timestamp_granularities")}
    if odd := sorted(asked - {"word", "segment"}):
        raise _wrong("timestamp_granularities", odd[0], "it must be word or segment")
    if "word" in asked and form != "verbose_json":
        raise _wrong("timestamp_granularities", "word", f"it needs response_format=verbose_json, not {form}")
    return {"words": True, "segments": "segment" in asked} if "word" in asked else {}


def _only_language(told: _Told) -> str | None:
    """Return the language spoken where but one is possible; among several the model decides by what it hears."""
    possible = told.all("languages")
    for language in possible:
        if code_of(language) is None:
            raise _wrong("languages", language, "it must be a code such as en, or an English name")
    return possible[0] if len(possible) == 1 else None


def _refuse_the_impossible(told: _Told) -> None:
    if wanted := told.one("include"):
        raise _wrong("include", wanted, "probabilities of tokens are not told here; verbose_json has those of segments")
    if odd := [
        name for name in told.names if name.startswith("chunking_strategy[") and name != "chunking_strategy[type]"
    ]:
        raise _wrong("chunking_strategy", odd[0], "where speech is cut cannot be tuned here; it must be auto")
    for value in told.all("chunking_strategy"):
        if value.strip() not in ("auto", "server_vad") and _decoded(value) != {"type": "server_vad"}:
            raise _wrong("chunking_strategy", value, "where speech is cut cannot be tuned here; it must be auto")


def _decoded(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _wrong(name: str, value: str | None, why: str) -> InvalidOptions:
    shown = (value or "")[:_SHOWN_CHARS]
    return InvalidOptions(f"{name}={shown}: {why}", option=name, value=shown)
