"""What happens to a job, as it happens.

Source: WHATWG HTML, "Server-sent events": `id` is sent back as `Last-Event-ID`, and 204 ends reconnecting.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import anyio
from fastapi import APIRouter, Header, Response
from fastapi.responses import StreamingResponse

from tightship.errors import JobNotFound
from tightship.http.document import job_document
from tightship.http.state import AppState
from tightship.store.record import EventRecord, JobRecord

#: The longest id: a number of 64 bits.
_ID_DIGITS = 18
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events of the kinds `status`, `progress` and `partial`, as they happen.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    204: {"description": "It has ended, and all was told before."},
    404: {"description": "There is no such job."},
}


@dataclass(frozen=True)
class _Look:
    """A job, and what happened to it since the last look; all of it when the job is final."""

    job: JobRecord
    events: list[EventRecord]


def watch_routes(state: AppState) -> APIRouter:
    """Return the route that tells what happens to a job."""
    router = APIRouter()

    @router.get("/v1/jobs/{job_id}/events", response_class=Response, responses=_ANSWERS)
    async def events(job_id: str, last_event_id: str | None = Header(None, max_length=64)) -> Response:
        """Watch a job: `status`, `progress` and `partial`, until it ends; resumes after `Last-Event-ID`."""
        after = _number(last_event_id)
        first = await state.call(_look, state, job_id, after)
        if first.job.status.final and not first.events and after:
            return Response(status_code=204)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(_told(state, first, after), headers=headers, media_type="text/event-stream")

    return router


async def _told(state: AppState, look: _Look, after: int) -> AsyncIterator[str]:
    job_id, quiet_s = look.job.id, 0.0
    if not look.events:
        # Its events are no longer kept, or none came since: how it stands now goes out in any case.
        yield event_text("status", job_document(look.job), None)
    while True:
        for event in look.events:
            data = job_document(look.job) if event.kind == "status" else event.data
            yield event_text(event.kind, data, event.id)
            after, quiet_s = event.id, 0.0
        if (look.job.status.final and not look.events) or state.draining.is_set():
            return
        if not look.job.status.final:
            await anyio.sleep(state.config.watch_every_s)
            quiet_s += state.config.watch_every_s
        if quiet_s >= state.config.heartbeat_s:
            yield ": still here\n\n"
            quiet_s = 0.0
        try:
            look = await state.call(_look, state, job_id, after)
        except JobNotFound:
            return


def _look(state: AppState, job_id: str, after: int) -> _Look:
    # The job first: when it is final, the events that led there have been written.
    job = state.service.store.get(job_id)
    return _Look(job, state.service.store.events_since(job_id, after))


def event_text(kind: str, data: Any, event_id: int | None) -> str:
    """Return one event as it goes over the wire."""
    named = "" if event_id is None else f"id: {event_id}\n"
    return f"{named}event: {kind}\ndata: {json.dumps(data)}\n\n"


def _number(last_event_id: str | None) -> int:
    """Return the id to resume after; what is none of ours means from the start."""
    text = (last_event_id or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _ID_DIGITS else 0
