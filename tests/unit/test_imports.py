"""What the foundation stands on: import-linter knows the packages that it is told of, this looks for all others."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tightship

PACKAGE = Path(tightship.__file__).parent


@pytest.mark.parametrize("part", ["errors.py", "units.py", "core", "pool"])
def test_foundation_needs_the_standard_library_and_psutil(part: str) -> None:
    """The core, and the warden and workers on it, import no other package, inside functions neither."""
    files = [PACKAGE / part] if part.endswith(".py") else sorted((PACKAGE / part).rglob("*.py"))

    packages = {name.partition(".")[0] for file in files for name in _imports(file)}

    assert packages - sys.stdlib_module_names <= {"psutil", "tightship"}


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "tightship"
