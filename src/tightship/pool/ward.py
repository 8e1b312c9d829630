"""One slot as the warden sees it: its limits, and when to look at it next."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field

from tightship.pool.cgroup import SlotCgroup
from tightship.pool.channel import Channel
from tightship.pool.messages import Watch

#: Slowest and fastest polling of a slot at work, in seconds.
POLL_MAX_S, POLL_MIN_S = 0.05, 0.005
#: Polling of an idle slot: what it should not do at all may take a second to be noticed.
POLL_IDLE_S = 1.0
#: Fastest growth that polling reckons with, in bytes per second: page faults on fresh memory manage 1-3 GB/s.
GROWTH_BYTES_PER_S = 4e9
#: Longest wait for a killed slot to be gone before its death is reported all the same: it is stuck in the kernel, or
#: held by a debugger. Shorter than the pool waits for the report.
DEATH_WAIT_S = 3.0


@dataclass
class Ward:
    """A worker process, the pool's line for it, and what it may do.

    Args:
        pid: Its process, which is the warden's child and not reaped yet.
        line: To the pool; nobody else speaks on it.
        cgroup: Its own, where the kernel enforces the ceiling.
    """

    pid: int
    line: Channel
    cgroup: SlotCgroup | None
    watch: Watch = field(default_factory=Watch)
    poll_at_s: float = float("inf")
    peak_bytes: int = 0
    killed_for: str | None = None
    report_at_s: float = float("inf")

    def due_s(self) -> float:
        """Return when it is to be looked at."""
        return min(self.poll_at_s, self.watch.kill_at_s or float("inf"))

    def obey(self, watch: Watch) -> None:
        """Enforce other limits from now on; what was killed, and may take long to be gone, needs none."""
        if self.killed_for:
            return
        self.watch = watch
        if self.cgroup is not None:
            self.cgroup.limit(watch.ceiling_bytes)
        self.peak_bytes = 0 if watch.fresh else self.peak_bytes
        if watch.kill_at_s is None:
            self.poll_at_s = 0.0  # its attempt is over, and may have left something behind
        else:
            # Not at once: it is about to begin, and on a small machine waits for the processor that a look takes.
            soon_s = time.monotonic() + POLL_MIN_S
            self.poll_at_s = soon_s if watch.fresh else min(self.poll_at_s, soon_s)

    def put_off(self, now_s: float, headroom_bytes: int) -> None:
        """Set the next look at a slot that may still grow by so much."""
        headroom_s = headroom_bytes / GROWTH_BYTES_PER_S
        at_work = self.watch.kill_at_s is not None
        self.poll_at_s = now_s + (min(POLL_MAX_S, max(POLL_MIN_S, headroom_s)) if at_work else POLL_IDLE_S)

    def doom(self, cause: str, now_s: float) -> None:
        """Note that it is killed, and why; the first reason counts."""
        if self.killed_for is None:
            self.killed_for, self.watch = cause, Watch()
            self.poll_at_s, self.report_at_s = now_s + POLL_MAX_S, now_s + DEATH_WAIT_S

    @property
    def memory_cause(self) -> str:
        """What its death over its ceiling is called: an idle slot's is not the doing of the attempt that comes next."""
        return "memory" if self.watch.kill_at_s is not None else "memory while idle"

    def died_of(self, status: int) -> str:
        """Return the cause of its death."""
        if self.killed_for:
            return self.killed_for
        ran_out = self.cgroup is not None and self.cgroup.ran_out()
        code = os.waitstatus_to_exitcode(status)
        return self.memory_cause if ran_out else f"signal {-code}" if code < 0 else f"exit {code}"
