"""Which options an operation takes, and whether it can be done here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tightship.errors import ExtraMissing, InvalidOptions, ModelNotFound
from tightship.operations import validation
from tightship.operations.gif import GifOptions
from tightship.operations.registry import operation_named
from tightship.operations.validation import check, require, validate


def test_options_get_their_defaults() -> None:
    """What is not given is what the operation says."""
    assert validate(operation_named("gif"), {"width": "480"}) == GifOptions(width=480)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"widht": 3}, "no option 'widht'; it takes colors, dither"),
        ({"width": 0}, "width: Input should be greater than or equal to 1, not 0"),
        ({"width": "wide"}, "width"),
        ({"fps": float("nan")}, "fps must be a finite number, not nan"),
        ({"start_s": float("inf")}, "start_s must be a finite number"),
        ({"start_s": 5, "end_s": 4}, "must be after"),
        ({"dither": "dots"}, "dither"),
        ({"colors": 257}, "colors"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], says: str) -> None:
    """An option that is unknown, of the wrong type or out of range is refused by name."""
    with pytest.raises(InvalidOptions) as refused:
        validate(operation_named("gif"), options)

    assert says in refused.value.public_message


def test_an_operation_without_options_says_so() -> None:
    """There is none to name."""
    with pytest.raises(InvalidOptions, match="it takes none"):
        validate(operation_named("info"), {"width": 3})


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setattr(validation, "find_spec", lambda _name: None)

    with pytest.raises(ExtraMissing, match=r"pip install 'tightship\[transcribe\]'"):
        require(operation_named("transcribe"))


@pytest.mark.parametrize("folders", [True, False])
def test_a_folder_is_a_model_for_those_who_may_name_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folders: bool
) -> None:
    """For a stranger it is as unknown as any name."""
    monkeypatch.setattr(validation, "find_spec", lambda _name: object())
    for name in ("model.bin", "config.json"):
        (tmp_path / name).write_text("{}")
    options = {"model": str(tmp_path)}

    if folders:
        check(operation_named("transcribe"), options)
        return
    with pytest.raises(ModelNotFound):
        check(operation_named("transcribe"), options, folders=False)


def test_a_wrong_value_is_not_told_in_full_length() -> None:
    """The message goes to logs and clients: it tells as much of the value as shows which it was."""
    with pytest.raises(InvalidOptions, match=r"prompt: .*not 'aaa") as refusal:
        validate(operation_named("transcribe"), {"prompt": "a" * 70_000})
    assert len(refusal.value.public_message) < 200

    with pytest.raises(InvalidOptions, match="no option 'bbb") as refusal:
        validate(operation_named("transcribe"), {"b" * 70_000: 1})
    assert len(refusal.value.public_message) < 500
