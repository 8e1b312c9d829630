"""Sizes and durations, read and written."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightship.errors import InvalidQuantity
from tightship.units import format_bytes, format_seconds, parse_bytes, parse_seconds


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("512 MiB", 512 * 2**20),
        ("512M", 512 * 2**20),
        ("1.5GB", 1_500_000_000),
        ("1.5 gib", 3 * 2**29),
        ("4096", 4096),
        (4096, 4096),
        (4096.9, 4096),
        ("10 kB", 10_000),
        ("10k", 10_240),
        ("2TiB", 2**41),
        ("  7 B ", 7),
        (".5K", 512),
        ("3.", 3),
        ("0", 0),
        ("1.9", 1),
        ("9007199254740993", 2**53 + 1),
        ("0.1 kB", 100),
    ],
)
def test_sizes_are_read(text, size_bytes):
    """Powers of 1000 for kB and MB, of 1024 for K, M and KiB, MiB; exact to the byte."""
    assert parse_bytes(text) == size_bytes


WRONG = ["", " ", "MiB", "-5", "1,5 MB", "1 000", "5 apples", "1e3", "nan", "inf", "٣ MB", "0x10", "1..5", "9" * 400,
         "0." + "1" * 5000, True, -1, -0.5, math.nan, math.inf, None, 10**400, 10**5000]  # fmt: skip


@pytest.mark.parametrize("wrong", [*WRONG, "1:30", "5 s"], ids=lambda value: f"{type(value).__name__}")
def test_what_is_no_size_is_refused(wrong):
    """The fault is ours and short, whatever was given."""
    with pytest.raises(InvalidQuantity, match="is not a size; write for instance 512 MiB") as caught:
        parse_bytes(wrong)
    assert len(caught.value.public_message) < 120


@pytest.mark.parametrize(
    ("text", "duration_s"),
    [
        ("90 s", 90),
        ("90", 90),
        (90, 90),
        (1.5, 1.5),
        ("1.5 min", 90),
        ("2m", 120),
        ("250 ms", 0.25),
        ("1h", 3600),
        ("1 d", 86400),
        ("1:30", 90),
        ("90:00", 5400),
        ("01:02:03.5", 3723.5),
        ("100:00:00", 360_000),
        ("0.1 s", 0.1),
        (0, 0),
    ],
)
def test_durations_are_read(text, duration_s):
    """Numbers with units, and times with colons."""
    assert parse_seconds(text) == duration_s


@pytest.mark.parametrize(
    "wrong",
    [*WRONG, "1:60", "1:75:00", "1:2:3:4", ":30", "1:", "-1:30", "1:30 min", "5 MB", "9" * 5000 + ":00"],
    ids=lambda value: f"{type(value).__name__}",
)
def test_what_is_no_duration_is_refused(wrong):
    """More than 59 seconds or minutes after a colon are a slip of the pen."""
    with pytest.raises(InvalidQuantity, match="is not a duration; write for instance 90 s or 1:30") as caught:
        parse_seconds(wrong)
    assert len(caught.value.public_message) < 120


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    """No other error ever comes out."""
    for parse in (parse_bytes, parse_seconds):
        with contextlib.suppress(InvalidQuantity):
            assert parse(text) >= 0


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (512 * 2**20, "512 MiB"),
        (-3 * 2**20, "-3.0 MiB"),
        (2**20 - 1, "1.0 MiB"),
        (1023.7, "1.0 KiB"),
        (99.96 * 1024, "100 KiB"),
        (5 * 2**50, "5120 TiB"),
        (-0.3, "0 B"),
    ],
)
def test_sizes_are_written(size_bytes, text):
    """At most four digits; what rounds up to the next unit is told in it."""
    assert format_bytes(size_bytes) == text


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [
        (0, "0 s"),
        (0.012, "12 ms"),
        (0.9996, "1.0 s"),
        (3.44, "3.4 s"),
        (59.96, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.6, "1 h 00 min"),
        (3725, "1 h 02 min"),
        (-5, "-5.0 s"),
    ],
)
def test_durations_are_written(duration_s, text):
    """In the two units that matter; what rounds up to the next unit is told in it."""
    assert format_seconds(duration_s) == text


@given(st.integers(min_value=0, max_value=2**49))
def test_a_written_size_reads_as_about_the_same(size_bytes):
    """What people are told, they can give back: within the rounding, a twentieth."""
    assert parse_bytes(format_bytes(size_bytes)) == pytest.approx(size_bytes, rel=0.05, abs=1)
