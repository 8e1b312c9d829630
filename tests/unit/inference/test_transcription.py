"""From samples to segments, with a model that needs no weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tests.unit.inference.test_windowing import Loud, stream
from tightship.errors import Cancelled
from tightship.inference.speech import Language, Request, Segment, Word
from tightship.inference.transcription import Transcription
from tightship.inference.window import RATE_HZ, Window


class FakeRecognizer:
    """Writes one segment per window, some tenths of a second longer than the window was."""

    batch_size = 2

    def __init__(self, sure: float = 1.0) -> None:
        self.batches: list[int] = []
        self.asked: list[int] = []
        self.languages: list[str] = []
        self._sure = sure

    def detector(self) -> Loud:
        return Loud()

    def hear(self, window: Window) -> float:
        return window.start_s

    def language_of(self, heard: Sequence[object]) -> Language:
        self.asked.append(len(heard))
        return Language("fr", self._sure)

    def write(
        self, windows: Sequence[Window], heard: Sequence[object], request: Request, language: str
    ) -> list[list[Segment]]:
        assert list(heard) == [window.start_s for window in windows]
        self.batches.append(len(windows))
        self.languages.append(language)
        return [self._segments(window, request) for window in windows]

    def _segments(self, window: Window, request: Request) -> list[Segment]:
        return [self._segment(window, request)]

    def _segment(self, window: Window, request: Request) -> Segment:
        end_s = window.end_s + 0.3
        words = (Word(" a", window.start_s, end_s, 0.9),) if request.words else None
        return Segment(0, round(window.start_s * 100), window.start_s, end_s, " a", (1,), 0.0, -0.1, 1.0, 0.0, words)


def blocks(samples: np.ndarray) -> list[np.ndarray]:
    return [samples[at : at + RATE_HZ] for at in range(0, samples.size, RATE_HZ)]


LONG = stream(*[25, 1.0] * 5)


def test_segments_are_numbered_and_never_overlap() -> None:
    """Where a model writes past its window's end, the next segment begins there."""
    found = list(Transcription(FakeRecognizer(), blocks(LONG), Request(words=True)))

    assert [segment.id for segment in found] == list(range(5))
    assert all(one.end <= other.start for one, other in pairwise(found))
    assert all(each.start <= word.start <= word.end <= each.end for each in found for word in each.words or ())


@pytest.mark.parametrize(("batch_size", "expected"), [(None, [2, 2, 1]), (1, [1] * 5), (8, [5])])
def test_windows_are_written_down_in_batches(batch_size: int | None, expected: list[int]) -> None:
    """The model's own size holds, unless another is asked for; the rest is not forgotten."""
    recognizer = FakeRecognizer()

    list(Transcription(recognizer, blocks(LONG), Request(), batch_size=batch_size))

    assert recognizer.batches == expected


@pytest.mark.parametrize(
    ("sure", "language", "expected"), [(1.0, None, [1, 2, 2]), (0.4, None, [2, 2, 1]), (0.4, "fr", [1, 2, 2])]
)
def test_the_first_text_comes_early(sure: float, language: str | None, expected: list[int]) -> None:
    """The first window is written down alone, where it tells the language; the text is the same."""
    recognizer = FakeRecognizer(sure)

    found = list(Transcription(recognizer, blocks(LONG), Request(language=language), early=True))

    assert recognizer.batches == expected
    assert found == list(Transcription(FakeRecognizer(sure), blocks(LONG), Request(language=language)))


def test_windows_without_words_do_not_use_the_early_text_up() -> None:
    """As long as nothing was written down, each goes alone."""

    class Mute(FakeRecognizer):
        def _segments(self, window: Window, request: Request) -> list[Segment]:
            return [] if len(self.batches) < 2 else super()._segments(window, request)

    recognizer = Mute()

    list(Transcription(recognizer, blocks(LONG), Request(), early=True))

    assert recognizer.batches == [1, 1, 2, 1]


@pytest.mark.parametrize(
    ("batch_size", "temperature", "prompts"),
    [
        (1, 0.0, ["Names.", "Names. a.", "Names. a. a.", "Names. a. a. a.", "Names. a. a. a. a."]),
        (1, 0.8, ["Names."] * 5),
        (2, 0.0, ["Names."] * 3),
    ],
)
def test_a_window_is_told_what_stands_before_it(batch_size: int, temperature: float, prompts: list[str]) -> None:
    """One by one, behind the prompt that was given; not in a batch, and not what is doubtful."""

    class Listening(FakeRecognizer):
        def __init__(self) -> None:
            super().__init__()
            self.prompts: list[str | None] = []

        def _segments(self, window: Window, request: Request) -> list[Segment]:
            return [replace(self._segment(window, request), text=" a.", temperature=temperature)]

        def write(
            self, windows: Sequence[Window], heard: Sequence[object], request: Request, language: str
        ) -> list[list[Segment]]:
            self.prompts.append(request.prompt)
            return super().write(windows, heard, request, language)

    recognizer = Listening()

    list(Transcription(recognizer, blocks(LONG), Request(prompt="Names."), batch_size=batch_size))

    assert recognizer.prompts == prompts


class Hasty(FakeRecognizer):
    """Writes the first ten seconds of what it hears; with `deaf`, nothing of a second hearing."""

    def __init__(self, deaf: bool = False) -> None:
        super().__init__()
        self._deaf = deaf

    def _segments(self, window: Window, request: Request) -> list[Segment]:
        segment = self._segment(window, request)
        if self._deaf and self.batches and self.batches[-1] == 1:
            return []
        return [replace(segment, end=min(segment.end, window.start_s + 10.0))]


def test_what_a_model_leaves_out_is_heard_again() -> None:
    """Each window's rest is heard until none is left, in order, before the next window."""
    recognizer = Hasty()

    found = list(Transcription(recognizer, blocks(LONG), Request()))

    assert len(found) == 15
    assert all(one.end <= other.start for one, other in pairwise(found))
    assert max(other.start - one.end for one, other in pairwise(found)) < 2.0
    assert recognizer.batches == [2, *[1] * 4, 2, *[1] * 4, 1, *[1] * 2]


def test_what_is_left_out_at_the_end_begins_the_next_window() -> None:
    """Where windows are heard one by one and there is room, no hearing is spent on a rest alone."""

    class Brief(FakeRecognizer):
        windows: tuple[Window, ...] = ()

        def _segments(self, window: Window, request: Request) -> list[Segment]:
            self.windows = (*self.windows, window)
            segment = self._segment(window, request)
            return [replace(segment, end=segment.end - 8.0)] if len(self.windows) == 1 else [segment]

    recognizer = Brief()
    told: list[float] = []

    def progress(done_s: float) -> bool:
        told.append(done_s)
        return False

    found = list(Transcription(recognizer, blocks(LONG), Request(), batch_size=1, progress=progress))

    first, second, *_ = recognizer.windows
    assert second.start_s == pytest.approx(found[0].end, abs=0.1)
    assert second.start_s < first.end_s < second.end_s
    assert all(one.end <= other.start for one, other in pairwise(found))
    assert all(one <= other for one, other in pairwise(told))


class Selective(FakeRecognizer):
    """Writes down three seconds of a long window, from its tenth on; of a short one, all."""

    def _segments(self, window: Window, request: Request) -> list[Segment]:
        segment = self._segment(window, request)
        if window.duration_s < 20:
            return [segment]
        return [replace(segment, start=window.start_s + 10, end=window.start_s + 13)]


def test_what_stands_before_the_first_word_is_heard_again() -> None:
    """A hole is heard on its own, wherever it is, and its text stands where it was said."""
    recognizer = Selective()

    found = list(Transcription(recognizer, blocks(LONG[: RATE_HZ * 25]), Request(), batch_size=1))

    assert recognizer.batches == [1, 1, 1]
    assert [segment.id for segment in found] == [0, 1, 2]
    assert [segment.start for segment in found] == pytest.approx([0, 10, 13], abs=0.4)


def test_a_hole_in_a_hole_keeps_its_place() -> None:
    """What a second hearing leaves out is heard before what follows it."""

    class Halting(Selective):
        def _segments(self, window: Window, request: Request) -> list[Segment]:
            found = super()._segments(window, request)
            return [replace(each, end=min(each.end, each.start + 3)) for each in found]

    recognizer = Halting()

    found = list(Transcription(recognizer, blocks(LONG), Request(), batch_size=1))

    assert all(one.end <= other.start < one.end + 2.5 for one, other in pairwise(found))


def test_what_nobody_can_hear_is_left() -> None:
    """A rest of which the model makes nothing is not heard a third time."""
    recognizer = Hasty(deaf=True)

    assert len(list(Transcription(recognizer, blocks(LONG[: RATE_HZ * 51]), Request()))) == 2
    assert recognizer.batches == [2, 1, 1]


@pytest.mark.parametrize(
    ("text", "told"), [(" seventeen" * 24 + " eight.", " seventeen" * 19 + " eight."), (" seventeen" * 25, None)]
)
def test_what_is_told_of_the_text_before(text: str, told: str | None) -> None:
    """Half a word is not, and nothing that has no stop: the model would go on without one."""

    class Talking(FakeRecognizer):
        prompts: list[str | None]

        def write(
            self, windows: Sequence[Window], heard: Sequence[object], request: Request, language: str
        ) -> list[list[Segment]]:
            self.prompts = [*getattr(self, "prompts", []), request.prompt]
            return super().write(windows, heard, request, language)

        def _segments(self, window: Window, request: Request) -> list[Segment]:
            return [replace(self._segment(window, request), text=text)]

    recognizer = Talking()

    list(Transcription(recognizer, blocks(LONG), Request(), batch_size=1))

    assert recognizer.prompts[1:] == [told and told.strip()] * 4


def test_a_soft_deadline_ends_the_second_hearing() -> None:
    """What was written is kept; what was left out is left."""
    recognizer = Hasty()
    work = Transcription(recognizer, blocks(LONG), Request(), progress=lambda _: len(recognizer.batches) > 0)

    found = list(work)

    assert work.stopped_early
    assert recognizer.batches == [2]
    assert len(found) == 2


def test_segments_come_before_the_end_is_read() -> None:
    """Whoever listens hears of the first windows while the last are still to be read."""
    read: list[int] = []

    def reading():  # type: ignore[no-untyped-def]
        for number, block in enumerate(blocks(LONG)):
            read.append(number)
            yield block

    next(iter(Transcription(FakeRecognizer(), reading(), Request())))

    assert len(read) < len(blocks(LONG))


def test_a_given_language_is_not_asked_for() -> None:
    """Detection costs time and can be wrong."""
    recognizer = FakeRecognizer()
    work = Transcription(recognizer, blocks(LONG), Request(language="de"))

    list(work)

    assert (recognizer.asked, set(recognizer.languages)) == ([], {"de"})
    assert work.language == Language("de", 1.0)


@pytest.mark.parametrize(("sure", "asked"), [(0.9, [1]), (0.3, [1, 2])])
def test_a_doubtful_language_is_asked_of_more_windows(sure: float, asked: list[int]) -> None:
    """One window decides when it is clear, else the whole first batch does."""
    recognizer = FakeRecognizer(sure)
    work = Transcription(recognizer, blocks(LONG), Request())

    list(work)

    assert recognizer.asked == asked
    assert work.language is not None
    assert work.language.code == "fr"


def test_progress_never_falls_and_reaches_the_end() -> None:
    """It grows in silence, too, and ends at the whole length."""
    told: list[float] = []
    samples = np.concatenate([LONG, np.zeros(RATE_HZ * 40, np.float32)])

    list(Transcription(FakeRecognizer(), blocks(samples), Request(), progress=lambda done_s: bool(told.append(done_s))))

    assert all(one <= other for one, other in pairwise(told))
    assert told[-1] == pytest.approx(samples.size / RATE_HZ)
    assert len(set(told[-30:])) >= 29


def test_a_soft_deadline_keeps_what_was_heard() -> None:
    """Windows that have been heard are written down; nothing more is read."""
    calls: list[float] = []

    def progress(done_s: float) -> bool:
        calls.append(done_s)
        return len(calls) == 40

    work = Transcription(FakeRecognizer(), blocks(LONG), Request(), progress=progress)
    found = list(work)

    assert work.stopped_early
    assert len(found) == 1
    assert len(calls) == 40


def test_a_cancel_acts_between_windows() -> None:
    """What progress raises ends the work at once."""
    recognizer = FakeRecognizer()

    def progress(done_s: float) -> bool:
        if done_s > 20:
            raise Cancelled("enough")
        return False

    with pytest.raises(Cancelled):
        list(Transcription(recognizer, blocks(LONG), Request(), progress=progress))

    assert len(recognizer.batches) <= 1


def test_silence_has_no_segments_and_no_language() -> None:
    """Nothing is asked of the model."""
    recognizer = FakeRecognizer()
    work = Transcription(recognizer, blocks(np.zeros(RATE_HZ * 100, np.float32)), Request())

    assert list(work) == []
    assert work.language is None
    assert recognizer.batches == []
