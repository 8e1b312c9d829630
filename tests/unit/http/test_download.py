"""Ranges, download names, first bytes, events."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightship.errors import UnsupportedMedia
from tightship.http.fault import RangeNotSatisfiable, Unauthenticated
from tightship.http.problem import document, problem
from tightship.http.result import disposition
from tightship.http.signature import check_signature
from tightship.http.span import span_of
from tightship.http.watch import event_text


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-9", (0, 10)),
        ("bytes=90-", (90, 100)),
        ("bytes=-5", (95, 100)),
        ("bytes=-500", (0, 100)),
        ("bytes=95-500", (95, 100)),
        ("bytes=9-3", None),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("lines=0-1", None),
        ("bytes=²-", None),
    ],
)
def test_the_part_that_a_range_names(header: str | None, expected: tuple[int, int] | None) -> None:
    """One range is served, all else gives the whole."""
    span = span_of(header, 100)
    assert (None if span is None else (span.start, span.end)) == expected


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_past_the_end_is_refused(header: str) -> None:
    """The refusal tells the length."""
    with pytest.raises(RangeNotSatisfiable) as refused:
        span_of(header, 100)
    assert problem(refused.value).headers["content-range"] == "bytes */100"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("holiday.mov", 'filename="holiday.gif"'),
        ("../../etc/passwd", 'filename="passwd.gif"'),
        ("C:\\films\\a.mp4", 'filename="a.gif"'),
        (None, 'filename="result.gif"'),
        ("...", 'filename="result.gif"'),
        ("größe.mp4", "filename*=UTF-8''gr%C3%B6%C3%9Fe.gif"),
    ],
)
def test_a_download_is_named_after_what_was_sent(source: str | None, expected: str) -> None:
    """The name is kept, the path is not."""
    assert expected in disposition(source, ".gif")


@given(st.text())
def test_no_name_breaks_out_of_the_header(name: str) -> None:
    """Whatever the sender calls the file, the header stays one line of ASCII with one quoted name."""
    text = disposition(name, ".gif")
    assert text.isascii()
    assert text.isprintable()
    assert text.count('"') == 2
    assert "/" not in text


@pytest.mark.parametrize(
    "head",
    [
        b"\x00\x00\x00\x18ftypmp42",
        b"\x1a\x45\xdf\xa3",
        b"\xff\xfb\x90",
        b"GIF89a",
        b"#!AMR\n",
        b"FORM\x00\x00\x00\x00AIFF",
        b"\x00\x00\x01\xba",
    ],
)
def test_what_begins_like_media_may_come_in(head: bytes) -> None:
    """Every format that is opened has a beginning that is known here."""
    check_signature(head)


@pytest.mark.parametrize(("head", "named"), [(b"", "empty"), (b"PK\x03\x04", "ZIP"), (b"<html>", "markup")])
def test_what_does_not_is_named(head: bytes, named: str) -> None:
    """The refusal says what was sent instead."""
    with pytest.raises(UnsupportedMedia, match=named):
        check_signature(head)


def test_an_event_is_one_block() -> None:
    """An id to resume from, a kind, and JSON on one line."""
    assert event_text("progress", {"a": "x\ny"}, 7) == 'id: 7\nevent: progress\ndata: {"a": "x\\ny"}\n\n'
    assert event_text("status", {}, None) == "event: status\ndata: {}\n\n"


def test_details_do_not_replace_a_problem_s_own_members() -> None:
    """A detail called `status` must not change what the status is."""
    body = json.loads(bytes(document(409, "conflict", "no", {"status": "failed", "limit": 3}).body))
    assert (body["status"], body["limit"]) == (409, 3)
    assert problem(Unauthenticated("who?")).headers["www-authenticate"] == "Bearer"
