"""Variables become settings, or say why not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tightship.core.environment import Family
from tightship.errors import InvalidOptions


@dataclass(frozen=True)
class Inner:
    """Settings within settings."""

    wait_s: float = 1.0
    share: float = 0.5


@dataclass(frozen=True)
class Outer:
    """One field of every kind."""

    count: int = 1
    room_bytes: int | None = None
    open: bool = False
    name: str = "a"
    keys: tuple[str, ...] = ()
    inner: Inner = field(default_factory=Inner)
    flat: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be at least 1, not {self.count}")
        if "short" in self.keys:
            raise ValueError("a key is too short")


FAMILY = Family("APP_", Outer, parts={"flat": "", "count": "n"}, names={"keys": "KEYS"}, secret=frozenset({"keys"}))


def test_every_field_has_a_variable() -> None:
    """Prefix and path by the rule; other words, and whole names, where they are given."""
    assert FAMILY.variables() == {
        "count": "APP_N",
        "room_bytes": "APP_ROOM_BYTES",
        "open": "APP_OPEN",
        "name": "APP_NAME",
        "keys": "KEYS",
        "inner.wait_s": "APP_INNER_WAIT_S",
        "inner.share": "APP_INNER_SHARE",
        "flat.wait_s": "APP_WAIT_S",
        "flat.share": "APP_SHARE",
    }


@pytest.mark.parametrize(
    ("name", "text", "path", "value"),
    [
        ("APP_N", " 3 ", "count", 3),
        ("APP_ROOM_BYTES", "1.5 MiB", "room_bytes", 3 * 2**19),
        ("APP_ROOM_BYTES", "None", "room_bytes", None),
        ("APP_OPEN", "Yes", "open", True),
        ("APP_OPEN", "0", "open", False),
        ("APP_NAME", "b c", "name", "b c"),
        ("KEYS", "one, two,", "keys", ("one", "two")),
        ("APP_INNER_WAIT_S", "1:30", "inner.wait_s", 90.0),
        ("APP_SHARE", "0.25", "flat.share", 0.25),
        ("APP_N", "", "count", 1),
    ],
)
def test_text_becomes_a_value_of_the_fields_type(name: str, text: str, path: str, value: object) -> None:
    """Sizes and durations are read as everywhere; an empty variable is none."""
    found: Any = FAMILY.read({name: text, "OTHER": "x"}, Outer())
    for part in path.split("."):
        found = getattr(found, part)

    assert found == value


def test_what_is_not_set_stays_as_it_was() -> None:
    """The base is not the default."""
    base = Outer(count=5, inner=Inner(wait_s=9.0))

    assert FAMILY.read({}, base) is base
    assert FAMILY.read({"APP_INNER_SHARE": "1"}, base).inner == Inner(wait_s=9.0, share=1.0)


@pytest.mark.parametrize(
    ("name", "text"),
    [("APP_N", "two"), ("APP_N", "-1"), ("APP_N", "0"), ("APP_ROOM_BYTES", "big"), ("APP_WAIT_S", "soon"),
     ("APP_OPEN", "perhaps"), ("APP_SHARE", "nan")],
)  # fmt: skip
def test_wrong_value_is_refused_with_its_variable(name: str, text: str) -> None:
    """Both are named, among other variables that are right."""
    with pytest.raises(InvalidOptions, match=f"^{name}={text}: ") as caught:
        FAMILY.read({"APP_NAME": "b", "APP_INNER_SHARE": "1", name: text}, Outer())

    assert caught.value.details == {"variable": name, "value": text}


def test_slip_of_the_pen_is_told_the_nearest_name() -> None:
    """A variable that sets nothing would be believed to."""
    with pytest.raises(InvalidOptions, match="APP_INNER_WAITS; the nearest is APP_INNER_WAIT_S"):
        FAMILY.read({"APP_INNER_WAITS": "3"}, Outer())


def test_secret_is_never_repeated() -> None:
    """The reason is told, and the variable, and not the key."""
    with pytest.raises(InvalidOptions) as caught:
        FAMILY.read({"APP_N": "2", "KEYS": "short,s3cret"}, Outer())

    assert str(caught.value) == "KEYS: a key is too short"
    assert "s3cret" not in str(caught.value.to_dict())
