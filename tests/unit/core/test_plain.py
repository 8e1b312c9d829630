"""Plain JSON data back into dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from tightship.core.plain import build


@dataclass(frozen=True)
class Sample:
    """One field of every shape."""

    name: str
    count: int = 0
    share: float = 0.0
    sure: bool = False
    maybe: float | None = None
    mode: Literal["a", "b"] = "a"
    tags: tuple[str, ...] = ()
    extra: dict[str, Any] | None = None
    pairs: tuple[dict[str, str], ...] = ()


def test_plain_data_becomes_an_object() -> None:
    """Every field finds its type again, lists as tuples, whole numbers where a fraction may be."""
    data = {"name": "x", "share": 1, "maybe": None, "tags": ["a"], "extra": {"k": [1]}, "pairs": [{"a": "b"}]}

    assert build(Sample, data) == Sample("x", share=1, tags=("a",), extra={"k": [1]}, pairs=({"a": "b"},))


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": 1}, {"count": 1.5}, {"count": True}, {"share": "1"}, {"share": True}, {"sure": 1}, {"maybe": "x"},
        {"mode": "c"}, {"tags": "abc"}, {"tags": [1]}, {"extra": []}, {"pairs": [{"a": 1}]}, {"unknown": 1},
        {"name": None},
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(wrong: dict[str, Any]) -> None:
    """A wrong type, a wrong word and an unknown field are errors."""
    with pytest.raises(ValueError, match="Sample"):
        build(Sample, {"name": "x", **wrong})


def test_missing_field_is_refused() -> None:
    """A field without default must be there."""
    with pytest.raises(ValueError, match="name"):
        build(Sample, {})
