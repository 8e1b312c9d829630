"""Forms, piece by piece."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightship.http.fault import MalformedRequest
from tightship.http.form import FormEvent, FormParser, PartBegan, PartData, PartEnded

KIND = "multipart/form-data; boundary=x"
FORM = (
    b'--x\r\nContent-Disposition: form-data; name="operation"\r\n\r\ngif\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a b.mp4"\r\nContent-Type: video/mp4\r\n\r\n'
    b"\r\n--y\r\nbinary\x00\xff\r\n--x--\r\n"
)
CONTENT = b"\r\n--y\r\nbinary\x00\xff"


def joined(events: list[FormEvent]) -> list[tuple[PartBegan, bytes]]:
    """Put the parts together again."""
    parts: list[tuple[PartBegan, bytes]] = []
    for event in events:
        if isinstance(event, PartBegan):
            parts.append((event, b""))
        elif isinstance(event, PartData):
            parts[-1] = (parts[-1][0], parts[-1][1] + event.data)
    return parts


@given(st.lists(st.integers(1, len(FORM) - 1), max_size=20))
def test_where_the_pieces_are_cut_changes_nothing(cuts: list[int]) -> None:
    """A form may come in any pieces, cut in the middle of a boundary too."""
    parser = FormParser(KIND)
    events: list[FormEvent] = []
    at = 0
    for cut in [*sorted(cuts), len(FORM)]:
        events += parser.feed(FORM[at:cut])
        at = max(at, cut)
    assert joined(events) == [(PartBegan("operation", None), b"gif"), (PartBegan("file", "a b.mp4"), CONTENT)]
    assert sum(isinstance(event, PartEnded) for event in events) == 2
    assert parser.ended


@pytest.mark.parametrize("kind", [None, "", "text/plain", "multipart/form-data", "multipart/mixed; boundary=x"])
def test_another_content_type_is_no_form(kind: str | None) -> None:
    """Only a form with a boundary can be read."""
    with pytest.raises(MalformedRequest):
        FormParser(kind)


@pytest.mark.parametrize(
    "body",
    [
        b"--y\r\n",
        b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n",
        b"--x\r\n\r\n1\r\n--x--\r\n",
        b"--x\r\nA: " + b"a" * 10_000,
        b"--x\r\n" + b"A: a\r\n" * 100,
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 40,
        b"--" + b"x" * 5000,
    ],
)
def test_a_damaged_form_is_refused(body: bytes) -> None:
    """Parts without names, headers and parts without end: each is refused, none is kept."""
    with pytest.raises(MalformedRequest):
        FormParser(KIND).feed(body)


def test_an_endless_boundary_is_refused() -> None:
    """It would be looked for at every byte."""
    with pytest.raises(MalformedRequest):
        FormParser(f"multipart/form-data; boundary={'x' * 1000}")
