"""Scratch folders: whose they are, what a sweep takes, how they go."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tightship.core import scratch
from tightship.core.scratch import ScratchRoot, SweepReport, remove_tree, tree_bytes

KIB = 2**10


@pytest.fixture
def root(tmp_path):
    return ScratchRoot(tmp_path / "scratch")


@pytest.fixture
def ordinary_user():
    """Be somebody whom file permissions bind, in a folder of his."""
    folder = Path(tempfile.mkdtemp())
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    yield folder
    if is_root:
        os.seteuid(0)
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o700)
    shutil.rmtree(folder)


def folder_of_the_dead(root: ScratchRoot) -> Path:
    """Return a folder made by a process that has ended since."""
    program = f"from tightship.core.scratch import ScratchRoot; print(ScratchRoot({str(root.path)!r}).open_folder('x'))"
    return Path(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout[:-1])


def test_a_folder_is_made_for_its_owner_alone(root):
    """Nobody else may look into it."""
    folder = root.open_folder("gif")
    assert folder.parent == root.path
    assert folder.stat().st_mode & 0o777 == 0o700
    assert root.path.stat().st_mode & 0o777 == 0o700


def test_two_folders_of_one_label_are_two(root):
    """The label need not be unique."""
    assert root.open_folder("gif") != root.open_folder("gif")


@pytest.mark.parametrize("label", ["", "../../etc", "a b/c\n", "ü" * 300, "x" * 300, "."])
def test_any_label_gives_a_folder_that_sweeping_knows(root, label):
    """A label neither leads out of the root nor makes a name that is too long or not ours."""
    folder = root.open_folder(label)
    assert folder.parent == root.path
    assert scratch._NAME.fullmatch(folder.name)


def test_a_sweep_leaves_the_living_alone(root):
    """This process lives: its folder stays."""
    folder = root.open_folder("gif")
    assert root.sweep() == SweepReport((), ())
    assert folder.is_dir()


def test_a_sweep_shows_a_folder_before_it_goes(root):
    """Whoever sweeps may end what lives on there; the folders of the living are not shown."""
    root.open_folder("living")
    dead = folder_of_the_dead(root)
    seen = []

    root.sweep(lambda folder: seen.append((folder, folder.is_dir())))

    assert seen == [(dead, True)]


def test_a_sweep_takes_what_the_dead_left(root):
    """The owner has ended: its folder goes, with what is in it."""
    folder = folder_of_the_dead(root)
    (folder / "frame").write_bytes(b"x")
    assert root.sweep() == SweepReport((folder.name,), ())
    assert not folder.exists()


def test_a_sweep_tells_a_pid_used_again(root):
    """A living process has the pid, but it started at another time: the owner is dead."""
    folder = root.open_folder("gif")
    pid, started, rest = folder.name.split("-", 2)
    folder.rename(root.path / f"{pid}-{int(started) - 1}-{rest}")
    assert len(root.sweep().removed) == 1


def test_a_sweep_leaves_what_is_held(root):
    """A living process of another container looks as if it were gone; the lock on its folder tells."""
    folder = folder_of_the_dead(root)
    held_fd = scratch.hold(folder)
    assert root.sweep() == SweepReport((), ())
    os.close(held_fd)
    assert root.sweep() == SweepReport((folder.name,), ())


@pytest.mark.parametrize(
    "name", ["notes.txt", "1-2-gif", "999999999-1-gif-0123456789AB", "999999999-1-gif-0123456789abc"]
)
def test_a_sweep_never_touches_other_names(root, name):
    """What is not named by our pattern is not ours."""
    (root.path / name).mkdir(parents=True)
    assert root.sweep() == SweepReport((), ())
    assert (root.path / name).is_dir()


def test_a_sweep_does_not_follow_a_link(root, tmp_path):
    """A link under a name of ours is left, and so is what it points to."""
    (tmp_path / "precious").mkdir()
    root.path.mkdir()
    link = root.path / "999999999-1-gif-0123456789ab"
    link.symlink_to(tmp_path / "precious")
    assert root.sweep() == SweepReport((), ())
    assert (tmp_path / "precious").is_dir()


def test_a_sweep_of_a_root_that_was_never_made_finds_nothing(root):
    """The root is made when it is first needed, and a sweep does not need it."""
    assert root.sweep() == SweepReport((), ())
    assert not root.path.exists()


def test_a_sweep_reports_what_it_could_not_remove(root, monkeypatch):
    """What stays is named, and not counted as removed."""
    folder = folder_of_the_dead(root)
    monkeypatch.setattr(scratch, "_remove", lambda path: None)
    assert root.sweep() == SweepReport((), (str(folder),))


def test_the_users_root_lies_among_the_temporary_files(monkeypatch, tmp_path):
    """The default root is this user's own, and the same each time."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert ScratchRoot.of_user().path == ScratchRoot.of_user().path
    assert ScratchRoot.of_user().path.parent == tmp_path


def test_somebody_elses_folder_is_refused(monkeypatch, tmp_path):
    """A folder that a stranger prepared under our name is not used."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    with pytest.raises(PermissionError, match="belongs to somebody else"):
        ScratchRoot.of_user()


def test_removing_takes_files_folders_and_links(tmp_path):
    """A whole tree goes; what a link in it points to stays."""
    (tmp_path / "outside").write_text("precious")
    tree = tmp_path / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "file").write_text("x")
    (tree / "link").symlink_to(tmp_path / "outside")
    (tree / "folder-link").symlink_to(tmp_path)
    assert remove_tree(tree) == []
    assert not tree.exists()
    assert (tmp_path / "outside").read_text() == "precious"


def test_removing_a_link_keeps_what_it_points_to(tmp_path):
    """The link goes, the folder behind it stays."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    assert remove_tree(tmp_path / "link") == []
    assert (tmp_path / "precious").is_dir()
    assert not (tmp_path / "link").is_symlink()


def test_removing_does_not_follow_a_link_that_takes_a_folders_place(tmp_path, monkeypatch):
    """Somebody who puts a link where a folder was seen gets nothing outside removed or made writable."""
    precious = tmp_path / "precious"
    (precious / "folder").mkdir(parents=True)
    (precious / "folder").chmod(0o755)
    tree = tmp_path / "tree"
    (tree / "a" / "folder").mkdir(parents=True)
    seen = []

    def swapping(fd, listdir=os.listdir):
        names = listdir(fd)
        if names == ["a"] and not seen:
            seen.append((tree / "a").rename(tmp_path / "aside"))
            (tree / "a").symlink_to(precious)
        return names

    monkeypatch.setattr(os, "listdir", swapping)
    assert remove_tree(tree) == []
    assert seen
    assert (precious / "folder").stat().st_mode & 0o777 == 0o755


def test_removing_nothing_is_fine(tmp_path):
    """What is missing is not left."""
    assert remove_tree(tmp_path / "missing") == []


def test_removing_makes_folders_writable_first(ordinary_user):
    """A tree whose folders forbid it goes all the same."""
    tree = ordinary_user / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "b" / "file").write_text("x")
    (tree / "a" / "b").chmod(0o000)
    (tree / "a").chmod(0o500)
    assert remove_tree(tree) == []
    assert not tree.exists()


def test_removing_reports_what_is_left(ordinary_user):
    """Where the folder above forbids it, the paths that stay are named."""
    locked = ordinary_user / "locked"
    (locked / "tree").mkdir(parents=True)
    (locked / "tree" / "file").write_text("x")
    locked.chmod(0o500)
    assert remove_tree(locked / "tree") == [str(locked / "tree")]


def test_removing_a_bottomless_tree_does_not_raise(tmp_path):
    """A tree deeper than recursion goes is gone all the same."""
    deep = tmp_path / "tree"
    deep.mkdir()
    with contextlib.chdir(deep):
        for _ in range(1500):
            Path("d").mkdir()
            os.chdir("d")
    assert remove_tree(deep) == []
    assert not deep.exists()


def test_size_counts_allocated_bytes(tmp_path):
    """A sparse file occupies what was written, not what it is long."""
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1024 * KIB)
        file.write(b"x")
    (tmp_path / "full").write_bytes(os.urandom(256 * KIB))
    assert 256 * KIB <= tree_bytes(tmp_path) < 512 * KIB


def test_size_counts_a_file_with_two_names_once(tmp_path):
    """A hard link occupies nothing more."""
    (tmp_path / "one").write_bytes(os.urandom(64 * KIB))
    before = tree_bytes(tmp_path)
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    assert tree_bytes(tmp_path) - before < 8 * KIB


def test_size_does_not_follow_links(tmp_path):
    """What a link points to lies elsewhere."""
    (tmp_path / "large").write_bytes(os.urandom(256 * KIB))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to(tmp_path / "large")
    assert tree_bytes(tmp_path / "folder") < 64 * KIB


def test_what_is_missing_has_no_size(tmp_path):
    """No error, no bytes."""
    assert tree_bytes(tmp_path / "missing") == 0
