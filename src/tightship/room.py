"""Room in memory: what a job is admitted by, and which idle slots go so that it fits."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from tightship.core.governor import Budget, Recycle, Reservation, SlotState, State, decide
from tightship.core.peak_share import PeakShares
from tightship.core.receipt import Receipt
from tightship.errors import TightshipError
from tightship.runner import Runner
from tightship.store.record import JobRecord


class Room:
    """Keep what all slots together hold in bounds; may be used by several threads.

    Args:
        runner: Knows what jobs declare; its pool has the slots.
        budget: What all slots together may hold; jobs are admitted up to its soft line.
        look_bytes: What looking at an input takes.
    """

    def __init__(self, runner: Runner, budget: Budget, look_bytes: int) -> None:
        self._runner = runner
        self._budget = budget
        self._look_bytes = look_bytes
        self._shares = PeakShares()
        self._learning = threading.Lock()

    def reservation_bytes(self, job: JobRecord, media: Mapping[str, Any]) -> int:
        """Return the memory that a job is admitted by: what it declares, less what the ones before it did not need.

        Raises:
            TightshipError: See `Runner.reservation_bytes`.
        """
        declared_bytes = self._runner.reservation_bytes(job.operation, job.options, media)
        with self._learning:
            return self._shares.reservation_bytes(job.operation, declared_bytes)

    def learn(self, job: JobRecord, receipt: Receipt) -> None:
        """Take note of what a job has needed of what was declared then, by a model that may be another by now."""
        if receipt.peak_bytes is None or receipt.declared_bytes is None or job.media is None:
            return
        with self._learning:
            self._shares.add(job.operation, receipt.declared_bytes, receipt.peak_bytes)

    def keep(self) -> None:
        """Let go of idle slots when all of them together are over the budget's soft line."""
        pool = self._runner.pool
        slots = tuple(
            SlotState(slot.pid, slot.busy, slot.held_bytes, slot.baseline_bytes, 0, pool.ceiling_bytes, slot.jobs_done)
            for slot in pool.slots()
        )
        self._recycle(State(self._budget, slots))

    def make(self, job: JobRecord, beside_bytes: int) -> None:
        """Let go of idle slots that would leave too little for a job beside all else: another's model, say.

        Args:
            job: It has been admitted, and is about to run.
            beside_bytes: What all else was admitted by when the job was. Asked later it would count jobs that had ended
                by then, and an idle slot goes only where its memory lets the job fit.
        """
        with suppress(TightshipError):  # what is wrong with the job shows when it runs
            key = self._runner.key(job.operation, job.options)
            while self._recycle(self._state_before(job, beside_bytes, key)):
                pass

    def is_left_to_look(self, running: Sequence[JobRecord]) -> bool:
        """Tell whether an input can be looked at while these jobs run: nobody waits for the end of one then."""
        reserved_bytes = sum(job.reservation_bytes or 0 for job in running)
        return reserved_bytes + self._look_bytes <= self._budget.soft_bytes

    def _state_before(self, job: JobRecord, beside_bytes: int, key: tuple[str, ...] | None) -> State:
        """Return how things stand before a job runs; what runs counts by its reservation, by which it was admitted."""
        pool = self._runner.pool
        idle = [slot for slot in pool.slots() if not slot.busy]
        running = SlotState(-1, True, 0, None, beside_bytes, pool.ceiling_bytes)
        resting = tuple(SlotState(slot.pid, False, slot.held_bytes, None, 0, pool.ceiling_bytes) for slot in idle)
        warm = next((slot.pid for slot in idle if slot.key == key), None)
        return State(self._budget, (running, *resting), Reservation(job.reservation_bytes or 0, "declared"), warm)

    def _recycle(self, state: State) -> bool:
        """Let go of the slots that are to go; False when there are none."""
        going = [decision.slot for decision in decide(state) if isinstance(decision, Recycle)]
        return sum(self._runner.pool.recycle(slot) for slot in going) > 0

    def __repr__(self) -> str:
        return f"<Room {self._budget}>"
