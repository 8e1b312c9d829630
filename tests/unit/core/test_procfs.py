"""What `/proc` says of real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tightship.core import procfs

pytestmark = pytest.mark.skipif(not procfs.available(), reason="needs Linux's /proc")
MIB = 2**20


@pytest.fixture
def zombie(eventually):
    process = subprocess.Popen([sys.executable, "-c", ""])
    assert eventually(lambda: procfs._stat(process.pid)[0] == b"Z")
    yield process.pid
    process.wait()


@pytest.fixture
def gone():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_memory_follows_what_is_allocated(run_python):
    """A process that fills 40 MiB more holds 40 MiB more."""
    small, large = run_python(""), run_python("block = b'x' * (40 << 20)")
    extra_bytes = procfs.memory_bytes(large.pid) - procfs.memory_bytes(small.pid)
    assert 38 * MIB < extra_bytes < 44 * MIB


def test_memory_leaves_mapped_files_out(run_python, tmp_path):
    """Pages of a mapped file are the kernel's to drop."""
    file = tmp_path / "mapped"
    file.write_bytes(b"x" * 40 * MIB)
    plain = run_python("")
    mapped = run_python(
        f"import mmap; f = open({str(file)!r}, 'rb'); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); sum(m[::4096])"
    )
    assert procfs.memory_bytes(mapped.pid) - procfs.memory_bytes(plain.pid) < 4 * MIB


def test_shared_memory_counts(run_python):
    """Anonymous shared pages cannot be dropped."""
    plain = run_python("")
    sharing = run_python("import mmap; m = mmap.mmap(-1, 20 << 20); m.write(b'x' * (20 << 20))")
    assert procfs.memory_bytes(sharing.pid) - procfs.memory_bytes(plain.pid) > 18 * MIB


def test_a_name_cannot_pose_as_a_figure(run_python):
    """A process that calls itself "VmSwap: 9 kB" is measured like any other."""
    name = "VmSwap: 9999 kB"
    process = run_python(f"open('/proc/self/comm', 'w').write({name!r})")
    assert name.encode() in procfs._read(f"/proc/{process.pid}/status")
    assert procfs.memory_bytes(process.pid) == sum(
        int(line.split()[1]) * 1024
        for line in procfs._read(f"/proc/{process.pid}/status").decode().splitlines()[1:]
        if line.startswith(("RssAnon", "RssShmem", "VmSwap"))
    )


def test_start_time_is_found_behind_a_name_with_parentheses(run_python):
    """The command's name in `stat` may hold anything, closing parentheses too."""
    process = run_python("open('/proc/self/comm', 'w').write(') R 1 (2 ) 3')")
    since_boot_s = procfs.start_time(process.pid) / procfs.TICKS_PER_S
    assert 0 <= time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot_s < 60


@pytest.mark.parametrize(
    "read",
    [procfs.memory_bytes, procfs.high_water_bytes, procfs.tree_memory_bytes, procfs.threads, procfs.fds],
    ids=lambda read: read.__name__,
)
@pytest.mark.parametrize("state", ["zombie", "gone"])
def test_the_dead_hold_nothing(read, state, request):
    """A zombie and a process that is gone count 0."""
    assert read(request.getfixturevalue(state)) == 0


@pytest.fixture
def leaderless(run_python, eventually):
    """A process that holds 40 MiB and whose first thread has ended."""
    exit_number = {"x86_64": 60, "aarch64": 93}.get(os.uname().machine)
    if exit_number is None:
        pytest.skip("the number of the system call is not known here")
    process = run_python(
        "import ctypes, threading; block = b'x' * (40 << 20)\n"
        "def rest():\n"
        "    print('ready', flush=True)\n"
        "    sys.stdin.read()\n"
        f"threading.Thread(target=rest).start(); ctypes.CDLL(None).syscall({exit_number}, 0)"
    )
    assert eventually(lambda: procfs._stat(process.pid)[0] == b"Z")
    return process.pid


def test_a_process_without_its_first_thread_lives_on(leaderless):
    """It looks like a zombie, but runs, and its other threads tell what it holds."""
    assert procfs.is_running(leaderless, procfs.start_time(leaderless))
    assert procfs.memory_bytes(leaderless) > 38 * MIB
    assert procfs.high_water_bytes(leaderless) > 38 * MIB


def test_a_process_that_is_gone_has_no_start_time(gone):
    """No start time means no process."""
    assert procfs.start_time(gone) is None


def test_a_zombie_does_not_run(zombie):
    """A zombie keeps its start time, but does not run."""
    assert not procfs.is_running(zombie, procfs.start_time(zombie))


def test_a_pid_used_again_is_another_process():
    """The same pid with another start time is not the process that was meant."""
    own = os.getpid()
    assert procfs.is_running(own, procfs.start_time(own))
    assert not procfs.is_running(own, procfs.start_time(own) - 1)


CHILD_AND_GRANDCHILD = """
import subprocess
nested = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); sys.stdin.read()"
child = subprocess.Popen([sys.executable, '-c', nested], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
grandchild = int(child.stdout.readline())
import atexit, os; atexit.register(lambda: os.kill(grandchild, 9))
"""


@pytest.mark.parametrize("children_files", [True, False])
def test_descendants_are_found_parents_first(run_python, monkeypatch, children_files):
    """Children and grandchildren are found, with the kernel's lists and without."""
    monkeypatch.setattr(procfs, "_HAS_CHILDREN_FILES", children_files and procfs._HAS_CHILDREN_FILES)
    process = run_python(CHILD_AND_GRANDCHILD)
    found = procfs.descendants(process.pid)
    assert len(found) == 2
    assert procfs.children(process.pid) == found[:1]
    assert procfs.children(found[0]) == found[1:]
    process.communicate("")


def test_a_tree_holds_what_all_of_it_hold(run_python):
    """The memory of a tree is the sum over its processes."""
    process = run_python(CHILD_AND_GRANDCHILD)
    pids = [process.pid, *procfs.descendants(process.pid)]
    assert procfs.tree_memory_bytes(process.pid) == pytest.approx(sum(map(procfs.memory_bytes, pids)), abs=MIB)
    process.communicate("")


def test_children_of_threads_are_found(run_python):
    """A child belongs to the thread that started it; all threads are asked."""
    process = run_python(
        "import subprocess, threading\n"
        "hold = threading.Event()\n"
        "def start():\n    global p; p = subprocess.Popen(['cat'], stdin=subprocess.PIPE); go.set(); hold.wait()\n"
        "go = threading.Event(); threading.Thread(target=start, daemon=True).start(); go.wait()"
    )
    assert len(procfs.children(process.pid)) == 1


def test_session_members_are_found(run_python):
    """All processes of a session are found, whoever their parent is."""
    process = run_python("import os, subprocess; os.setsid(); p = subprocess.Popen(['cat'], stdin=subprocess.PIPE)")
    assert sorted(procfs.session_members(process.pid)) == sorted([process.pid, *procfs.children(process.pid)])


def test_carriers_of_a_variable_are_found(monkeypatch, run_python):
    """A variable marks the process that started with it, and not one whose value merely begins alike."""
    monkeypatch.setenv("TIGHTSHIP_TEST", "one")
    marked = run_python("")
    monkeypatch.setenv("TIGHTSHIP_TEST", "one-more")
    run_python("")
    assert procfs.carriers("TIGHTSHIP_TEST=one") == [marked.pid]


def test_a_program_that_is_being_put_in_place_carries_its_variables(monkeypatch):
    """For a moment the kernel has its memory and not yet its environment; it counts all the same."""
    seen = iter([b"", b"", b"A=1\0MARK=x\0"])
    begins = b"7 (new) R " + b" ".join([b"1"] * 47 + [b"0", b"0"])
    monkeypatch.setattr(procfs, "_read", lambda path, **_: next(seen) if path.endswith("environ") else begins)
    assert procfs.carries(7, "MARK=x")


def test_a_process_without_environment_is_not_waited_for(zombie):
    """The dead, and what has an empty one, carry nothing."""
    assert not procfs.carries(zombie, "MARK=x")
    with subprocess.Popen([sys.executable, "-c", "input()"], env={}, stdin=subprocess.PIPE) as process:
        assert not procfs.carries(process.pid, "MARK=x")


@pytest.mark.parametrize("state", ["zombie", "gone"])
def test_the_dead_are_ending(state, request):
    """So is what is about to be dead; who looks is not."""
    assert procfs.is_ending(request.getfixturevalue(state))
    assert not procfs.is_ending(os.getpid())


def test_own_descriptors_are_counted_without_the_one_that_counts():
    """One more open file is one more descriptor."""
    before = procfs.fds(os.getpid())
    fd = os.open(os.devnull, os.O_RDONLY)
    try:
        assert procfs.fds(os.getpid()) == before + 1
    finally:
        os.close(fd)


def test_threads_are_counted(run_python):
    """Three sleeping threads and the main one are four."""
    process = run_python(
        "import threading\nfor _ in range(3): threading.Thread(target=threading.Event().wait, daemon=True).start()"
    )
    assert procfs.threads(process.pid) == 4


def test_cpu_time_includes_children_waited_for(run_python):
    """What an ended child has burnt is in its parent's account."""
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    process = run_python(f"import subprocess; subprocess.run([sys.executable, '-c', {burn!r}])")
    assert procfs.cpu_s(process.pid) >= 0.25  # less a few ticks of the kernel


def test_own_cpu_time_is_told_in_less_than_ticks():
    """A short job takes a part of one, and would take none."""
    before_s = procfs.cpu_s(os.getpid())
    until_s = time.process_time() + 0.2 / procfs.TICKS_PER_S
    while time.process_time() < until_s:
        pass
    assert procfs.threads_and_cpu_s(os.getpid())[1] - before_s >= 0.2 / procfs.TICKS_PER_S


def test_pss_is_within_the_resident_size(run_python):
    """The proportional set size is more than the private memory, less than all that is resident."""
    process = run_python("block = b'x' * (20 << 20)")
    resident = procfs._size_bytes(procfs._read(f"/proc/{process.pid}/status"), b"\nVmRSS:")
    assert 20 * MIB < procfs.pss_bytes(process.pid) <= resident


def test_high_water_remembers_what_was_freed(run_python):
    """The mark stays when the memory is given back."""
    process = run_python("block = b'x' * (60 << 20); del block")
    assert procfs.high_water_bytes(process.pid) - procfs.memory_bytes(process.pid) > 55 * MIB


def test_high_water_is_never_below_what_is_held(run_python):
    """Where file pages grew after the peak, the memory held now is the answer."""
    process = run_python("block = b'x' * (20 << 20)")
    assert procfs.high_water_bytes(process.pid) >= procfs.memory_bytes(process.pid)


def test_a_reset_forgets_the_peak():
    """After a reset the mark is what is held now."""
    reset = procfs.PeakReset()
    if not reset.available:
        pytest.skip("this kernel does not let the mark be reset")
    block = b"x" * (60 * MIB)
    del block
    before_bytes = procfs.high_water_bytes(os.getpid())
    assert reset.reset()
    assert before_bytes - procfs.high_water_bytes(os.getpid()) > 55 * MIB
    reset.close()


def test_a_closed_reset_says_that_it_cannot():
    """Without its file a reset is not available, and closing again does no harm."""
    reset = procfs.PeakReset()
    reset.close()
    reset.close()
    assert not reset.available
    assert not reset.reset()
    assert repr(reset) == "<PeakReset not available>"


def test_a_status_longer_than_one_read_is_read_whole(run_python, monkeypatch):
    """The groups of whoever is in a thousand come before the figures; nobody is measured as nothing for that."""
    process = run_python("")
    held_bytes, mark_bytes = procfs.memory_and_high_water_bytes(process.pid)
    size = len(procfs._read(f"/proc/{process.pid}/status"))

    for read_bytes in (64, size, size - 1):
        monkeypatch.setattr(procfs, "_READ_BYTES", read_bytes)
        assert procfs.memory_and_high_water_bytes(process.pid) == (held_bytes, mark_bytes)


def test_the_module_imports_nothing_but_the_standard_library():
    """The supervisor's small process imports it alone."""
    program = "import sys, tightship.core.procfs; print(*sys.modules)"
    source = Path(procfs.__file__).parents[2]
    loaded = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={"PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    foreign = {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names - {"__main__", "tightship"}
    assert foreign == set()
