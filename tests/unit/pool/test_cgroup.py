"""The kernel's own memory limit, on a copy of the files of a cgroup v2 (a writable one is rare on test machines)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tightship.pool.cgroup import SlotCgroup, delegated_folder


@pytest.fixture
def delegated(tmp_path: Path) -> Path:
    """A cgroup whose children get the memory controller."""
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory pids\n")
    return tmp_path


@pytest.mark.parametrize("own", [".", "server"])
def test_own_or_parent_folder_is_used(delegated: Path, own: str) -> None:
    """A service whose processes sit in a subgroup makes its slots beside it."""
    (delegated / "server").mkdir(exist_ok=True)

    assert delegated_folder(delegated / own) == delegated


def test_without_the_memory_controller_there_is_none(delegated: Path) -> None:
    """A hierarchy that does not account memory is of no use."""
    (delegated / "cgroup.subtree_control").write_text("cpu\n")

    assert delegated_folder(delegated / "server") is None
    assert delegated_folder(None) is None


def test_limit_is_written_and_lifted(delegated: Path) -> None:
    """The ceiling becomes memory.max without swap, and goes again."""
    cgroup = SlotCgroup.create(delegated, "slot")
    assert cgroup is not None
    cgroup.admit(4711)
    cgroup.limit(2**30)

    written = {file.name: file.read_text() for file in (delegated / "slot").iterdir()}
    assert written == {
        "memory.oom.group": "1", "cgroup.procs": "4711", "memory.max": str(2**30), "memory.swap.max": "0"
    }  # fmt: skip

    cgroup.limit(None)
    assert (delegated / "slot" / "memory.max").read_text() == "max"


@pytest.mark.parametrize(("events", "ran_out"), [("oom 3\noom_kill 0\n", False), ("oom 1\noom_kill 2\n", True)])
def test_kill_by_the_kernel_is_known(delegated: Path, events: str, ran_out: bool) -> None:
    """Only a kill counts: reaching the limit and reclaiming is normal."""
    cgroup = SlotCgroup.create(delegated, "slot")
    assert cgroup is not None
    assert not cgroup.ran_out()
    (delegated / "slot" / "memory.events").write_text(events)

    assert cgroup.ran_out() is ran_out


def test_refusing_kernel_gives_none(delegated: Path) -> None:
    """Where no cgroup can be made, polling has to do."""
    assert SlotCgroup.create(delegated / "missing", "slot") is None
