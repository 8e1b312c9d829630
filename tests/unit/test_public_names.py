"""The names that users import: these and no others."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tightship

PUBLIC = {
    *("Budget", "Client", "Config", "Job", "Ledger", "Pool", "PoolConfig", "Receipt", "Result", "Runner", "Scope"),
    *("TightshipError", "Verdict", "convert_video_to_gif", "extract_video_segment", "get_video_info"),
    *("open_runner", "verdict"),
}


def test_public_names_are_these() -> None:
    """To add a name, or to take one away, is a decision: it belongs in the changelog."""
    assert set(tightship.__all__) == PUBLIC
    assert tightship.__all__ == sorted(tightship.__all__)
    assert dir(tightship) == sorted(PUBLIC)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_public_name_can_be_imported_and_is_documented(name: str) -> None:
    """Each name gives an object with a docstring of its own."""
    thing = getattr(tightship, name)

    assert thing.__name__ == name
    assert inspect.getdoc(thing), f"{name} has no docstring"


def test_type_checkers_see_the_same_names() -> None:
    """What is imported for type checkers, what is looked up, and what is exported are one list."""
    module = ast.parse(Path(tightship.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in module.body if isinstance(node, ast.If)]
    imported = {
        (node.module, alias.name) for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    looked_up = {(home, name) for home, names in tightship._HOMES.items() for name in names}

    assert looked_up == imported
    assert {name for _, name in looked_up} == PUBLIC


def test_unknown_name_is_an_attribute_error() -> None:
    """A slip of the pen is reported as Python reports it everywhere."""
    with pytest.raises(AttributeError, match="convert_video_to_git"):
        tightship.convert_video_to_git


def test_bare_install_has_every_name_but_the_client(tmp_path: Path) -> None:
    """Without extras a program can name what it catches and sets; only a call says which extra it needs."""
    script = (
        "import sys; from tightship.errors import EXTRAS\n"
        "sys.modules.update(dict.fromkeys(EXTRAS.keys() - {'annotated_types', 'pydantic'}))\n"  # typer brings these two
        "import tightship\n"
        "for name in set(tightship.__all__) - {'Client'}: getattr(tightship, name)\n"
        "for call in (lambda: tightship.Client, lambda: tightship.get_video_info('in.mp4')):\n"
        "    try: call()\n"
        "    except tightship.TightshipError as error: print(error.code, error.details['extra'])\n"
    )
    environment = {**os.environ, "TIGHTSHIP_HOME": str(tmp_path / "home")}

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True, env=environment
    )

    assert done.stdout.splitlines() == ["extra_missing server", "extra_missing media"]


@pytest.mark.parametrize("module", ["tightship", "tightship.api", "tightship.cli", "tightship.pool.warden"])
def test_caller_never_loads_native_media_libraries(module: str) -> None:
    """Importing what runs in the user's own process, or in the warden, loads neither PyAV nor NumPy."""
    script = f"import sys, {module}; print(*sorted({{'av', 'numpy', 'cv2', 'torch'}} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.split() == []
