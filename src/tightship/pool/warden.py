"""The warden: a tiny process that is the parent of every worker, and outlives the parent of the pool.

It starts the workers, polls the memory of their process trees, kills what is over a limit, and reaps. Being a
subreaper it inherits whatever outlives a worker - grandchildren, `setsid` ones too - and kills that as well. When
the pool's process is gone (its pidfd says so, SIGKILL included) it kills everything below it and leaves. It does
one thing at a time in one thread, so no busy interpreter and no garbage collection can delay a kill.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

from tightship.core.procfs import children, tree_memory_bytes
from tightship.pool.cgroup import SlotCgroup
from tightship.pool.channel import Channel, ChannelClosed
from tightship.pool.kinship import adopt_orphans, outlive_signals
from tightship.pool.messages import Exited, Kill, Spawn, Spawned, Watch
from tightship.pool.ward import POLL_MAX_S, POLL_MIN_S, Ward

#: Longest wait for killed orphans to be gone before a death is reported all the same (a process stuck in the kernel).
ORPHAN_WAIT_S = 1.0


class Warden:
    """Supervise the slots of one pool until its channel closes or its process dies."""

    def __init__(self, pool: Channel, parent_fd: int, cgroups: Path | None) -> None:
        self._pool = pool
        self._cgroups = cgroups
        self._spawned = 0
        self._parent_fd = parent_fd
        self._wards: dict[int, Ward] = {}
        self._wakeup_fd, self._signal_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._signal_fd, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Work until the pool is gone, then kill everything below and return."""
        try:
            while self._turn():
                pass
        finally:
            self._kill_everything()

    def _turn(self) -> bool:
        ready = self._ready(self._next_due_s())
        if self._parent_fd in ready:
            return False
        bereaved = self._wakeup_fd in ready
        if bereaved:
            os.read(self._wakeup_fd, 4096)
        try:
            if self._pool.fileno() in ready:
                self._take_orders()
        except ChannelClosed:
            return False
        for ward in [ward for ward in self._wards.values() if ward.line.fileno() in ready]:
            self._listen(ward)
        now_s = time.monotonic()
        looked = [self._enforce(ward, now_s) for ward in self._wards.values()]
        # What the dead leave behind has come to us before their death was told; what a living worker no longer adopts,
        # at any time.
        if bereaved or any(looked):
            self._reap()
        return True

    def _next_due_s(self) -> float:
        return min((ward.due_s() for ward in self._wards.values()), default=float("inf"))

    def _ready(self, due_s: float) -> set[int]:
        poller = select.poll()
        lines = [ward.line.fileno() for ward in self._wards.values() if ward.line.fileno() >= 0]
        for fd in (self._parent_fd, self._wakeup_fd, self._pool.fileno(), *lines):
            poller.register(fd, select.POLLIN)
        wait_ms = None if due_s == float("inf") else max(0.0, due_s - time.monotonic()) * 1000
        return {fd for fd, _ in poller.poll(wait_ms)}

    def _take_orders(self) -> None:
        while (order := self._pool.receive(0)) is not None:
            if not isinstance(order, Spawn):
                raise ChannelClosed(f"unexpected {order}")
            self._spawn(order)

    def _spawn(self, order: Spawn) -> None:
        work_fd, line_fd, stderr_fd = self._pool.take_fds(3)
        null_fd = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        line = Channel(socket.socket(fileno=line_fd))
        dup = os.POSIX_SPAWN_DUP2
        try:
            pid = os.posix_spawn(
                order.argv[0],
                order.argv,
                order.env,
                file_actions=[(dup, null_fd, 0), (dup, null_fd, 1), (dup, stderr_fd, 2), (dup, work_fd, 3)],
                setsid=True,
                setsigmask=[],
            )
        except OSError:  # no such interpreter, no process left: the closed line tells the pool
            line.close()
            return
        finally:
            for fd in (work_fd, stderr_fd, null_fd):
                os.close(fd)
        self._wards[pid] = Ward(pid, line, self._cgroup_for(pid))
        with suppress(ChannelClosed):  # given up already; the closed line will end it
            line.send(Spawned(pid))

    def _cgroup_for(self, pid: int) -> SlotCgroup | None:
        if self._cgroups is None:
            return None
        self._spawned += 1
        cgroup = SlotCgroup.create(self._cgroups, f"tightship-{os.getpid()}-{self._spawned}")
        if cgroup is not None:
            cgroup.admit(pid)
        return cgroup

    def _listen(self, ward: Ward) -> None:
        try:
            while (order := ward.line.receive(0)) is not None:
                if isinstance(order, Watch):
                    ward.obey(order)
                elif isinstance(order, Kill):
                    self._kill(ward, order.cause)
        except ChannelClosed:
            ward.line.close()
            self._kill(ward, "abandoned")

    def _enforce(self, ward: Ward, now_s: float) -> bool:
        """Kill a slot that is over a limit; return whether it was time to look at it."""
        if ward.killed_for:
            return self._await_end(ward, now_s)
        watch = ward.watch
        if watch.kill_at_s is not None and now_s >= watch.kill_at_s:
            self._sample(ward)
            self._kill(ward, watch.cause)
            return True
        if now_s < ward.poll_at_s:
            return False
        ward.poll_at_s = float("inf")
        if watch.ceiling_bytes is None:
            return True
        held_bytes = self._sample(ward)
        if held_bytes > watch.ceiling_bytes:
            self._kill(ward, ward.memory_cause)
        else:
            ward.put_off(time.monotonic(), watch.ceiling_bytes - held_bytes)
        return True

    def _await_end(self, ward: Ward, now_s: float) -> bool:
        """Have a killed slot reaped in any case: of the end of one that its own child traces no signal tells."""
        if now_s < ward.poll_at_s:
            return False
        ward.poll_at_s = now_s + POLL_MAX_S
        if now_s >= ward.report_at_s:
            ward.report_at_s = float("inf")
            self._report(ward, Exited(ward.killed_for or "", ward.peak_bytes, 0.0, 0))
        return True

    def _sample(self, ward: Ward) -> int:
        held_bytes = tree_memory_bytes(ward.pid)
        ward.peak_bytes = max(ward.peak_bytes, held_bytes)
        return held_bytes

    def _kill(self, ward: Ward, cause: str) -> None:
        ward.doom(cause, time.monotonic())
        os.kill(ward.pid, signal.SIGKILL)  # not reaped yet, so the id is still its own

    def _reap(self) -> None:
        """Reap the dead; what a dead slot left behind is ours by now: kill it before its death is reported."""
        ended: list[tuple[Ward, int, float]] = []
        orphans = 0
        give_up_at_s = time.monotonic() + ORPHAN_WAIT_S
        while True:
            while (reaped := _reap_one()) is not None:
                pid, status, cpu_s = reaped
                ward = self._wards.pop(pid, None)
                if ward is None:
                    orphans += 1
                else:
                    ended.append((ward, status, cpu_s))
            if not self._kill_strays() or time.monotonic() > give_up_at_s:
                break
            select.select([self._wakeup_fd], [], [], POLL_MIN_S)
        for ward, status, cpu_s in ended:
            self._report(ward, Exited(ward.died_of(status), ward.peak_bytes, cpu_s, orphans))
            if ward.cgroup is not None:
                ward.cgroup.close()

    def _report(self, ward: Ward, exited: Exited) -> None:
        with suppress(ChannelClosed):  # the pool is gone or has given this slot up; nobody wants to know
            ward.line.send(exited, timeout_s=0.1)
        ward.line.close()

    def _kill_strays(self) -> int:
        """Kill every child of ours that is no worker; return how many there were."""
        strays = [pid for pid in children(os.getpid()) if pid not in self._wards]
        for pid in strays:
            os.kill(pid, signal.SIGKILL)
        return len(strays)

    def _kill_everything(self) -> None:
        wards = list(self._wards.values())
        self._wards.clear()
        self._reap()
        for ward in wards:
            if ward.cgroup is not None:
                ward.cgroup.close()


def _reap_one() -> tuple[int, int, float] | None:
    try:
        pid, status, usage = os.wait4(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status, usage.ru_utime + usage.ru_stime) if pid else None


def main() -> None:
    """Serve the pool whose channel is descriptor `argv[1]` and process is `argv[2]`; cgroups go below `argv[3]`."""
    channel_fd, parent_pid, cgroups = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    signal.pthread_sigmask(signal.SIG_SETMASK, [])  # a parent that blocks SIGCHLD would have us miss every death
    outlive_signals()
    adopt_orphans()
    try:
        parent_fd = os.pidfd_open(parent_pid)
    except ProcessLookupError:
        return
    if os.getppid() != parent_pid:
        return
    os.set_inheritable(channel_fd, False)
    Warden(Channel(socket.socket(fileno=channel_fd)), parent_fd, Path(cgroups) if cgroups else None).serve()


if __name__ == "__main__":
    main()
