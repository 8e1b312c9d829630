"""What the routes of one application share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

from tightship.errors import QueueFull
from tightship.http.config import HttpConfig
from tightship.http.key import KeyRing
from tightship.http.measure import Meters
from tightship.service import Service

P = ParamSpec("P")
T = TypeVar("T")

#: Threads that write uploads: they wait for the disk, more would not make it faster.
UPLOAD_THREADS = 4
#: Threads for all else; their calls take milliseconds.
OTHER_THREADS = 8


@dataclass(frozen=True)
class AppState:
    """The open service, and what this application adds.

    Args:
        draining: Set when the server stops: nothing is admitted, nobody is kept waiting.
    """

    service: Service
    config: HttpConfig
    keys: KeyRing
    meters: Meters
    draining: threading.Event = field(default_factory=threading.Event)
    _uploads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(UPLOAD_THREADS))
    _others: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(OTHER_THREADS))

    def refuse_when_draining(self) -> None:
        """Raise `QueueFull` when the server stops."""
        if self.draining.is_set():
            raise QueueFull("the server is stopping", retry_after_s=self.service.config.drain_s)

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what waits for the database or the disk, in a thread."""
        return await to_thread.run_sync(lambda: function(*args, **kwargs), limiter=self._others)

    async def call_upload(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what an upload needs, in threads of their own: they may all be busy without harm to others."""
        return await to_thread.run_sync(lambda: function(*args, **kwargs), limiter=self._uploads)
