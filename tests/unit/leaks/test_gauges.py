"""Every gauge sees what it is there for, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import ctypes
import mmap
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tightship.core import procfs
from tightship.leaks.family import Family, PortableFamily
from tightship.leaks.gauge import AsyncioTasks, NativeHeap, PythonBlocks
from tightship.leaks.guard import Guard
from tightship.leaks.orphan import Orphans
from tightship.leaks.record import Record
from tightship.leaks.run import frozen_heap
from tightship.leaks.temp_file import TempFiles

linux = pytest.mark.skipif(not procfs.available(), reason="there is no /proc")
glibc = pytest.mark.skipif(NativeHeap.open() is None, reason="malloc is not glibc's")


def family_values(family: Family) -> dict[str, float]:
    return dict(zip(family.names, family.read(True), strict=True))


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as child:
        yield child
        child.kill()


# --- this interpreter ---------------------------------------------------------------------------------


def test_small_objects_are_blocks() -> None:
    """A hundred objects are a hundred blocks, give or take what the test itself makes."""
    gauge = PythonBlocks()
    before = gauge.read(True)[0]
    kept = [object() for _ in range(1000)]
    assert 1000 <= gauge.read(True)[0] - before < 1100
    assert len(kept) == 1000


@glibc
@pytest.mark.parametrize("size_bytes", [2000, 1 << 20])
def test_native_memory_is_seen_in_the_heap_and_in_maps_of_its_own(size_bytes: int) -> None:
    """Small and large requests of malloc."""
    gauge = NativeHeap.open()
    assert gauge is not None
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    before = gauge.read(True)[0]
    taken = [libc.malloc(ctypes.c_size_t(size_bytes)) for _ in range(50)]
    assert gauge.read(True)[0] - before >= 50 * size_bytes
    for pointer in taken:
        libc.free(pointer)
    assert gauge.read(True)[0] - before < 25 * size_bytes


@glibc
def test_memory_of_other_threads_is_seen() -> None:
    """Their arenas count, too."""
    gauge = NativeHeap.open()
    assert gauge is not None
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    before = gauge.read(True)[0]
    thread = threading.Thread(target=lambda: [libc.malloc(ctypes.c_size_t(2000)) for _ in range(500)])
    thread.start()
    thread.join()
    assert gauge.read(True)[0] - before > 900_000


def test_pending_tasks_are_counted_and_done_ones_are_not() -> None:
    """In whatever loop they are."""

    async def counted() -> tuple[float, float]:
        gauge = AsyncioTasks(asyncio.get_running_loop)
        before = gauge.read(True)[0]
        pending = [asyncio.create_task(asyncio.Event().wait()) for _ in range(3)]
        during = gauge.read(True)[0]
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        return during - before, gauge.read(True)[0] - before

    assert asyncio.run(counted()) == (3, 0)


# --- processes ------------------------------------------------------------------------------------------


@linux
def test_descriptors_and_sockets_are_told_apart() -> None:
    """A socket is a descriptor; a file is no socket."""
    family = Family(os.getpid())
    before = family_values(family)
    with Path(os.devnull).open() as _, socket.socket() as _:
        during = family_values(family)
    after = family_values(family)
    assert (during["fds"] - before["fds"], during["sockets"] - before["sockets"]) == (2, 1)
    assert (after["fds"], after["sockets"]) == (before["fds"], before["sockets"])


@linux
def test_a_map_that_is_touched_is_resident_and_mapped() -> None:
    """Shared memory, too."""
    family = Family(os.getpid())
    before = family_values(family)
    with mmap.mmap(-1, 8 << 20) as shared:
        shared.write(b"x" * (8 << 20))
        during = family_values(family)
    assert during["rss"] - before["rss"] > 7 << 20
    assert during["mapped"] - before["mapped"] > 7 << 20


@linux
def test_a_joined_thread_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system ends it a moment after Python does, on a busy machine a long one."""
    monkeypatch.setattr("tightship.leaks.family.THREAD_EXITS_S", 60.0)
    family = Family(os.getpid())
    # The first look waits for threads that are not Python's, as those of whoever runs the tests: not that long.
    before = family_values(family)["threads"]
    monkeypatch.setattr("tightship.leaks.family.THREAD_EXIT_S", 30.0)
    for _ in range(5):
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
        assert family_values(family)["threads"] <= before


@linux
def test_a_child_is_counted_at_once_and_what_it_holds_from_the_second_look(sleeper: subprocess.Popen[bytes]) -> None:
    """What comes and goes within a step moves nothing."""
    family = Family(os.getpid())
    first, second = family_values(family), family_values(family)
    assert first["descendants"] == 1
    assert first["children_rss"] == 0
    assert second["children_rss"] > 0
    assert second["fds"] > first["fds"]
    assert family.pids() == [os.getpid(), sleeper.pid]


@linux
def test_a_zombie_is_a_descendant() -> None:
    """Until somebody waits for it."""
    family = Family(os.getpid())
    child = subprocess.Popen(["true"])
    until_s = time.monotonic() + 30
    while procfs.is_running(child.pid, procfs.start_time(child.pid)) and time.monotonic() < until_s:
        os.sched_yield()
    assert family_values(family)["descendants"] == 1
    child.wait()
    assert family_values(family)["descendants"] == 0


@linux
def test_another_process_is_read_from_outside(sleeper: subprocess.Popen[bytes]) -> None:
    """By its pid; it is gone when it has ended."""
    family = Family(sleeper.pid)
    assert family_values(family)["rss"] > 0
    assert not family.is_gone()
    sleeper.kill()
    until_s = time.monotonic() + 30
    while not family.is_gone() and time.monotonic() < until_s:
        os.sched_yield()
    assert family.is_gone()
    sleeper.wait()
    assert family_values(family)["rss"] == 0


@linux
def test_what_lost_its_parent_is_found() -> None:
    """A shell that starts something and ends leaves an orphan; a child is none."""
    orphans = Orphans()
    command = f"{sys.executable} -c 'import time; time.sleep(600)' >/dev/null 2>&1 & echo $!"
    with orphans.marking():
        assert orphans.pids({os.getpid()}) == []
        left = int(subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=True).stdout)
        try:
            until_s = time.monotonic() + 30
            while orphans.pids({os.getpid()}) != [left] and time.monotonic() < until_s:
                os.sched_yield()
            assert orphans.pids({os.getpid()}) == [left]
            assert orphans.pids({os.getpid(), left}) == []
        finally:
            os.kill(left, 9)
    assert "TIGHTSHIP_TRIAL" not in os.environ


def test_processes_are_read_without_proc_too() -> None:
    """psutil knows less, and that is told by the names."""
    family = PortableFamily(os.getpid())
    values = dict(zip(family.names, family.read(True), strict=True))
    assert values["rss"] > 0
    assert values["threads"] >= 1
    assert "sockets" not in values
    assert not family.is_gone()


# --- temporary files ----------------------------------------------------------------------------------------


def held(files: TempFiles) -> float:
    return files.read(True)[0]


def test_files_that_stay_are_counted_once(tmp_path: Path) -> None:
    """By path: written again is not made again."""
    files = TempFiles()
    with files.watching():
        for _ in range(2):
            (tmp_path / "stays").write_text("x")
        (tmp_path / "goes").write_text("x")
        (tmp_path / "goes").unlink()
    assert held(files) == 1
    (tmp_path / "stays").unlink()
    assert held(files) == 0


def test_every_way_to_make_a_file_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders, links, renamed files, sockets, relative and open ones."""
    monkeypatch.chdir(tmp_path)
    files = TempFiles()
    with files.watching(), socket.socket(socket.AF_UNIX) as server:
        Path("folder").mkdir()
        Path("first").touch()
        Path("first").rename("second")
        Path("link").symlink_to("nowhere")
        Path("third").hardlink_to("second")
        server.bind("socket")
        descriptor, name = tempfile.mkstemp(dir=tmp_path)
        os.close(descriptor)
    names = {Path(os.fsdecode(path)).name for path in files.held()}
    assert names == {"folder", "second", "link", "third", "socket", Path(name).name}


def test_what_is_only_read_or_has_no_name_is_not_counted(tmp_path: Path) -> None:
    """Nor what the kernel offers."""
    there = tmp_path / "there"
    there.write_text("x")
    files = TempFiles()
    with files.watching():
        there.read_text()
        with tempfile.TemporaryFile(dir=tmp_path), Path(os.devnull).open("w"):
            pass
    assert held(files) == 0


def test_files_outside_the_block_are_not_heard(tmp_path: Path) -> None:
    """The hook stays, and does nothing."""
    files = TempFiles()
    with files.watching():
        pass
    (tmp_path / "later").touch()
    assert held(files) == 0


def test_more_paths_than_there_is_room_for_keep_the_newest(tmp_path: Path) -> None:
    """What is gone makes room."""
    files = TempFiles()
    for number in range(30_000):
        files.note("os.mkdir", (f"{tmp_path}/{number:050d}", 0o700, -1))
    assert held(files) == 0
    files.note("os.mkdir", (tmp_path, 0o700, -1))
    assert held(files) == 1


# --- the record ------------------------------------------------------------------------------------------------


def test_looking_takes_no_memory_of_its_own() -> None:
    """A hundred looks move no gauge: the instrument must not be what grows."""
    gauges = [PythonBlocks(), *([heap] if (heap := NativeHeap.open()) else [])]
    record = Record([*gauges, *([Family(os.getpid())] if procfs.available() else []), TempFiles()])
    with frozen_heap():
        for step in range(20):
            record.look(step)
        before = {name: record.last(name) for name in record.names}
        for step in range(20, 120):
            record.look(step)
    assert abs(record.last("python_blocks") - before["python_blocks"]) < 50
    assert abs(record.last("native_heap") - before.get("native_heap", 0)) <= 4096
    for name in ("fds", "threads", "temp_files"):
        assert record.last(name) == before.get(name, 0)


def test_a_record_tells_garbage_from_what_stays() -> None:
    """What the collector released is in the float, and only there."""
    record = Record([PythonBlocks()])
    record.look(0)
    for _ in range(50):
        cycle: list[object] = []
        cycle.append(cycle)
    record.look(1)
    track = record.tracks()["python_blocks"]
    assert track.floating[1] >= 50
    assert track.points[1][1] - track.points[0][1] < 50


# --- the guard ---------------------------------------------------------------------------------------------------


class Levels:
    """Metrics as they began and are."""

    def __init__(self, **grown: float) -> None:
        self._grown = grown

    def first(self, name: str) -> float:
        return 100.0

    def last(self, name: str) -> float:
        return 100.0 + self._grown.get(name, 0.0)


def test_the_guard_ends_a_trial_before_the_machine_suffers() -> None:
    """A leak of gigabytes, or of all descriptors, needs no more proof."""
    guard = Guard.for_this_machine()
    assert not guard.is_reached(Levels(rss=1 << 20, fds=10, temp_files=100))
    assert guard.is_reached(Levels(rss=2 << 30))
    assert guard.is_reached(Levels(fds=1e6))
    assert guard.is_reached(Levels(descendants=101))


def test_levels_start_at_random_where_they_like() -> None:
    """Only growth counts."""
    guard = Guard({"fds": 5})
    assert not guard.is_reached(Levels(fds=random.choice([1, 5])))
