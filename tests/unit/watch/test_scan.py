"""Looking for files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tightship.watch.choice import Choice
from tightship.watch.recipe import Recipe
from tightship.watch.scan import Field


@pytest.fixture
def field(tmp_path: Path) -> Field:
    """Two folders, one in the other, with results in a third."""
    for name in ("a.mp4", "deep/b.mp4", "own/c.mp4", "out/d.mp4", ".hidden/e.mp4", "f.txt"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    root = tmp_path / "in"
    return Field((root, root / "own"), Choice(), Recipe.of("info", {}), (root / "out", tmp_path))


def found(field: Field, top: Path) -> dict[str, str]:
    """Return what is found below a folder: the watched folder it belongs to, by its name."""
    faults: list[object] = []
    seen = {file.source.name: file.root.name for file in field.walk(top, lambda *fault: faults.append(fault))}
    assert faults == []
    return seen


def test_walk_finds_what_is_ours(field: Field) -> None:
    """Nothing hidden, nothing in the folder of results; a folder above the watched ones shuts nothing out."""
    assert found(field, field.roots[0]).keys() == {"a.mp4", "b.mp4"}
    assert found(field, field.roots[0] / "deep") == {"b.mp4": "in"}
    assert found(field, field.roots[1]) == {"c.mp4": "own"}
    assert found(field, field.roots[0] / "out") == {}
    assert found(field, field.roots[0].parent) == {}


def test_links_are_followed_to_files_only(field: Field) -> None:
    """A link to a folder may lead round in a circle; one to nowhere, and a pipe, are no files."""
    root = field.roots[0]
    (root / "deep" / "circle").symlink_to(root)
    (root / "link.mp4").symlink_to(root / "f.txt")
    (root / "nowhere.mp4").symlink_to(root / "none")
    os.mkfifo(root / "pipe.mp4")

    assert found(field, root).keys() == {"a.mp4", "b.mp4", "link.mp4"}


def test_what_lies_behind_a_link_is_not_ours(field: Field) -> None:
    """Neither where the system tells of the link, nor where it tells of a file behind it."""
    root = field.roots[0]
    (root / "deep" / "circle").symlink_to(root)

    assert found(field, root / "deep" / "circle") == {}
    assert not field.is_folder(root / "deep" / "circle")
    assert field.is_folder(root / "deep")
    assert field.sight(root / "deep" / "circle" / "a.mp4") is None


def test_folder_in_a_folder_is_looked_through_once(field: Field) -> None:
    """Where both are watched, a file belongs to the inner one."""
    seen = [file for root in field.roots for file in field.walk(root, lambda *_: None)]

    assert sorted((file.source.name, file.root.name) for file in seen) == [
        ("a.mp4", "in"), ("b.mp4", "in"), ("c.mp4", "own"),
    ]  # fmt: skip


def test_sight_says_the_same_as_the_walk(field: Field) -> None:
    """What the system tells of is judged like what is found."""
    root = field.roots[0]
    told = [path for path in root.rglob("*") if field.sight(path) is not None]

    assert {path.name for path in told} == {"a.mp4", "b.mp4", "c.mp4"}


def test_folder_that_is_gone_is_told(field: Field, tmp_path: Path) -> None:
    """The others are gone through all the same."""
    gone = Field((tmp_path / "gone",), Choice(), Recipe.of("info", {}))
    faults: list[Path] = []

    assert list(gone.walk(tmp_path / "gone", lambda folder, _fault: faults.append(folder))) == []
    assert faults == [tmp_path / "gone"]
