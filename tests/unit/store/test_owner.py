"""Who works on a store, and who died at it."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from tightship.store import owner as module
from tightship.store.owner import Owners, running_kernel

BOOT = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


@pytest.fixture
def owners(tmp_path: Path) -> Owners:
    """Nobody yet."""
    return Owners(tmp_path / "owners", BOOT)


def left(owners: Owners, owner: str) -> Path:
    """Leave what a process leaves that is killed: a file that nobody holds."""
    path = owners._folder / owner
    path.touch()
    return path


def test_names_are_never_the_same(owners: Owners) -> None:
    """Who was taken for dead once cannot come back under the name."""
    assert len({owners.new() for _ in range(100)}) == 100


def test_who_lives_is_not_among_the_dead(owners: Owners) -> None:
    """Neither to itself nor to others; who goes in order leaves nothing."""
    with owners.present(owners.new()):
        assert list(owners.departed()) == []
        assert list(Owners(owners._folder, BOOT).departed()) == []

    assert list(owners.departed()) == []
    assert list(owners._folder.iterdir()) == []


def test_who_died_is_told_once(owners: Owners) -> None:
    """Then it is forgotten; the living stay."""
    dead, living = owners.new(), owners.new()
    left(owners, dead)

    with owners.present(living):
        assert list(owners.departed()) == [dead]
        assert list(owners.departed()) == []
        assert [path.name for path in owners._folder.iterdir()] == [living]


def test_who_died_is_told_again_until_its_jobs_were_taken(owners: Owners) -> None:
    """The one who was told may fail to write."""
    dead = owners.new()
    left(owners, dead)

    told = next(owners.departed())

    assert [told, *owners.departed()] == [dead, dead]


def test_two_who_look_at_once_are_not_told_the_same(owners: Owners) -> None:
    """Whoever has it does the work."""
    left(owners, owners.new())
    looking = owners.departed()
    next(looking)

    assert list(owners.departed()) == []
    assert list(looking) == []


def test_who_comes_while_the_dead_are_looked_for_is_known_to_live(
    owners: Owners, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name, there but not held yet, is taken for a dead one's and removed: it is put there again."""
    flock, looked = fcntl.flock, list[str]()

    def look_first(fd: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        looked.extend(owners.departed())
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", look_first)
    coming = owners.new()
    with owners.present(coming):
        assert looked == [coming]
        assert list(owners.departed()) == []
        assert [path.name for path in owners._folder.iterdir()] == [coming]


@pytest.mark.parametrize("boot", ["1b671a64-40d5-491e-99b0-da01ff1f3341", "None", ""])
def test_nothing_is_known_of_another_machine(owners: Owners, boot: str) -> None:
    """Nor of this one before it was started anew: what lies there is removed, and its jobs wait for their leases."""
    path = left(owners, f"{boot}.{owners.new().partition('.')[2]}")

    assert list(owners.departed()) == []
    assert not path.exists()


def test_nobody_is_dead_where_the_machine_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two machines without one would be taken for the same."""
    monkeypatch.setattr(module, "_BOOT", tmp_path / "missing")
    owners = Owners(tmp_path / "owners", running_kernel())
    left(owners, owners.new())

    assert list(owners.departed()) == []


def test_what_cannot_be_looked_at_is_in_nobodys_way(owners: Owners) -> None:
    """Somebody may have put anything there, or have removed the folder."""
    dead = owners.new()
    left(owners, dead)
    (owners._folder / f"{BOOT}.a-folder").mkdir()

    assert list(owners.departed()) == [dead]
    (owners._folder / f"{BOOT}.a-folder").rmdir()
    owners._folder.rmdir()
    assert list(owners.departed()) == []


def test_running_kernel_has_one_name() -> None:
    """It is the same whenever it is asked for."""
    assert running_kernel() == running_kernel() != ""
