"""The report in a terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tightship.leaks.output.figure import quantity, without_unit
from tightship.leaks.output.plot import HEIGHT, WIDTH, plot
from tightship.leaks.output.words import in_words, warnings

from .reports import BY_GC, FDS, HEAP, ORIGIN, RSS, report


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (1536, "bytes", "1.5 KiB"),
        (148.2, "bytes", "148 B"),
        (0.25, "bytes", "0.25 B"),
        (1, "processes", "1 process"),
        (1.0, "descriptors", "1 descriptor"),
        (0.04, "threads", "0.04 threads"),
        (12345, "blocks", "12,345 blocks"),
        (float("inf"), "bytes", "unknown"),
    ],
)
def test_quantity_carries_its_unit(value: float, unit: str, words: str) -> None:
    """A figure reads as people say it."""
    assert quantity(value, unit) == words


def test_bytes_keep_their_unit_where_others_drop_it() -> None:
    """Beside an axis only what varies is repeated."""
    assert (without_unit(2048, "bytes"), without_unit(7, "threads")) == ("2.0 KiB", "7")


def test_verdict_comes_first() -> None:
    """Who reads one line knows."""
    assert in_words(report(FDS)).splitlines()[0] == "STEADY  app:work: 812 steps in 3.2 s"


def test_leak_is_told_with_rate_place_and_holder() -> None:
    """What grows, how fast, and where it comes from: without the calls of whoever ran the test."""
    text = in_words(report(HEAP, FDS))

    assert "native heap in use: grows by 1.0 KiB a step (1000 B to 1.1 KiB)" in text
    assert "  from /home/me/app/cache.py:12, bytearray, 1.0 KiB a step\n" in text
    assert "/home/me/app/web.py:40 in handle" in text
    assert "pluggy" not in text
    assert "held by list, by dict `CACHE`" in text


def test_stack_of_the_runner_alone_is_told() -> None:
    """Where nothing else is known, the runner's calls are better than none."""
    origin = replace(ORIGIN, stack=("/venv/pluggy/_manager.py:1 in call",))

    assert "pluggy" in in_words(report(replace(HEAP, where=(origin,))))


def test_origins_beyond_the_first_are_counted() -> None:
    """A long list is cut, and says so."""
    assert "and 2 more places" in in_words(report(replace(HEAP, where=(ORIGIN,) * 5)))


def test_what_is_steady_is_told_with_what_would_have_shown() -> None:
    """A clean verdict says how fine it looked."""
    assert in_words(report(FDS)).endswith(
        "would have shown: open descriptors (0.02)\nnot told by this system: GPU memory"
    )


def test_warnings_name_what_gc_released_and_what_is_undecided() -> None:
    """Neither is a leak, both are worth a look."""
    told = warnings(report(FDS, RSS, findings=(BY_GC,)))

    assert told[0] == "warning: Only the garbage collector frees 12 blocks a step."
    assert told[1].startswith("undecided: anonymous memory. The noise")


@pytest.mark.parametrize("plain", [True, False])
def test_plot_rises_with_its_series(plain: bool) -> None:
    """The first column is low, the last is high, and every line fits."""
    *rows, axis = plot(HEAP, plain=plain)

    assert len(rows) == HEIGHT
    bar = "|" if plain else "│"
    bodies = [row.partition(bar)[2] for row in rows]
    assert len(bodies[0]) == WIDTH
    assert bodies[0].startswith(" ")
    assert bodies[-1][0] != " "
    assert axis.split() == ["step", "0", "390"]


def test_ascii_plot_needs_no_braille() -> None:
    """A terminal without Unicode gets a picture too."""
    assert "\n".join(plot(HEAP, plain=True)).isascii()


def test_two_points_are_no_plot() -> None:
    """They show nothing that the slope does not say."""
    assert plot(replace(HEAP, points=HEAP.points[:2])) == []
