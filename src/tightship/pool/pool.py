"""A fixed number of supervised slots: run tasks in them, keep them warm, replace them when dead or worn."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from tightship.core import machine
from tightship.core.governor import Budget, recycle_due
from tightship.core.ledger import Ledger
from tightship.core.scratch import ScratchRoot
from tightship.errors import Cancelled, ScopeMisused, WorkerDied
from tightship.pool.config import PoolConfig
from tightship.pool.nursery import Nursery
from tightship.pool.slot import Slot, SlotGone
from tightship.pool.source import open_source
from tightship.pool.task import Outcome, Task
from tightship.pool.vigil import CANCEL_POLL_S, Event

#: How many dead idle slots are replaced in a row before the task is given up.
MAX_REPLACEMENTS = 3

#: What a slot is kept warm for; see `Task.key`.
Key: TypeAlias = tuple[str, ...] | None


@dataclass(frozen=True)
class SlotReport:
    """What a slot is doing, for people and programs that watch."""

    pid: int
    key: Key
    busy: bool
    jobs_done: int
    held_bytes: int
    baseline_bytes: int | None
    confined_by: tuple[str, ...]


class Pool:
    """Run tasks in supervised worker processes.

    Open it with `with`, or `close()` it. It may be used from many threads at once; it starts none itself. The warden
    and the workers start with the first task.

    Args:
        config: How many slots, when they are recycled, what they may do.
        home: Folder for all state; scratch lies in `scratch` below it, where leftovers of dead processes are swept.
    """

    def __init__(self, config: PoolConfig | None = None, *, home: Path) -> None:
        self.config = config or PoolConfig()
        self.ledger = Ledger()
        self.ceiling_bytes = self.config.ceiling_bytes or _share_bytes(self.config.slots)
        self._owner_pid = os.getpid()
        self._changed = threading.Condition()
        self._idle: list[Slot] = []
        self._busy: list[Slot] = []
        self._opening: list[Key] = []
        self._leaving: list[Slot] = []
        self._closed = False
        self._nursery = Nursery(self.config, ScratchRoot(home.absolute() / "scratch"))
        self.swept = self._nursery.sweep()

    def run(
        self,
        task: Task,
        *,
        on_event: Callable[[Event], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> Outcome:
        """Run one attempt at `task`, waiting for a free slot first, and return how it ended.

        Args:
            task: What to do.
            on_event: Called in this thread with `Progress` and `Partial`; if it raises, the attempt is killed.
            cancel: Set it, from any thread, to cancel.

        Raises:
            MediaNotFound, UnsupportedMedia: The input cannot be opened; what is wrong later is in the outcome.
            SlotsUnavailable: Workers keep dying, so none is started for a while.
            WorkerDied: No worker could be started.
            OutputUnwritable: The home cannot be used.
            InvalidOptions: The options are not plain JSON.
            DiskFull: There is no room for a slot's folder.
            Cancelled: It was cancelled while it waited for a slot.
        """
        self._refuse_copy()
        with open_source(task.source) as source_fd:
            for _ in range(MAX_REPLACEMENTS):
                self._bury_the_dead()
                slot = self._acquire(task, cancel)
                try:
                    ceiling_bytes = task.ceiling_bytes or self.ceiling_bytes
                    outcome = slot.run(task, source_fd, ceiling_bytes, on_event, cancel)
                    self.ledger.add(outcome.receipt)
                    self._give_back(slot)
                    return outcome
                except SlotGone:
                    self._retire(slot, "died idle")
                    if not slot.left:
                        self._nursery.lost_one()
                except BaseException:
                    self._retire(slot, "abandoned")
                    raise
        raise WorkerDied(f"{MAX_REPLACEMENTS} workers in a row died before they took on {task.name}")

    def recycle(self, pid: int) -> bool:
        """End an idle slot, to get its memory back; False when it is not idle any more."""
        self._refuse_copy()
        with self._changed:
            going = [slot for slot in self._idle if slot.pid == pid]
            self._leave(going)
        self._see_off(going, "recycled")
        return bool(going)

    def vacate(self, meant: Callable[[Key], bool]) -> int | None:
        """End all slots whose key is meant, in one go; until they are gone no other is opened for the same key.

        Returns:
            How many, those included that were on their way out already; None, and all stay, when a task has one of them
            or is being given one.
        """
        self._refuse_copy()
        self._bury_the_dead()
        with self._changed:
            if any(map(meant, (*self._opening, *(slot.key for slot in self._busy)))):
                return None
            going = [slot for slot in self._idle if meant(slot.key)]
            leaving = [slot for slot in self._leaving if meant(slot.key)]
            self._leave(going)
        self._see_off(going, "on request")
        with self._changed:
            self._changed.wait_for(lambda: not any(slot in self._leaving for slot in leaving))
        return len(going) + len(leaving)

    def slots(self) -> tuple[SlotReport, ...]:
        """Return what each slot is doing; those whose workers have left are none any more."""
        if os.getpid() == self._owner_pid:  # what a forked child would hear, its parent would not
            self._bury_the_dead()
        with self._changed:
            return tuple(
                SlotReport(
                    slot.pid, slot.key, busy, slot.jobs_done, slot.held_bytes, slot.baseline_bytes, slot.confined_by
                )
                for busy, group in ((True, self._busy), (False, self._idle))
                for slot in group
            )

    @property
    def warden_pid(self) -> int | None:
        """Process id of the warden, once there is one."""
        return self._nursery.warden_pid

    def close(self) -> None:
        """End every slot, busy ones too, and remove their folders; a second call does nothing."""
        if os.getpid() != self._owner_pid:
            return  # a forked child holds a copy: what it is a copy of is not the child's to end
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            self._changed.notify_all()
        for slot in idle:
            slot.close("closed")
        self._nursery.end_warden()
        with self._changed:
            self._changed.wait_for(lambda: not self._busy and not self._opening and not self._leaving, timeout=5.0)
        self._nursery.close()

    # --- slots ------------------------------------------------------------------------------------

    def _acquire(self, task: Task, cancel: threading.Event | None) -> Slot:
        with self._changed:
            while True:
                if self._closed:
                    raise ScopeMisused("the pool is closed")
                if cancel is not None and cancel.is_set():
                    raise Cancelled("the job was cancelled")
                slot = next((slot for slot in reversed(self._idle) if slot.key == task.key), None)
                if slot is not None:
                    self._idle.remove(slot)
                    self._busy.append(slot)
                    return slot
                worn = self._idle[:1] if self._full() and not self._leaving else []
                if not self._is_leaving(task.key) and (worn or not self._full()):
                    self._leave(worn)
                    self._opening.append(task.key)
                    break
                self._changed.wait(None if cancel is None else CANCEL_POLL_S)
        return self._open(task, worn)

    def _refuse_copy(self) -> None:
        """A forked child holds a copy: what it hears its parent does not, and what it ends is its parent's."""
        if os.getpid() != self._owner_pid:
            raise ScopeMisused("a pool cannot be used in a process forked from the one that opened it; open one there")

    def _full(self) -> bool:
        slots = len(self._idle) + len(self._busy) + len(self._opening) + len(self._leaving)
        return slots >= self.config.slots

    def _is_leaving(self, key: Key) -> bool:
        """Tell whether a session is on its way out: a model that is loaded anew before that would be there twice."""
        return key is not None and any(slot.key == key for slot in self._leaving)

    def _leave(self, going: Sequence[Slot]) -> None:
        """Take idle slots out of use; they count until they have been seen off."""
        self._idle = [slot for slot in self._idle if slot not in going]
        self._leaving += going

    def _see_off(self, going: Sequence[Slot], why: str) -> None:
        try:
            for slot in going:
                self._account(slot, why)
        finally:
            with self._changed:
                self._leaving = [slot for slot in self._leaving if slot not in going]
                self._changed.notify_all()

    def _open(self, task: Task, worn: Sequence[Slot]) -> Slot:
        slot = None
        try:
            self._see_off(worn, "room for another session")
            slot = self._nursery.open_slot(task)
        finally:
            with self._changed:
                self._opening.remove(task.key)
                if slot is not None:
                    self._busy.append(slot)
                self._changed.notify_all()
        return slot

    def _give_back(self, slot: Slot) -> None:
        """Safepoint: keep the slot warm, or end it when it is dead or worn."""
        if slot.exited is not None:
            self._retire(slot, slot.exited.cause)
            return
        worn = recycle_due(slot.state(self.ceiling_bytes), self.config.recycling, slot.jitter)
        if worn is not None or self._closed:
            self._retire(slot, "recycled" if worn else "closed")
            return
        with self._changed:
            self._busy.remove(slot)
            self._idle.append(slot)
            self._changed.notify_all()

    def _bury_the_dead(self) -> None:
        """Make room of the idle slots whose workers have left or died; however many died at once, it was one mishap."""
        with self._changed:
            gone = [slot for slot in self._idle if slot.is_gone()]
            self._idle = [slot for slot in self._idle if slot not in gone]
            self._changed.notify_all()
        for slot in gone:
            self._account(slot, "exit 0")
        if not all(slot.left for slot in gone):
            self._nursery.lost_one()

    def _retire(self, slot: Slot, why: str) -> None:
        try:
            self._account(slot, why)
        finally:
            with self._changed:
                if slot in self._busy:
                    self._busy.remove(slot)
                self._changed.notify_all()

    def _account(self, slot: Slot, why: str) -> None:
        """End a slot and write the receipt of the process: the outermost scope."""
        self.ledger.add(slot.close(why))
        self._nursery.bury_warden()

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self._busy)} busy, {len(self._idle)} idle of {self.config.slots}"
        return f"<Pool {state}>"


def _share_bytes(slots: int) -> int:
    return Budget.within(machine.memory_limit().limit_bytes).hard_bytes // slots
