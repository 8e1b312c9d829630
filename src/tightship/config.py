"""All settings: each part's own, composed, and read from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tightship.core import machine
from tightship.core.environment import Family
from tightship.core.governor import Budget
from tightship.http.config import HttpConfig
from tightship.pool.config import PoolConfig
from tightship.runner import RunnerConfig
from tightship.store.config import CacheConfig, StoreConfig

if TYPE_CHECKING:
    from tightship.service import ServiceConfig


@dataclass(frozen=True)
class JobsConfig:
    """What a server does with jobs.

    Args:
        store: How many there may be, and how long things are kept.
        drain_s: Seconds that running jobs get to end when the server stops; then they are handed back.
    """

    store: StoreConfig = field(default_factory=StoreConfig)
    drain_s: float = 10.0


#: Each slot: how many there are, what one may hold, when it is replaced.
SLOT = Family("TIGHTSHIP_SLOT_", PoolConfig, parts={"slots": "count", "confinement": "", "recycling": "recycle"})
#: What an operation accepts, and how long it may take.
MEDIA = Family("TIGHTSHIP_MEDIA_", RunnerConfig, parts={"limits": ""})
#: All slots of a server together.
BUDGET = Family("TIGHTSHIP_BUDGET_", Budget)
#: The jobs that a server keeps.
JOBS = Family("TIGHTSHIP_JOBS_", JobsConfig, parts={"store": ""})
#: What is remembered of results.
CACHE = Family("TIGHTSHIP_CACHE_", CacheConfig)
#: Where a server listens, and what it takes from whom.
HTTP = Family("TIGHTSHIP_HTTP_", HttpConfig, names={"api_keys": "TIGHTSHIP_API_KEYS"}, secret=frozenset({"api_keys"}))
FAMILIES = (SLOT, MEDIA, BUDGET, JOBS, CACHE, HTTP)


@dataclass(frozen=True)
class Config:
    """Everything that can be set for operations that are run without a server.

    Args:
        home: The one folder that holds all state.
        pool: How slots are kept.
        runner: Limits on a job's time and input.
        cache: How much is remembered of results.
    """

    home: Path
    pool: PoolConfig = field(default_factory=PoolConfig)
    runner: RunnerConfig = field(default_factory=RunnerConfig)
    cache: CacheConfig = field(default_factory=CacheConfig)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], home: Path | None = None) -> Config:
        """Return the settings that `TIGHTSHIP_HOME` and `TIGHTSHIP_SLOT_*`, `_MEDIA_*` and `_CACHE_*` give.

        Args:
            home: In place of the home folder of the environment.

        Raises:
            InvalidOptions: A variable of these names sets nothing, or its value cannot be used.
        """
        return cls(
            home or default_home(environment),
            pool=SLOT.read(environment, PoolConfig()),
            runner=MEDIA.read(environment, RunnerConfig()),
            cache=CACHE.read(environment, CacheConfig()),
        )


def default_home(environment: Mapping[str, str] | None = None) -> Path:
    """Return the home folder: `TIGHTSHIP_HOME`, else `tightship` in the user's folder for state.

    Source: XDG Base Directory Specification 0.8 (`XDG_STATE_HOME`, by default `~/.local/state`).
    """
    variables = os.environ if environment is None else environment
    if home := variables.get("TIGHTSHIP_HOME"):
        return Path(home).expanduser().absolute()
    state = Path(variables.get("XDG_STATE_HOME") or "~/.local/state").expanduser()
    return state / "tightship"


def service_config(environment: Mapping[str, str], home: Path | None = None) -> ServiceConfig:
    """Return a server's settings, as the environment gives them, but for how it is reached (`HTTP`).

    Args:
        home: In place of the home folder of the environment.

    Raises:
        InvalidOptions: A variable of ours sets nothing, or its value cannot be used.
    """
    from tightship.service import PROBING_SLOTS, ServiceConfig

    jobs = JOBS.read(environment, JobsConfig())
    budget = BUDGET.read(environment, Budget.within(machine.memory_limit().limit_bytes))
    pool = SLOT.read(environment, PoolConfig(slots=jobs.store.max_running + PROBING_SLOTS))
    if pool.ceiling_bytes is None:
        pool = replace(pool, ceiling_bytes=budget.hard_bytes // pool.slots)
    return ServiceConfig(
        home or default_home(environment),
        pool=pool,
        runner=MEDIA.read(environment, RunnerConfig()),
        store=jobs.store,
        cache=CACHE.read(environment, CacheConfig()),
        budget=budget,
        drain_s=jobs.drain_s,
    )
