"""The environment and the import path of a worker."""

from __future__ import annotations

import sys
from pathlib import Path

import tightship
from tightship.pool.confinement import import_path, scrubbed_environment


def test_only_what_libraries_need_is_inherited() -> None:
    """Keys, tokens and URLs stay behind; the folder becomes home and place for temporary files."""
    environment = scrubbed_environment(
        {
            "PATH": "/bin",
            "TZ": "UTC",
            "AWS_SECRET_ACCESS_KEY": "x",
            "LD_PRELOAD": "x",
            "HOME": "/root",
            "PYTHONPATH": "/x",
        },
        Path("/scratch"),
        ["/site"],
    )

    assert environment["PATH"] == "/bin"
    assert environment["HOME"] == environment["TMPDIR"] == "/scratch"
    assert environment["PYTHONPATH"] == "/site"
    assert "x" not in environment.values()


def test_import_path_leaves_the_callers_folders_out(monkeypatch: object, tmp_path: Path) -> None:
    """A worker imports tightship and what is installed, and what it is told to, not the current folder."""
    path = import_path([str(tmp_path)])

    assert str(Path(tightship.__file__).parent.parent) in path
    assert path[-1] == str(tmp_path)
    assert not {"", str(Path.cwd())} & set(path)
    assert {entry for entry in sys.path if entry.endswith("site-packages")} <= set(path)
