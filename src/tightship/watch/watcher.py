"""Watch folders: find files, wait until they are whole, have them done, a few at a time."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path

from tightship.core.clock import Clock, SystemClock
from tightship.errors import Cancelled, DiskFull, StoreBusy
from tightship.service import Service
from tightship.watch.config import WatchConfig
from tightship.watch.ending import Tally, Tell, Warn
from tightship.watch.journal import Journal
from tightship.watch.news import News, follow
from tightship.watch.recipe import Recipe
from tightship.watch.scan import Field
from tightship.watch.sighting import Rest, Settling, Sighting
from tightship.watch.submission import Changed, Submission
from tightship.watch.work import NOT_NOW, Work

#: Seconds that the database's clock takes to move on: what was noted at the very time of the start was noted before.
TICK_S = 0.001
#: Files that are looked up in the database together, and the most that are kept in memory between two looks.
BATCH = 500
#: New folders that are looked through one by one; with more, everything is.
MOST_WALKS = 100
#: Longest sleep in seconds, while jobs run and while nothing does.
AT_WORK_S, IDLE_S = 0.25, 0.5
#: Seconds before files that were passed over are looked for again, at the least.
AGAIN_S = 1.0
#: Share of the time that looking through everything may take.
SCAN_SHARE = 0.05


def watch(
    config: WatchConfig,
    service: Service,
    *,
    stop: threading.Event,
    tell: Tell,
    warn: Warn,
    clock: Clock | None = None,
) -> Tally:
    """Work on what is in the folders and on what comes, until `stop` is set or, with `once`, all is done.

    Args:
        service: Where the work is done; it has to be open, and stays so.
        tell: Told how it went with each file.
        warn: Told in a sentence what else people should know.

    Returns:
        How it went.

    Raises:
        TightshipError: The operation cannot be done here, or not with these options.
        Cancelled: `stop` was set before all was done, with `once`.
    """
    watcher = Watcher(config, service, stop, tell, warn, clock or SystemClock())
    return watcher.run()


class Watcher:
    """One watch; see `watch`. The folder is the queue: what cannot be done now is not kept, but found again."""

    def __init__(
        self, config: WatchConfig, service: Service, stop: threading.Event, tell: Tell, warn: Warn, clock: Clock
    ) -> None:
        recipe = Recipe.of(config.operation, config.options)
        roots = tuple(dict.fromkeys(map(_located, config.folders)))
        output_dir = None if config.output_dir is None else _located(config.output_dir)
        self._config = config
        self._service = service
        self._stop = stop
        self._warn = warn
        self._clock = clock
        self._field = Field(
            roots, config.choice, recipe, tuple(filter(None, (output_dir, service.config.home.absolute())))
        )
        self._settling = Settling(config.settle_s)
        self._news = News(self._concerns)
        anew_before_s = service.store.fingerprints.now_s() + TICK_S if config.force else 0.0
        limit_bytes = service.config.runner.limits.max_file_bytes
        submission = Submission(service.store, recipe, limit_bytes, stop, anew_before_s)
        self._journal = Journal(service.store.fingerprints, recipe, output_dir, tell)
        self._work = Work(recipe, service, submission, self._journal)
        self._ready: deque[Sighting] = deque()
        self._walks: deque[Iterator[Sighting]] = deque()
        self._scan_s = 0.0
        self._scan_at_s = -math.inf
        self._warned: set[str] = set()

    def run(self) -> Tally:
        """Watch until told to stop, or done."""
        dispatcher = self._service.dispatcher
        try:
            with self._following():
                while not self._stop.is_set():
                    busy = self._turn()
                    if self._config.once and self._is_done():
                        return self._journal.tally
                    if not busy:
                        self._rest()
            # What runs gets its time, and what ends in it is put in place; the rest is handed back.
            dispatcher.close(self._service.config.drain_s)
        except KeyboardInterrupt:
            dispatcher.close(0.0)
            raise
        self._work.collect()
        if self._config.once:
            raise Cancelled("the watch was stopped before all was done")
        return self._journal.tally

    # --- one turn --------------------------------------------------------------------------------

    def _turn(self) -> bool:
        """Do what can be done now; return whether there was anything."""
        try:
            ended = self._work.collect()
            return self._take() or ended
        except (StoreBusy, DiskFull) as fault:  # of the home folder; what it has cost is found again
            self._warn_once(fault.public_message)
            self._work.missed = True
            return False

    def _take(self) -> bool:
        """Take the next file, unless as many are at work as may be; return whether there was one."""
        if self._work.full or not self._find():
            return False
        file = self._ready.popleft()
        now = self._field.sight(file.source)
        if now is None or (now != file and not self._is_settled(now)):
            return True
        try:
            self._work.take(now)
        except Changed:
            # By its times it is at rest, but it is not: they are another machine's, or were set.
            if self._settling.see(now, self._clock.monotonic_s(), -math.inf) is Rest.CROWDED:
                self._work.missed = True
        except Cancelled:
            pass
        except NOT_NOW:
            self._ready.append(file)
            return False
        return True

    def _find(self) -> bool:
        """Make sure that there is a file to take: those that settled first, then the news, then the scan."""
        for source in (self._settled, self._told, self._scanned):
            began_s = time.thread_time()
            while not self._ready and not self._stop.is_set() and (batch := source()) is not None:
                self._ready.extend(file for file in self._sifted(batch) if self._is_settled(file))
            if source == self._scanned:
                self._scan_s += time.thread_time() - began_s
        if not self._walks:
            self._again(self._config.rescan_s)
        return bool(self._ready)

    def _sifted(self, files: Sequence[Sighting]) -> list[Sighting]:
        """Return the files whose content has to be looked at; the others are not waited for either."""
        wanted = self._work.sift(files)
        for file in set(files).difference(wanted):
            self._settling.forget(file.source)
        return wanted

    def _settled(self) -> list[Sighting] | None:
        """Return files that were waited for."""
        due = self._settling.due(self._clock.monotonic_s())
        files = []
        for file in due:
            now = self._field.sight(file.source)
            if now is None:
                self._settling.forget(file.source)
            else:
                files.append(now)
        return files if due else None

    def _told(self) -> list[Sighting] | None:
        """Return files that the system has told of."""
        paths, lost = self._news.take()
        if lost:
            self._scan_at_s = min(self._scan_at_s, self._clock.monotonic_s())
        files = []
        for path in paths:
            if self._field.is_folder(path):  # with all that had been put there before anybody looked
                self._look_through(path)
            elif (file := self._field.sight(path)) is not None:
                files.append(file)
        return files if paths else None

    def _scanned(self) -> list[Sighting] | None:
        """Return the next files of a look through everything, when it is time for one."""
        if not self._walks and self._clock.monotonic_s() >= self._scan_at_s:
            self._work.missed = False
            self._journal.tally.given_up = self._journal.tally.unseen = 0
            self._scan_s, self._scan_at_s = 0.0, math.inf
            self._walks.extend(self._field.walk(root, self._fault) for root in self._field.roots)
        batch: list[Sighting] = []
        while self._walks and not batch:
            batch = list(islice(self._walks[0], BATCH))
            if not batch:
                self._walks.popleft()
        return batch or None

    def _look_through(self, folder: Path) -> None:
        if len(self._walks) < MOST_WALKS:
            self._walks.append(self._field.walk(folder, self._fault))
        else:
            self._news.lose()

    def _is_settled(self, file: Sighting) -> bool:
        rest = self._settling.see(file, self._clock.monotonic_s(), self._clock.wall_s())
        if rest is Rest.CROWDED:
            self._work.missed = True
        if rest is Rest.GROWING and self._config.once:
            self._settling.forget(file.source)
            self._journal.growing(file)
        return rest is Rest.SETTLED

    def _is_done(self) -> bool:
        if self._ready or self._work.engaged or len(self._settling) or self._walks:
            return False
        if self._work.missed:
            self._again(AGAIN_S)
        return not self._work.missed

    def _rest(self) -> None:
        if self._work.missed:
            self._again(AGAIN_S)
        if self._work.engaged:
            self._work.wait(AT_WORK_S)
        elif self._ready:
            self._stop.wait(AGAIN_S)  # the line is full of others' jobs
        else:
            self._news.wait(IDLE_S)

    def _again(self, pause_s: float) -> None:
        """Have everything looked through again after a pause; a longer one, where looking takes long."""
        pause_s = max(pause_s, self._scan_s / SCAN_SHARE)
        self._scan_at_s = min(self._scan_at_s, self._clock.monotonic_s() + pause_s)

    # --- the surroundings ------------------------------------------------------------------------

    @contextmanager
    def _following(self) -> Iterator[None]:
        silent = self._config.once or self._config.poll
        recursive = self._config.choice.recursive
        with nullcontext() if silent else follow(self._news, self._field.roots, recursive, self._no_news):
            yield

    def _no_news(self, fault: str) -> None:
        self._warn_once(
            f"the system does not tell of changes ({fault}); "
            f"the folders are looked through every {self._config.rescan_s:g} s instead"
        )

    def _fault(self, folder: Path, fault: OSError) -> None:
        if isinstance(fault, FileNotFoundError) and folder not in self._field.roots:
            return  # it went while its turn came
        self._journal.tally.unseen += 1
        self._warn_once(f"{str(folder)!r} cannot be looked into: {fault.strerror}")

    def _warn_once(self, text: str) -> None:
        if text not in self._warned and len(self._warned) < BATCH:
            self._warned.add(text)
            self._warn(text)

    def _concerns(self, path: Path) -> bool:
        root = self._field.root_of(path)
        if root is None or path == root:
            return False
        if self._field.is_folder(path):
            return self._field.enters(path, root)
        return self._field.sight(path) is not None


def _located(folder: Path) -> Path:
    """Return a folder's one name, by which what was made there is known again, whatever detour it is named by."""
    return folder.resolve() if ".." in folder.parts else folder.absolute()
