"""Who may start, who must wait, who has to go: decisions about memory, and decisions only.

Nothing here reads a clock, measures or ends anything. The runner collects a `State`, asks `decide`, and acts: it starts
the admitted job, lets its callers wait, raises `ExceedsBudget` for a refusal, and has the pool recycle and kill slots.
It acts on one answer before it asks again, and leaves slots that are already ending out of the state.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from tightship.units import format_bytes

#: Share of the machine's limit up to which jobs are admitted; what lies above absorbs jobs that outgrow their
#: reservation.
SOFT_SHARE = 0.70
#: Share of the machine's limit over which slots are killed. The rest is for the system, the server and its page cache,
#: and for what a slot takes between two looks at it: 16 to 45 MB were measured at 50 ms.
HARD_SHARE = 0.85


@dataclass(frozen=True)
class Budget:
    """The memory of all slots together.

    Args:
        soft_bytes: Up to here jobs are admitted, by what they reserve.
        hard_bytes: Over this slots are killed.
    """

    soft_bytes: int
    hard_bytes: int

    def __post_init__(self) -> None:
        if not 0 < self.soft_bytes <= self.hard_bytes:
            raise ValueError(f"a budget needs 0 < soft <= hard, not soft {self.soft_bytes}, hard {self.hard_bytes}")

    @classmethod
    def within(cls, limit_bytes: int) -> Budget:
        """Return the default budget on a machine, or in a container, that may use `limit_bytes` in all."""
        return cls(int(limit_bytes * SOFT_SHARE), int(limit_bytes * HARD_SHARE))


@dataclass(frozen=True)
class Reservation:
    """The most memory a slot will hold while it does the job, the slot's own process and model included."""

    reserved_bytes: int
    source: Literal["declared", "learned"]


@dataclass(frozen=True)
class SlotState:
    """One slot as it is now.

    Args:
        slot: Its number.
        busy: An attempt runs in it.
        used_bytes: Memory of its process tree now.
        base_bytes: The same just after it was started and loaded; None where that was not measured.
        reserved_bytes: What its attempt has reserved; 0 when idle.
        ceiling_bytes: What it must never pass on its own.
        jobs_done: Attempts since it was started.
    """

    slot: int
    busy: bool
    used_bytes: int
    base_bytes: int | None
    reserved_bytes: int
    ceiling_bytes: int
    jobs_done: int = 0

    @property
    def committed_bytes(self) -> int:
        """What this slot may come to hold: a running attempt has its peak before it, an idle slot has not."""
        return max(self.used_bytes, self.reserved_bytes) if self.busy else self.used_bytes

    @property
    def excess_bytes(self) -> int:
        """How far the slot is over its reservation; negative when under."""
        return self.used_bytes - self.reserved_bytes


@dataclass(frozen=True)
class State:
    """All that a decision needs.

    Args:
        slots: Every slot that is not already ending.
        wanted: What the next job in line would reserve; None when nobody waits.
        warm_slot: The idle slot that job would run in, None for a fresh one: its memory is part of the reservation.
    """

    budget: Budget
    slots: tuple[SlotState, ...]
    wanted: Reservation | None = None
    warm_slot: int | None = None


@dataclass(frozen=True)
class Admit:
    """Start the wanted job, in this slot or in a fresh one."""

    slot: int | None


@dataclass(frozen=True)
class Wait:
    """Keep the wanted job waiting and ask again when a slot has changed."""

    reason: str


@dataclass(frozen=True)
class Refuse:
    """Tell the wanted job that it can never be admitted (`ExceedsBudget`)."""

    reason: str


@dataclass(frozen=True)
class Recycle:
    """End an idle slot; a fresh one takes its place when it is needed."""

    slot: int
    reason: str


@dataclass(frozen=True)
class Kill:
    """End a slot and the attempt in it by force (`MemoryExceeded`)."""

    slot: int
    reason: str


Decision = Admit | Wait | Refuse | Recycle | Kill


def decide(state: State) -> tuple[Decision, ...]:
    """Return what to do now: first who is killed, then who is recycled, then the answer to the job that waits.

    A job is admitted by what it reserves, because its peak comes after the admission. Memory over the budget is taken
    from idle slots first, the largest first; a running attempt is killed only when idle ones cannot make up for it, or
    when it passes its slot's own ceiling. One attempt is killed at a time for the budget's sake.
    """
    kills = [_over_ceiling(slot) for slot in state.slots if slot.used_bytes > slot.ceiling_bytes]
    killed = {kill.slot for kill in kills}
    slots = [slot for slot in state.slots if slot.slot not in killed]
    idle = sorted((slot for slot in slots if not slot.busy), key=lambda slot: slot.used_bytes, reverse=True)
    recycles = list(_relief(idle, sum(slot.used_bytes for slot in slots) - state.budget.soft_bytes))
    busy = [slot for slot in slots if slot.busy]
    busy_bytes = sum(slot.used_bytes for slot in busy)
    if busy_bytes > state.budget.hard_bytes:
        kills.append(_over_hard(busy, busy_bytes, state.budget))
    if state.wanted is None:
        return (*kills, *recycles)
    if kills or recycles:
        return (*kills, *recycles, _refusal(state.wanted, state.budget) or Wait("Memory is being given back first."))
    return _answer(state, state.wanted, idle)


def _answer(state: State, wanted: Reservation, idle: Sequence[SlotState]) -> tuple[Decision, ...]:
    if refusal := _refusal(wanted, state.budget):
        return (refusal,)
    others = [slot for slot in state.slots if slot.slot != state.warm_slot]
    warm_bytes = sum(slot.used_bytes for slot in state.slots if slot.slot == state.warm_slot)
    committed_bytes = sum(slot.committed_bytes for slot in others)
    missing_bytes = committed_bytes + max(wanted.reserved_bytes, warm_bytes) - state.budget.soft_bytes
    if missing_bytes <= 0:
        return (Admit(state.warm_slot),)
    spare = [slot for slot in idle if slot.slot != state.warm_slot]
    wait = Wait(
        f"{format_bytes(committed_bytes)} of {format_bytes(state.budget.soft_bytes)} are taken; "
        f"{format_bytes(wanted.reserved_bytes)} more are wanted."
    )
    # Losing warm slots pays only where it lets the job start.
    if sum(slot.used_bytes for slot in spare) < missing_bytes:
        return (wait,)
    return (*_relief(spare, missing_bytes), wait)


def _refusal(wanted: Reservation, budget: Budget) -> Refuse | None:
    if wanted.reserved_bytes <= budget.soft_bytes:
        return None
    needed, limit = format_bytes(wanted.reserved_bytes), format_bytes(budget.soft_bytes)
    return Refuse(f"The job needs {needed} ({wanted.source}); no more than {limit} can ever be admitted.")


def _relief(idle: Iterable[SlotState], missing_bytes: int) -> Iterable[Recycle]:
    """Yield the first of `idle` until they make up for the missing bytes."""
    for slot in idle:
        if missing_bytes <= 0:
            return
        yield Recycle(slot.slot, f"It is idle and holds {format_bytes(slot.used_bytes)}, which is needed.")
        missing_bytes -= slot.used_bytes


def _over_ceiling(slot: SlotState) -> Kill:
    used, ceiling = format_bytes(slot.used_bytes), format_bytes(slot.ceiling_bytes)
    return Kill(slot.slot, f"It holds {used}; its ceiling is {ceiling}.")


def _over_hard(busy: Sequence[SlotState], busy_bytes: int, budget: Budget) -> Kill:
    worst = max(busy, key=lambda slot: slot.excess_bytes)
    total, hard = format_bytes(busy_bytes), format_bytes(budget.hard_bytes)
    return Kill(
        worst.slot,
        f"All slots hold {total} of at most {hard}; this one holds {format_bytes(worst.used_bytes)} "
        f"and had reserved {format_bytes(worst.reserved_bytes)}.",
    )


@dataclass(frozen=True)
class RecyclePolicy:
    """When a slot has served long enough.

    Args:
        max_jobs: Attempts after which it is replaced, whatever it holds.
        jitter_share: Part of `max_jobs` over which the slots' ends are spread, so that they do not all restart at once.
        growth_bytes: Memory over its baseline that it may keep between attempts.
    """

    max_jobs: int = 500
    jitter_share: float = 0.2
    growth_bytes: int = 128 * 2**20

    def __post_init__(self) -> None:
        if self.max_jobs < 1 or not 0 <= self.jitter_share < 1 or self.growth_bytes < 0:
            raise ValueError(f"out of range: {self}")


def recycle_due(slot: SlotState, policy: RecyclePolicy, jitter: float) -> Recycle | None:
    """Return why a slot at a safepoint is to be replaced, or None; a busy slot is at none.

    Args:
        jitter: The slot's own number from 0 to 1, drawn when it was started.
    """
    if slot.busy:
        return None
    jobs = max(1, round(policy.max_jobs * (1 - policy.jitter_share * jitter)))
    if slot.jobs_done >= jobs:
        return Recycle(slot.slot, f"It has done {slot.jobs_done} jobs; its turn was {jobs}.")
    grown_bytes = 0 if slot.base_bytes is None else slot.used_bytes - slot.base_bytes
    if grown_bytes > policy.growth_bytes:
        return Recycle(slot.slot, f"It holds {format_bytes(grown_bytes)} more than just after it was loaded.")
    return None
