"""A watch whose jobs are done here and now, by a store and no slots."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tightship.core.receipt import Receipt
from tightship.errors import TightshipError
from tightship.runner import RunnerConfig
from tightship.store.config import StoreConfig
from tightship.store.record import JobRecord
from tightship.store.store import Store
from tightship.testing import FakeClock
from tightship.watch.config import WatchConfig
from tightship.watch.ending import Ending, Tally
from tightship.watch.watcher import watch

OK = Receipt("info", "attempt", "ok", None, 0.1)


class Bench:
    """Does the work of a dispatcher while somebody waits for it: `info` tells the length of the file."""

    def __init__(self, store: Store) -> None:
        self.worked: list[bytes] = []
        self.most_waiting = 0
        self.errors: dict[bytes, TightshipError] = {}
        self.during: Callable[[], object] = lambda: None
        self._store = store

    def ring(self) -> None:
        """Count who waits."""
        self.most_waiting = max(self.most_waiting, sum(self._store.counts().values()) - len(self.worked))

    def wait(self, job_id: str, _timeout_s: float) -> JobRecord:
        """Do the oldest job."""
        claim = self._store.claim_probe("bench", 2**40)
        if claim is not None:
            content = self._store.blobs.path(str(claim.job.source_digest)).read_bytes()
            self.worked.append(content)
            self.during()
            if (error := self.errors.get(content)) is not None:
                self._store.refuse(claim, error)
            else:
                self._store.answer(claim, {"bytes": len(content)}, OK)
        return self._store.get(job_id)

    def close(self, _grace_s: float) -> None:
        """End nothing."""


class Ticking(FakeClock):
    """Each look at the clock takes half a second."""

    def monotonic_s(self) -> float:
        """Return the time, which has passed."""
        self.advance(0.5)
        return super().monotonic_s()


@dataclass
class Yard:
    """A watched folder and all that belongs to it; each `watch` is a run of the program."""

    home: Path
    folder: Path
    told: list[Ending] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    forgotten: list[tuple[str, str]] = field(default_factory=list)
    clock: FakeClock = field(default_factory=lambda: Ticking(wall_s=time.time() + 3600))
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.store = Store.open(self.home, StoreConfig(max_pending=6, max_running=2, disk_reserve_bytes=0))
        self.bench = Bench(self.store)

    def write(self, name: str, text: str) -> Path:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def watch(self, **settings: Any) -> Tally:
        """Do what is there, and forget what was told before."""
        self.told.clear()
        settings = {"operation": "info", "once": True, **settings}
        config = SimpleNamespace(home=self.home, runner=RunnerConfig(), drain_s=0.0)
        runner = SimpleNamespace(forget=lambda name, _options, content: self.forgotten.append((name, content.digest)))
        service: Any = SimpleNamespace(store=self.store, dispatcher=self.bench, config=config, runner=runner)
        chosen = WatchConfig((self.folder,), **settings)
        return watch(chosen, service, stop=self.stop, tell=self.told.append, warn=self.warned.append, clock=self.clock)

    def results(self) -> dict[str, str]:
        """Return the results by their names below the folder."""
        return {str(path.relative_to(self.folder)): path.read_text() for path in self.folder.rglob("*.json")}

    def how(self) -> list[tuple[str, str]]:
        """Return what was told of each file."""
        return [(ending.source.name, str(ending.told)) for ending in self.told]


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    """A watched folder that is empty."""
    monkeypatch.setattr("tightship.watch.watcher.IDLE_S", 0.001)
    made = Yard(tmp_path / "home", tmp_path / "in")
    yield made
    made.store.close()
