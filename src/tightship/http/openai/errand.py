"""A job that one client waits for: it goes when he has his answer, or has gone himself."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import anyio
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from tightship.errors import Cancelled, DiskFull, JobNotFound, QueueFull, StoreBusy, TightshipError
from tightship.http.fault import SyncTimeout
from tightship.http.state import AppState
from tightship.store.record import EventRecord, JobRecord
from tightship.units import format_seconds

#: Seconds until the first look; the pauses double from there: what is short is not kept waiting.
FIRST_LOOK_S = 0.02
#: Events that a look takes in at most.
_EVENTS = 100


@dataclass(frozen=True)
class Look:
    """How a job stands, what happened to it since the last look, and whether that was all there is."""

    job: JobRecord
    events: list[EventRecord]


class Errand:
    """Wait for a job without a thread; leaving the block stops it and removes all of it.

    Args:
        state: The application's.
        job_id: The job, which was sent in as attended.
        receive: What the client sends, which is only that he has gone.
        events: Whether to look at what happens on the way.
    """

    def __init__(self, state: AppState, job_id: str, receive: Receive, *, events: bool) -> None:
        self._state = state
        self._job_id = job_id
        self._receive = receive
        self._events = events
        self._after = 0
        self._pause_s = FIRST_LOOK_S
        self._attended_s = time.monotonic()
        self._give_up_at_s = 0.0
        self.got_on()

    def got_on(self) -> None:
        """Have the client's patience begin anew."""
        self._give_up_at_s = anyio.current_time() + self._state.config.sync_timeout_s

    async def ended(self) -> JobRecord:
        """Return the job when it has ended; raises what `looks` does."""
        async for look in self.looks():
            job = look.job
        return job

    async def looks(self) -> AsyncIterator[Look]:
        """Yield how the job stands, again and again until it has ended.

        Raises:
            ClientDisconnect: Nobody waits any more.
            SyncTimeout: It takes too long.
            QueueFull: The server stops.
            Cancelled: Somebody removed the job.
        """
        while True:
            await self._wait()
            look = await self._state.call(self._look)
            yield look
            if look.events:
                self._after = look.events[-1].id
            if look.job.status.final and len(look.events) < _EVENTS:
                return

    async def _wait(self) -> None:
        with anyio.move_on_after(self._pause_s):
            while (await self._receive())["type"] != "http.disconnect":
                pass
            raise ClientDisconnect
        self._pause_s = min(2 * self._pause_s, self._state.config.watch_every_s)
        if self._state.draining.is_set():
            raise QueueFull("the server is stopping", retry_after_s=self._state.service.config.drain_s)
        if anyio.current_time() > self._give_up_at_s:
            limit_s = self._state.config.sync_timeout_s
            raise SyncTimeout(
                f"nothing came within {format_seconds(limit_s)}, so the work was given up; "
                "send what takes long to /v1/jobs",
                limit_s=limit_s,
            )

    def _look(self) -> Look:
        store = self._state.service.store
        if time.monotonic() - self._attended_s > store.config.lease_s / 3:
            self._attended_s = time.monotonic()
            # There are two more times to say so before the lease has run out.
            with suppress(StoreBusy, DiskFull):
                store.attend(self._job_id)
        try:
            job = store.get(self._job_id)
        except JobNotFound:
            raise Cancelled("the job was removed") from None
        return Look(job, store.events_since(self._job_id, self._after, _EVENTS) if self._events else [])

    def _remove(self) -> None:
        service = self._state.service
        # What cannot be removed now goes when its attendance has run out; a file without its job goes with a sweep.
        with suppress(TightshipError, OSError):
            service.store.delete(self._job_id)
        service.dispatcher.cancel(self._job_id)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self._state.call(self._remove)
