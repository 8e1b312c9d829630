"""Operations that do what no operation should; they run in slots only."""

from __future__ import annotations

import collections
import contextlib
import ctypes
import itertools
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tightship.core.attempt import Attempt
from tightship.errors import CorruptMedia

#: Source: include/uapi/linux/ptrace.h and prctl.h
_PTRACE_SEIZE, _PR_SET_PTRACER = 0x4206, 0x59616D61
#: Numbers of system calls. Source: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h
_CLONE, _EXIT = {"x86_64": (56, 60), "aarch64": (220, 93)}.get(os.uname().machine, (0, 0))
#: A descendant that leaves the session, clears its environment and holds no descriptor of ours.
_DAEMON = "import os, time; os.setsid(); os.fork() and os._exit(0); time.sleep(600)"


def run(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    """Do the misdeed that `options["deed"]` names."""
    return globals()[f"_{options['deed']}"](attempt, options)


@contextlib.contextmanager
def open_session(key: str) -> Iterator[dict[str, Any]]:
    """Open a session that counts its uses."""
    yield {"key": key, "uses": 0, "pid": os.getpid()}


def _nothing(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    return {"pid": os.getpid(), **options.get("echo", {})}


def _count(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    session: Any = attempt.session
    session["uses"] += 1
    return dict(session)


def _read(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    return {"text": os.pread(attempt.input_fd, 100, 0).decode()}


def _write(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    with (attempt.scratch / "result.bin").open("wb") as out:
        for _ in range(options["mib"]):
            out.write(b"x" * 2**20)
    return {"output": "result.bin"}


def _claim_output(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    if "link_to" in options:
        (attempt.scratch / options["name"]).symlink_to(options["link_to"])
    return {"output": options["name"]}


def _spin_in_c(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    """Never return from C, with the interpreter lock held, so that no Python of the worker runs any more."""
    attempt.checkpoint(1, 10, "s")
    collections.deque(itertools.repeat(0), maxlen=0)
    return {}


def _stall(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    while True:
        attempt.checkpoint(1, None, "frames")  # never gets further
        time.sleep(0.01)


def _work_until_told(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    done = 0
    while not attempt.checkpoint(done, options.get("total"), "frames"):
        done += 1
        time.sleep(0.005)
    attempt.warn("partial", "stopped at the soft deadline")
    return {"done": done}


def _boast(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    attempt.checkpoint(1e12, None, "s")
    time.sleep(600)
    return {}


def _hog(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    """Take memory at `bytes_per_s` from C, touching every page."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    chunk = 4 * 2**20
    began = time.monotonic()
    taken = 0
    while True:
        address = libc.malloc(ctypes.c_size_t(chunk))
        libc.memset(ctypes.c_void_p(address), 1, ctypes.c_size_t(chunk))
        taken += chunk
        ahead = taken / options["bytes_per_s"] - (time.monotonic() - began)
        if ahead > 0:
            time.sleep(ahead)


def _hog_without_leader(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    """Take memory in a process whose first thread has ended: the kernel's page on it tells of none."""
    if not options["in_child"] or os.fork() == 0:
        threading.Thread(target=_hog, args=(attempt, options)).start()
        ctypes.CDLL(None).syscall(_EXIT, 0)
    time.sleep(600)
    return {}


def _leave_hog(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    """Leave a thread at work that takes memory."""
    threading.Thread(target=_hog, args=(attempt, options), daemon=True).start()
    return {"pid": os.getpid()}


def _hog_in_child(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    subprocess.Popen([sys.executable, "-c", "x = bytearray(1 << 30); import time; time.sleep(600)"])
    time.sleep(600)
    return {}


def _signal(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    os.kill(os.getpid(), options["number"])
    time.sleep(600)
    return {}


def _segfault(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    ctypes.string_at(8)
    return {}


def _exit(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    os._exit(options["code"])


def _fail(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    if options.get("known"):
        raise CorruptMedia("nothing of it can be decoded", frames=0)
    ballast = bytearray(64 * 2**20)
    raise RuntimeError(f"failed with {len(ballast)} bytes in hand")


def _daemonise(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    """Start a child, a grandchild in its own session, and a daemon with an empty environment; then hang or return."""
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    subprocess.Popen([sys.executable, "-c", _DAEMON], env={}, start_new_session=True)
    while len(_family()) < 2:
        time.sleep(0.01)
    attempt.partial({"pids": _family()})
    if options.get("hang"):
        _spin_in_c(attempt, {})
    return {"pids": _family()}


def _start_child(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    """Start a child in a session of its own, and hang."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    attempt.partial({"pids": [child.pid]})
    time.sleep(600)
    return {}


def _disown(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    """Renounce the orphans below this process, and leave one; wait until it is gone, if told to."""
    ctypes.CDLL(None).prctl(36, 0, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    daemon = "import os, time; pid = os.fork(); pid and (print(pid, flush=True), os._exit(0)); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", daemon], stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
    while options.get("hang") and Path(f"/proc/{pid}").exists():
        time.sleep(0.01)
    return {"pid": pid}


def _be_traced(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    """Have a child trace this process, as a debugger does, and hang: its end is then told to the child first."""
    libc, pid = ctypes.CDLL(None), os.getpid()
    if (child := os.fork()) == 0:
        os.setsid()
        while libc.ptrace(_PTRACE_SEIZE, pid, None, None) != 0:
            time.sleep(0.01)
        time.sleep(600)
    libc.prctl(_PR_SET_PTRACER, ctypes.c_ulong(child), 0, 0, 0)
    while "\nTracerPid:\t0\n" in Path("/proc/self/status").read_text():
        time.sleep(0.01)
    attempt.partial({"tracer": child})
    time.sleep(600)
    return {}


def _leave_silent_child(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    """Leave a child whose end is told to nobody: a clone without a signal of exit."""
    libc = ctypes.CDLL(None)
    pid = libc.syscall(_CLONE, 0, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    return {"pid": pid}


def _family() -> list[int]:
    from tightship.core.procfs import descendants

    return descendants(os.getpid())


def _confess(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    """Say what this process can see and reach."""

    def tries(action: Any) -> str:
        try:
            action()
        except OSError as fault:
            return type(fault).__name__
        return "allowed"

    def connect() -> None:
        with socket.socket() as sock:
            sock.settimeout(1)
            sock.connect(("127.0.0.1", options["port"]))

    outside = Path(options["outside"])
    return {
        "environment": dict(os.environ),
        "write_outside": tries(lambda: (outside / "trace").write_text("x")),
        "read_outside": tries((outside / "secret").read_text),
        "write_scratch": tries(lambda: (attempt.scratch / "mine").write_text("x")),
        "parent_environment": tries(lambda: Path(f"/proc/{options['parent']}/environ").read_bytes()),
        "signal_parent": tries(lambda: os.kill(options["parent"], 0)),
        "connect": tries(connect),
        "real_time": tries(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(99))),
        "oom_score_adj": Path("/proc/self/oom_score_adj").read_text().strip(),
        "no_new_privs": "NoNewPrivs:\t1" in Path("/proc/self/status").read_text(),
        "core_limit": resource.getrlimit(resource.RLIMIT_CORE)[0],
        "cwd": str(Path.cwd()),
    }


def _leave_files(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    locked = attempt.scratch / "locked"
    locked.mkdir()
    (locked / "file").write_text("x")
    locked.chmod(0)
    (attempt.scratch.parent / "stray").write_text("x")
    return {}


def _ignore_cancel(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    attempt.checkpoint(1, None, "s")
    time.sleep(600)
    return {}


def _litter(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    """Fill the attempt's folder, and do not listen."""
    for number in range(50):
        (attempt.scratch / f"{number}.bin").write_bytes(b"x" * 2**16)
    return _ignore_cancel(attempt, options)


def _babble(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    """Write nonsense on the channel to the parent."""
    os.write(3, options["bytes"].encode("latin-1"))
    time.sleep(600)
    return {}


def _flood(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    """Send pieces of a result, faster than anybody takes them."""
    piece = b'{"is":"Partial","payload":{}}'
    with socket.socket(fileno=os.dup(3)) as channel:
        channel.setblocking(True)
        while True:
            channel.sendall(200 * (len(piece).to_bytes(4, "big") + piece))


def _shout(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    sys.stderr.write("x" * options["bytes"])
    sys.stdout.write("y" * options["bytes"])
    return {}


_KEPT: list[bytearray] = []


def _keep(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    """Leak: hold on to memory beyond the attempt."""
    _KEPT.append(bytearray(b"x") * (options["mib"] * 2**20))
    return {"pid": os.getpid()}


def _import_media(attempt: Attempt, options: dict[str, Any]) -> dict[str, Any]:
    """Import PyAV where it is not installed."""
    raise ModuleNotFoundError("No module named 'av'", name="av")
