"""What a slot can see and reach."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tightship.pool import landlock
from tightship.pool.pool import Pool

from .conftest import MakeTask

needs_landlock = pytest.mark.skipif(landlock.abi_version() == 0, reason="this kernel has no Landlock")


@pytest.fixture
def port() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def confession(
    pool: Pool, misdeed: MakeTask, tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """What a slot says of itself, in a parent with secrets."""
    monkeypatch.setenv("API_KEY", "hunter2")
    monkeypatch.setenv("DATABASE_URL", "postgres://user:hunter2@db/jobs")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("hunter2")
    return pool.run(misdeed("confess", outside=str(outside), parent=os.getpid(), port=port)).unwrap()


def test_slot_sees_no_secret(confession: dict[str, Any]) -> None:
    """The environment of a slot holds what libraries need and nothing else."""
    assert "hunter2" not in str(confession["environment"])
    assert set(confession["environment"]) <= {
        *("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES"),
        *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
        *("MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"),
        *("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONFAULTHANDLER", "TIGHTSHIP_POOL"),
    }


def test_slot_writes_in_its_scratch_only(confession: dict[str, Any], home: Path) -> None:
    """The attempt's folder takes files, wherever else is refused."""
    assert confession["write_scratch"] == "allowed"
    assert confession["cwd"].startswith(str(home / "scratch"))
    if landlock.abi_version():
        assert confession["write_outside"] == "PermissionError"


@needs_landlock
def test_slot_reads_no_other_file(confession: dict[str, Any]) -> None:
    """A file that was not handed over cannot be opened, not even by root."""
    assert confession["read_outside"] == "PermissionError"


@needs_landlock
def test_slot_cannot_look_into_its_parent(confession: dict[str, Any]) -> None:
    """The parent's environment, which holds the secrets, is closed to the slot."""
    assert confession["parent_environment"] == "PermissionError"


@pytest.mark.skipif(landlock.abi_version() < 4, reason="this kernel's Landlock does not know the network")
def test_slot_has_no_network(confession: dict[str, Any]) -> None:
    """A slot connects to nobody, this machine's own servers included."""
    assert confession["connect"] == "PermissionError"


@pytest.mark.skipif(landlock.abi_version() < 6, reason="this kernel's Landlock does not know signals")
def test_slot_signals_nobody_outside(confession: dict[str, Any]) -> None:
    """A slot cannot signal the process it works for."""
    assert confession["signal_parent"] == "PermissionError"


def test_slot_takes_no_core_from_others(confession: dict[str, Any]) -> None:
    """Some encoders make themselves real-time where they may, and one that hangs then starves the machine."""
    assert confession["real_time"] == "PermissionError"


def test_slot_is_the_first_to_go_and_dumps_no_core(confession: dict[str, Any]) -> None:
    """The kernel picks the slot when memory is out, a crash writes no core, and set-user-id programs are powerless."""
    assert int(confession["oom_score_adj"]) == 800
    assert confession["core_limit"] == 0
    assert confession["no_new_privs"] is True


def test_pool_tells_what_is_in_force(pool: Pool, misdeed: MakeTask) -> None:
    """The report of a slot names what confines it."""
    pool.run(misdeed("nothing")).unwrap()

    (slot,) = pool.slots()
    assert {"rlimits", "oom_score_adj", "no_new_privs"} <= set(slot.confined_by)
    assert ("files" in slot.confined_by) == (landlock.abi_version() > 0)


@needs_landlock
def test_slot_reads_what_its_tasks_ask_for_and_other_slots_do_not(
    pool: Pool, misdeed: MakeTask, tmp_path: Path, port: int
) -> None:
    """A folder that a task needs is open to the slots of such tasks alone; what they may do else stays the same."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("weights")
    deed = {"outside": str(outside), "parent": os.getpid(), "port": port}

    reader = pool.run(misdeed("confess", readable=(str(outside),), **deed)).unwrap()
    plain = pool.run(misdeed("confess", **deed)).unwrap()

    assert (reader["read_outside"], plain["read_outside"]) == ("allowed", "PermissionError")
    assert reader["write_outside"] == "PermissionError"
    assert reader["cwd"] != plain["cwd"]
