"""From `module:callable` to the step."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tightship.leaks.fault import StepFailed, StepNotFound
from tightship.leaks.target import callable_at, is_test, told

SOURCE = """
class Shop:
    made = 0

    def __init__(self):
        Shop.made += 1

    def open(self):
        return self

    @staticmethod
    def close():
        return "closed"

    class Till:
        def count(self):
            return 7

shop = Shop()
limit = 5

def work():
    return "done"

def fail():
    raise KeyError("a key")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with modules; what it adds to Python's own state is taken back."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    (tmp_path / "shopping.py").write_text(SOURCE)
    (tmp_path / "broken.py").write_text("import nothing_of_that_name")
    (tmp_path / "crashing.py").write_text("1 / 0")
    (tmp_path / "misspelt.py").write_text("def work(:")
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_function_is_found_in_the_folder(folder: Path) -> None:
    """The current folder need not be installed."""
    assert callable_at("shopping:work", folder)() == "done"


def test_method_gets_a_new_object_for_each_step(folder: Path) -> None:
    """A class is named, so each step makes its own object."""
    step = callable_at("shopping:Shop.open", folder)

    assert step() is not step()


@pytest.mark.parametrize(
    ("target", "result"), [("shopping:Shop.close", "closed"), ("shopping:Shop.Till.count", 7)], ids=str
)
def test_dots_lead_into_classes(folder: Path, target: str, result: object) -> None:
    """Static methods need no object, inner classes make theirs."""
    assert callable_at(target, folder)() == result


def test_method_of_an_object_keeps_it(folder: Path) -> None:
    """An object is named, so every step works on that one."""
    step = callable_at("shopping:shop.open", folder)

    assert step() is step()


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("shopping", "write module:callable"),
        ("shopping:", "write module:callable"),
        (":work", "write module:callable"),
        ("shopping:a b", "write module:callable"),
        ("nowhere:work", "there is no module nowhere"),
        ("shopping.deeper:work", "there is no module shopping.deeper"),
        ("shopping:wrok", "did you mean work?"),
        ("shopping:Shop.opem", "did you mean open?"),
        ("shopping:limit", "cannot be called: it is of type int"),
    ],
)
def test_what_is_not_there_is_told_in_words(folder: Path, target: str, words: str) -> None:
    """A wrong name is wrong usage, with a hint where there is one."""
    with pytest.raises(StepNotFound) as caught:
        callable_at(target, folder)

    assert words in caught.value.public_message


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("broken:work", "ModuleNotFoundError: No module named 'nothing_of_that_name' (broken.py:1)"),
        ("crashing:work", "ZeroDivisionError: division by zero (crashing.py:1)"),
        ("misspelt:work", "SyntaxError"),
    ],
)
def test_module_that_fails_is_no_wrong_name(folder: Path, target: str, words: str) -> None:
    """It is there, and its own error is told."""
    with pytest.raises(StepFailed) as caught:
        callable_at(target, folder)

    assert words in caught.value.public_message


def test_error_is_told_with_the_users_line(folder: Path) -> None:
    """Type, text and the last line that is the user's."""
    step = callable_at("shopping:fail", folder)

    with pytest.raises(KeyError) as caught:
        step()

    assert (
        told(caught.value, folder) == f"KeyError: 'a key' (shopping.py:{SOURCE.splitlines().index('def fail():') + 2})"
    )


@pytest.mark.parametrize(("text", "test"), [("tests/test_a.py::test_b", True), ("package.module:work", False)])
def test_two_colons_are_a_test(text: str, test: bool) -> None:
    """They are how pytest writes it."""
    assert is_test(text) is test
