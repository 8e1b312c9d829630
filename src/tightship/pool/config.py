"""Settings of the pool, each with its unit, default and effect."""

from __future__ import annotations

from dataclasses import dataclass, field

from tightship.core.governor import RecyclePolicy
from tightship.core.restart import RestartIntensity
from tightship.errors import InvalidOptions
from tightship.pool.confinement import Confinement

#: Longest wait that can be set, in seconds: the kernel counts milliseconds in 31 bits.
LONGEST_WAIT_S = 1e6


@dataclass(frozen=True)
class PoolConfig:
    """How a pool keeps its slots.

    Args:
        slots: Most worker processes at a time; each runs one attempt at a time.
        ceiling_bytes: Memory (anonymous, shared, swapped; whole process tree) at which a slot is killed, unless the
            task says otherwise; None shares the default budget of the machine's effective limit among the slots.
        recycling: When a slot has served long enough.
        idle_s: A slot without work for so long leaves; None keeps it.
        model_idle_s: The same for a slot that keeps a model loaded, which takes longer to make than others. It leaves
            before that where the memory is wanted for a job.
        start_s: Longest time a worker may take until it is ready.
        cancel_grace_s: Time between asking an attempt to stop and killing its slot.
        restarts: How many workers may die without work, at their start or idle, before none is started for a while.
            Deaths in the middle of an attempt do not count: they are that job's doing, and others must not wait for it.
        import_paths: Further folders a worker may import operations from.
        confinement: The limits a worker puts on itself.
    """

    slots: int = 1
    ceiling_bytes: int | None = None
    recycling: RecyclePolicy = field(default_factory=RecyclePolicy)
    idle_s: float | None = 60.0
    model_idle_s: float | None = 300.0
    start_s: float = 30.0
    cancel_grace_s: float = 0.5
    restarts: RestartIntensity = field(default_factory=RestartIntensity)
    import_paths: tuple[str, ...] = ()
    confinement: Confinement = field(default_factory=Confinement)

    def __post_init__(self) -> None:
        if self.slots < 1:
            raise InvalidOptions(f"slots must be at least 1, not {self.slots}", slots=self.slots)
        if self.ceiling_bytes is not None and self.ceiling_bytes < 2**20:
            raise InvalidOptions(f"ceiling_bytes must be at least 1 MiB, not {self.ceiling_bytes} bytes")
        for name, idle_s in (("idle_s", self.idle_s), ("model_idle_s", self.model_idle_s)):
            if idle_s is not None and not 0 < idle_s <= LONGEST_WAIT_S:
                raise InvalidOptions(f"{name} must be over 0 and at most {LONGEST_WAIT_S:g} s, or None, not {idle_s}")
        for name, wait_s in (("start_s", self.start_s), ("cancel_grace_s", self.cancel_grace_s)):
            if not 0 <= wait_s <= LONGEST_WAIT_S:
                raise InvalidOptions(f"{name} must be from 0 to {LONGEST_WAIT_S:g} s, not {wait_s}")
