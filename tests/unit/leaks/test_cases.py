"""The cases of the leak atlas load anywhere, are told of in the atlas, and the cheap ones are judged as it says."""

from __future__ import annotations

import importlib
import inspect
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tightship.leaks import Kind, trial

REPOSITORY = Path(__file__).resolve().parents[3]
ATLAS = runpy.run_path(str(REPOSITORY / "scripts" / "atlas.py"), run_name="atlas")
PACKAGE = REPOSITORY / "src" / "tightship" / "leaks" / "cases"
MODULES = [importlib.import_module(f"{ATLAS['PACKAGE']}.{name}") for name in ATLAS["MODULES"]]
CASES = [case for module in MODULES for case in ATLAS["cases"](module)]
PAGE = (REPOSITORY / "docs" / "leaks" / "atlas.md").read_text(encoding="utf-8")
#: Modules that other cases use, and that hold none.
PARTS = {"__init__", "video"}


def called(case: Any) -> str:
    """Return the name of a case."""
    return f"{case.suspect}:{case.name}"


def test_every_module_of_cases_is_in_the_atlas() -> None:
    """Given the files of the package, then the atlas runs each of them."""
    assert {path.stem for path in PACKAGE.glob("*.py")} - PARTS == set(ATLAS["MODULES"])


def test_modules_load_without_what_they_try() -> None:
    """Given a Python in which no library can be imported, then every module of cases can."""
    needed = {name for module in MODULES for name in module.NEEDS}
    names = [module.__name__ for module in MODULES]
    program = (
        f"import sys, importlib; sys.modules.update(dict.fromkeys({needed!r}))\n"
        f"for name in {names!r}: importlib.import_module(name)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize("module", MODULES, ids=ATLAS["MODULES"])
def test_a_module_says_what_is_suspected_what_is_true_and_the_cure(module: ModuleType) -> None:
    """Given a module, then its docstring tells all three, and the page repeats them."""
    told = inspect.getdoc(module) or ""
    assert all(word in told for word in ("Suspected: ", "True: ", "Cure"))
    assert told.splitlines()[0] in PAGE


@pytest.mark.parametrize("case", CASES, ids=called)
def test_a_case_is_in_the_atlas_with_its_verdict(case: Any) -> None:
    """Given a case, then its page has an entry with what is done, how to run it, and a verdict or why there is none."""
    begin = PAGE.index(f"### {case.name}\n", PAGE.index(f"## {case.suspect}\n"))
    entry = PAGE[begin:].partition("\n### ")[0]
    assert case.told in entry
    assert any(verdict in entry for verdict in ("**growing", "**steady", "**undecided", "not measured here: needs"))


@pytest.mark.parametrize("case", [case for case in CASES if case.name.endswith("_cured")], ids=called)
def test_a_cure_has_its_complaint(case: Any) -> None:
    """Given a cure, then there is a case of the same name without it."""
    assert hasattr(case.module, case.name.removesuffix("_cured"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("queue:failed", Kind.GROWING),
        ("queue:failed_cured", Kind.STEADY),
        ("segments:kept", Kind.GROWING),
        ("segments:kept_cured", Kind.STEADY),
    ],
)
def test_a_cheap_case_is_judged_as_the_atlas_says(name: str, expected: Kind) -> None:
    """Given a case that needs nothing, when it is tried here, then the verdict is the one that its page tells."""
    module, _, function = name.partition(":")
    step = getattr(importlib.import_module(f"{ATLAS['PACKAGE']}.{module}"), function)
    assert trial(step, seed=1, where=False, ignore="*rss").verdict is expected


def test_a_missing_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a case whose library is not installed, then it is not run, and the page says what it needs."""
    case = next(case for case in CASES if case.suspect == "observer")
    monkeypatch.setattr(case.module, "NEEDS", {"no_such_library": "no-such-library"})
    assert ATLAS["_verdict"](ATLAS["run"](case)) == "not measured here: needs no-such-library"
