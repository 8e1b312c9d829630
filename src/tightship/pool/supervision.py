"""The parent's end of the warden: start it, have it start workers, end it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tightship.core.machine import own_cgroup
from tightship.core.procfs import is_ending
from tightship.errors import PlatformUnsupported, WorkerDied
from tightship.pool.cgroup import delegated_folder
from tightship.pool.channel import Channel, ChannelClosed
from tightship.pool.confinement import Confinement, import_path, scrubbed_environment
from tightship.pool.messages import Ready, Spawn, Spawned
from tightship.pool.remnant import MARK, end_remnants
from tightship.pool.worker import Birth

#: Longest wait for the warden to have killed everything and left, in seconds.
CLOSE_S = 5.0
#: Longest wait for an answer that the warden gives at once, in seconds; one that is silent for longer has been stopped.
ANSWER_S = 10.0
#: How much of a dead worker's last words is kept, in bytes.
LAST_WORDS_BYTES = 4000
#: Run a module, without the current folder on its import path.
_MODULE = (sys.executable, "-P", "-m")


@dataclass(frozen=True)
class Lines:
    """The parent's ends of one slot: no other slot shares them.

    Args:
        pid: The worker's process id.
        work: To the worker.
        warden: To the warden.
        confined_by: What the worker's confinement enforces.
        end_warden: Kill the warden, and with it every worker: for a warden that gives no answer.
    """

    pid: int
    work: Channel
    warden: Channel
    confined_by: tuple[str, ...]
    end_warden: Callable[[], None]

    def close(self) -> None:
        """Close both; the worker and the warden take that as the end of the slot."""
        self.work.close()
        self.warden.close()


class Supervision:
    """A running warden.

    Args:
        home: Folder of the pool; every slot lives in a folder of its own below it.
        further_imports: Folders that workers may import from besides tightship's own and the installed packages.

    Raises:
        PlatformUnsupported: This is not Linux 5.4 or newer.
    """

    def __init__(self, home: Path, further_imports: tuple[str, ...] = ()) -> None:
        if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
            raise PlatformUnsupported(f"supervised workers need Linux 5.4 or newer; this is {sys.platform}")
        self._home = home
        self._imports = import_path(further_imports)
        self._sending = threading.Lock()
        if not sys.executable:
            raise PlatformUnsupported(
                "supervised workers need a Python interpreter to start; sys.executable names none"
            )
        cgroups = delegated_folder(own_cgroup())
        self._channel, theirs = Channel.pair()
        with theirs, ExitStack() as undo:
            undo.callback(self._channel.close)
            self._process = subprocess.Popen(
                [*_MODULE, "tightship.pool.warden", str(theirs.fileno()), str(os.getpid()), str(cgroups or "")],
                env=self._environment(home),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=None if _is_open(2) else subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
            undo.pop_all()

    @property
    def pid(self) -> int:
        """Process id of the warden."""
        return self._process.pid

    def alive(self) -> bool:
        """Tell whether the warden still runs; one that is on its way out, its channels closed, starts nothing."""
        return self._process.poll() is None and not is_ending(self.pid)

    def spawn(self, folder: Path, idle_s: float | None, confinement: Confinement, start_s: float) -> Lines:
        """Start a worker that lives in `folder` and wait until it is ready.

        Raises:
            WorkerDied: It did not come up within `start_s`; the message holds its last words.
        """
        birth = Birth(self.pid, str(folder), idle_s, confinement)
        argv = [*_MODULE, "tightship.pool.worker", birth.to_argument()]
        with ExitStack() as undo:
            try:
                work, line = self._order(Spawn(argv, self._environment(folder)), folder, undo)
                spawned = line.receive(max(start_s, ANSWER_S))
                if spawned is None:
                    self._process.kill()
                ready = work.receive(start_s)
                if not isinstance(spawned, Spawned) or not isinstance(ready, Ready):
                    raise ChannelClosed("no answer in time")
            except ChannelClosed as fault:
                raise WorkerDied(f"a worker did not start: {last_words(folder) or fault}") from None
            undo.pop_all()
        return Lines(spawned.pid, work, line, tuple(ready.confined_by), self._process.kill)

    def _environment(self, folder: Path) -> dict[str, str]:
        return {**scrubbed_environment(os.environ, folder, self._imports), MARK: str(self._home)}

    def _order(self, order: Spawn, folder: Path, undo: ExitStack) -> tuple[Channel, Channel]:
        """Have the warden start a worker; return the channels to the worker and to the warden, which `undo` closes."""
        with ExitStack() as handed:
            pairs = []
            for _ in range(2):
                ours, theirs = Channel.pair()
                undo.callback(ours.close)
                pairs.append((ours, handed.enter_context(theirs)))
            log_fd = os.open(log_of(folder), os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
            handed.callback(os.close, log_fd)
            (work, work_end), (line, line_end) = pairs
            with self._sending:
                self._channel.send(order, fds=(work_end.fileno(), line_end.fileno(), log_fd))
        return work, line

    def close(self) -> None:
        """End the warden, which kills all that is left below it first."""
        killed = not self.alive()  # it ends when it is told to; a program that ignores SIGCHLD sees no exit status
        self._channel.close()
        try:
            self._process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()  # stuck: its workers die with it
            self._process.wait()
            killed = True
        if killed or self._process.returncode != 0:
            end_remnants(self._home)


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def log_of(folder: Path) -> Path:
    """Return where the worker that lives in `folder` writes its stderr."""
    return folder / "worker.log"


def last_words(folder: Path) -> str:
    """Return the end of what the worker wrote to stderr: a traceback, a native library's complaint."""
    try:
        # The worker may have put a link to somebody else's file there, or a pipe.
        fd = os.open(log_of(folder), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - LAST_WORDS_BYTES))
            return log.read(LAST_WORDS_BYTES).decode("utf-8", "replace").strip()
    except OSError:
        return ""
