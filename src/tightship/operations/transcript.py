"""Write a transcript down: plain text, subtitles, or JSON as OpenAI's API answers it. Pure, and a piece at a time."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tightship.inference.language import NAMES

Format = Literal["json", "text", "srt", "vtt", "verbose_json"]
#: Endings of the names of files in each format.
SUFFIXES: Mapping[str, str] = {
    "json": ".json", "text": ".txt", "srt": ".srt", "vtt": ".vtt", "verbose_json": ".json",
}  # fmt: skip
#: Seconds that a subtitle is shown at least: what its times can tell.
_LEAST_S = 0.001
#: What parts the times of a subtitle, and so must not be in its text.
_ARROW = re.compile("-{2,}>")
#: A segment as plain JSON: `id, seek, start, end, text, tokens, temperature, avg_logprob, compression_ratio,
#: no_speech_prob`, and `words` where they were asked for.
Segment = Mapping[str, Any]


@dataclass(frozen=True)
class Summary:
    """What is known of a transcript as a whole.

    Args:
        task: `transcribe` or `translate`.
        language: Code of the language spoken.
        duration_s: Seconds of sound.
        words: Whether the segments carry their words.
        segments: Whether `verbose_json` tells the segments.
    """

    task: str
    language: str
    duration_s: float
    words: bool
    segments: bool = True


def render(form: Format, segments: Iterable[Segment], summary: Summary) -> Iterator[str]:
    """Yield the text of a file in the given format.

    Args:
        form: The format.
        segments: In order of time; gone through more than once, so no iterator.
        summary: What is known of the whole.
    """
    writers: dict[str, Callable[[Iterable[Segment], Summary], Iterator[str]]] = {
        "json": _json,
        "text": _text,
        "srt": _srt,
        "vtt": _vtt,
        "verbose_json": _verbose_json,
    }
    return writers[form](segments, summary)


def usage(duration_s: float) -> dict[str, object]:
    """Return what a transcription counts as: seconds begun."""
    return {"type": "duration", "seconds": math.ceil(duration_s)}


def plain_text(segments: Iterable[Segment]) -> str:
    """Return the words of all segments as one text."""
    return "".join(str(segment["text"]) for segment in segments).strip()


def clock_time(time_s: float, point: str) -> str:
    """Return hours, minutes, seconds and thousandths: `01:02:03,456` with a comma for a point."""
    thousandths = max(0, round(time_s * 1000))
    hours, rest = divmod(thousandths, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    seconds, rest = divmod(rest, 1000)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{point}{rest:03d}"


def _json(segments: Iterable[Segment], summary: Summary) -> Iterator[str]:
    yield json.dumps({"text": plain_text(segments), "usage": usage(summary.duration_s)}, ensure_ascii=False) + "\n"


def _text(segments: Iterable[Segment], _summary: Summary) -> Iterator[str]:
    # The first word's leading space goes; the others part the segments.
    first = True
    for segment in segments:
        yield str(segment["text"]).lstrip() if first else str(segment["text"])
        first = False
    yield "\n"


def _srt(segments: Iterable[Segment], _summary: Summary) -> Iterator[str]:
    for number, (segment, text) in enumerate(_shown(segments), start=1):
        yield f"{number}\n{_times(segment, ',')}\n{_ARROW.sub('->', text)}\n\n"


def _vtt(segments: Iterable[Segment], _summary: Summary) -> Iterator[str]:
    yield "WEBVTT\n\n"
    for segment, text in _shown(segments):
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        yield f"{_times(segment, '.')}\n{escaped}\n\n"


def _times(segment: Segment, point: str) -> str:
    """Return when a subtitle is shown; one that takes no time would be damage to some players."""
    start_s = round(segment["start"], 3)  # half a thousandth may be rounded up here and down a thousandth later
    return f"{clock_time(start_s, point)} --> {clock_time(max(segment['end'], start_s + _LEAST_S), point)}"


def _shown(segments: Iterable[Segment]) -> Iterator[tuple[Segment, str]]:
    """Yield what can be shown: a subtitle is one block of lines, and none is empty."""
    for segment in segments:
        text = " ".join(str(segment["text"]).split())
        if text:
            yield segment, text


def _verbose_json(segments: Iterable[Segment], summary: Summary) -> Iterator[str]:
    head = {
        "task": summary.task,
        "language": _name_of_language(summary),
        "duration": round(summary.duration_s, 3),
        "text": plain_text(segments),
        "usage": usage(summary.duration_s),
    }
    yield json.dumps(head, ensure_ascii=False)[:-1]
    if summary.segments:
        yield ', "segments": ['
        yield from _items({name: value for name, value in segment.items() if name != "words"} for segment in segments)
        yield "]"
    if summary.words:
        spoken = (
            {name: word[name] for name in ("word", "start", "end")} for each in segments for word in each["words"]
        )
        yield ', "words": ['
        yield from _items({**word, "word": word["word"].strip()} for word in spoken)
        yield "]"
    yield "}\n"


def _name_of_language(summary: Summary) -> str:
    """Return the English name of the text's language, which is what OpenAI's API tells; `und` where nobody spoke."""
    code = "en" if summary.task == "translate" else summary.language
    return NAMES.get(code, code)


def _items(values: Iterable[object]) -> Iterator[str]:
    comma = ""
    for value in values:
        yield comma + json.dumps(value, ensure_ascii=False)
        comma = ", "
