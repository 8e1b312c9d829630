"""Everything a server needs, opened and closed together: store, slots, dispatcher."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tightship.core import machine, procfs
from tightship.core.footprint import measure
from tightship.core.governor import Budget
from tightship.core.scratch import own_folder
from tightship.dispatcher import Dispatcher
from tightship.errors import ModelBusy
from tightship.inference.resolver import resolve
from tightship.operations import transcribe
from tightship.pool.config import PoolConfig
from tightship.pool.pool import Pool
from tightship.recall import open_recall
from tightship.runner import Runner, RunnerConfig
from tightship.store.config import CacheConfig, StoreConfig
from tightship.store.store import Store

#: Slots beside those that run jobs: one, so that an input is looked at while long jobs run.
PROBING_SLOTS = 1


@dataclass(frozen=True)
class ServiceConfig:
    """Settings of a server, composed of each part's own.

    Args:
        home: The one folder that holds all state.
        pool: How slots are kept; None has as many as the store lets run, and one for looking at inputs.
        runner: Limits on a job's time and input.
        store: How many jobs there may be, and how long things are kept.
        cache: How much is remembered of results.
        budget: Memory that all slots together may hold; None derives it from the machine's effective limit.
        drain_s: Seconds that running jobs get to end when the service stops; then they are handed back.
    """

    home: Path
    pool: PoolConfig | None = None
    runner: RunnerConfig = field(default_factory=RunnerConfig)
    store: StoreConfig = field(default_factory=StoreConfig)
    cache: CacheConfig = field(default_factory=CacheConfig)
    budget: Budget | None = None
    drain_s: float = 10.0


class Service:
    """An open service; `open_service` makes and closes it."""

    def __init__(self, config: ServiceConfig, store: Store, pool: Pool, budget: Budget, results: Path) -> None:
        self.config = config
        self.store = store
        self.pool = pool
        self.budget = budget
        self.recall = open_recall(config.home, config.cache)
        self.runner = Runner(pool, config.runner, folders=False, recall=self.recall)
        self.dispatcher = Dispatcher(store, self.runner, budget, results)
        self.started_s = time.time()

    def unload_model(self, name: str) -> int:
        """Let go of a model that is kept loaded, and wait until its memory has come back.

        Args:
            name: As jobs name it.

        Returns:
            How many slots held it; 0 when none did.

        Raises:
            ModelNotFound: There is no such model.
            ModelBusy: A job works with it; then every slot keeps it.
        """
        model = resolve(name, folders=False)
        going = self.pool.vacate(lambda key: transcribe.keeps(key, model))
        if going is None:
            raise ModelBusy(f"The model {name!r} is at work; it stays loaded.", model=name)
        return going

    def memory(self) -> dict[str, Any]:
        """Return what is held, by whom, and how much may be, as plain JSON."""
        load = self.store.load()
        server = measure(tree=False)
        names = [name for name in self.pool.ledger.names() if name != "worker"]
        return {
            "budget": asdict(self.budget),
            "limit": asdict(machine.memory_limit()),
            "reserved_bytes": load.committed_bytes,
            "running": load.running,
            "probing": load.probing,
            "queue": {str(status): count for status, count in self.store.counts().items()},
            "seats": self.store.seats(),
            "server": {"rss_bytes": server.rss_bytes, "fds": server.fds, "threads": server.threads},
            "slots": [{**asdict(slot), "used_bytes": procfs.tree_memory_bytes(slot.pid)} for slot in self.pool.slots()],
            "cache": None if self.recall is None else asdict(self.recall.report()),
            "pressure": _pressure(),
            "disk_free_bytes": shutil.disk_usage(self.config.home).free,
            "verdicts": {name: _verdict(self.pool, name) for name in names},
        }


@contextmanager
def open_service(config: ServiceConfig) -> Iterator[Service]:
    """Open the store, the pool and the dispatcher, and yield them at work; all of it ends with the block."""
    budget = config.budget or Budget.within(machine.memory_limit().limit_bytes)
    slots = config.store.max_running + PROBING_SLOTS
    settings = config.pool or PoolConfig(slots=slots, ceiling_bytes=budget.hard_bytes // slots)
    store = Store.open(config.home, config.store)
    try:
        with Pool(settings, home=config.home) as pool, own_folder(config.home / "scratch", "results") as results:
            service = Service(config, store, pool, budget, results)
            service.dispatcher.start()
            try:
                yield service
            finally:
                service.dispatcher.close(config.drain_s)
    finally:
        store.close()


def _verdict(pool: Pool, name: str) -> dict[str, Any]:
    """Return what is known of an operation's growth; JSON has no infinity, so what is not known is null."""
    found = pool.ledger.verdict(name)
    return {**asdict(found), "kind": str(found.kind)}


def _pressure() -> float | None:
    """Return the share of the last ten seconds in which work waited for memory, in percent; None where unknown."""
    try:
        first = Path("/proc/pressure/memory").read_text(encoding="ascii").splitlines()[0]
        return float(dict(part.split("=") for part in first.split()[1:])["avg10"])
    except (OSError, ValueError, KeyError, IndexError):
        return None
