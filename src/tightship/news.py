"""Word of how far a job has come, on its way into the store: it must not hold up the work that it tells of."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from tightship.errors import DiskFull, StaleClaim, StoreBusy
from tightship.pool.messages import Partial, Progress
from tightship.pool.vigil import Event
from tightship.store.record import Claim, Renewal
from tightship.store.store import Store

#: How often progress is written down, in seconds, and how long parts wait after they could not be.
EVERY_S = 1.0
#: Longest wait in seconds for the database with news: who brings them also sees that the job is to stop.
WAIT_S = 0.25

_log = logging.getLogger("tightship")


class News:
    """What an attempt has to tell, from its thread.

    Progress that cannot be written down soon is left to the next one; parts of the result wait for other news, as many
    as are kept of a job.
    """

    def __init__(self, store: Store, claim: Claim) -> None:
        self._store = store
        self._claim = claim
        self._began_s = time.monotonic()
        self._progress_from_s = self._parts_from_s = 0.0
        self._untold: deque[Mapping[str, Any]] = deque(maxlen=store.config.max_events)

    def tell(self, event: Event) -> Renewal:
        """Write down what has come; return how the claim stands, as far as that was asked for."""
        now_s = time.monotonic()
        standing = Renewal.KEPT
        try:
            if isinstance(event, Partial):
                self._untold.append(event.payload)
            elif now_s >= self._progress_from_s:
                self._progress_from_s = now_s + EVERY_S
                progress = progress_of(event, now_s - self._began_s)
                standing = self._store.renew(self._claim, progress, wait_s=WAIT_S)
            if now_s >= self._parts_from_s:
                self._tell_parts(WAIT_S)
        except (StoreBusy, DiskFull) as fault:  # the work goes on; the lease is not in the hands of its news
            self._parts_from_s = now_s + EVERY_S
            _log.warning("news of job %s have to wait: %s", self._claim.job.id, fault.public_message)
        return standing

    def tell_rest(self) -> None:
        """Write down what still waits, now that the work is done; whoever misses it finds it in the result."""
        with suppress(StoreBusy, DiskFull):
            self._tell_parts(None)

    def _tell_parts(self, wait_s: float | None) -> None:
        if self._untold:
            with suppress(StaleClaim):
                self._store.append_partial(self._claim, *self._untold, wait_s=wait_s)
            self._untold.clear()


def progress_of(event: Progress, elapsed_s: float) -> dict[str, Any]:
    """Return progress as people read it: the share that is done, and how long the rest may take."""
    share = min(1.0, event.done / event.total) if event.total else None
    eta_s = round(elapsed_s * (1 - share) / share, 1) if share else None
    return {"fraction": share, "done": event.done, "total": event.total, "unit": event.unit, "eta_s": eta_s}
