"""`POST /v1/jobs`: read an upload from the network, as fast as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect
from starlette.types import Message

from tightship.http.document import job_document
from tightship.http.fault import MalformedRequest, UploadStalled
from tightship.http.field import JobWording, Wording
from tightship.http.pace import Pace
from tightship.http.reception import Announcement, Reception
from tightship.http.schema import Job, answers
from tightship.http.state import AppState
from tightship.store.record import JobRecord
from tightship.units import format_bytes, format_seconds

#: Seconds that an upload waits for more before it looks up whether the server stops.
LOOK_UP_S = 0.5

_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["operation", "file"],
                    "properties": {
                        "operation": {"type": "string", "description": "What is to be done; see /v1/operations."},
                        "options": {"type": "string", "description": "Its options, as a JSON object."},
                        "file": {"type": "string", "format": "binary"},
                    },
                }
            }
        },
    },
    "parameters": [
        {
            "in": "header",
            "name": "Idempotency-Key",
            "schema": {"type": "string", "maxLength": 500},
            "description": "The same key with the same operation, options and content is the same job.",
        }
    ],
}
_REFUSALS = {
    408: "It came too slowly, or its place was lost.",
    409: "The idempotency key was used for another request, or its first one is still being received.",
    413: "It is too large.",
    415: "It is no media, by its first bytes.",
    422: "The operation or its options are not right.",
    503: "As many wait as may wait, or the server is stopping.",
    507: "The disk is full.",
}


def submission_routes(state: AppState) -> APIRouter:
    """Return the route that takes jobs in."""
    router = APIRouter()

    @router.post("/v1/jobs", status_code=202, openapi_extra=_FORM, **answers(Job, 202, _REFUSALS))
    async def submit(request: Request) -> Response:
        """Submit a job: a form with `operation`, `options` and `file`, in any order."""
        job = await receive(state, request, JobWording(), request.headers.get("idempotency-key"))
        return JSONResponse(job_document(job), 202, {"Location": f"/v1/jobs/{job.id}"})

    return router


async def receive(state: AppState, request: Request, wording: Wording, key: str | None = None) -> JobRecord:
    """Take an upload in, and have its job begun.

    Args:
        wording: How the form says what it wants.
        key: The idempotency key.
    """
    with state.meters.upload():
        job = await _received(state, request, wording, key)
    state.service.dispatcher.ring(job)
    return job


async def _received(state: AppState, request: Request, wording: Wording, key: str | None) -> JobRecord:
    config = state.config
    announced = _announcement(state, request, key)
    reception = Reception(state.service.store, announced, config.seat_after_bytes, wording=wording)
    try:
        with anyio.fail_after(config.upload_s):
            await state.call_upload(reception.begin)
            async for piece in _pieces(state, request):
                state.meters.received(len(piece))
                await state.call_upload(reception.feed, piece)
        return await state.call_upload(reception.finish)
    except TimeoutError:
        raise UploadStalled(
            f"the upload took more than {format_seconds(config.upload_s)}", limit_s=config.upload_s
        ) from None
    finally:
        # Also when the server stops in the middle: nothing is left behind.
        with anyio.CancelScope(shield=True):
            await state.call_upload(reception.close)


async def _pieces(state: AppState, request: Request) -> AsyncIterator[bytes]:
    """Yield the body as it comes; give up when it comes too slowly, and when the server stops."""
    pace = Pace(state.config.min_upload_bytes_per_s, state.config.upload_window_s)
    more = True
    while more:
        state.refuse_when_draining()
        message: Message = {"type": "http.request", "more_body": True}
        began_s = anyio.current_time()
        with anyio.move_on_after(LOOK_UP_S):
            message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more, piece = message.get("more_body", False), message.get("body", b"")
        pace.note(anyio.current_time() - began_s, len(piece))
        if more and pace.too_slow:
            raise _too_slow(pace)
        if piece:
            yield piece


def _too_slow(pace: Pace) -> UploadStalled:
    return UploadStalled(
        f"the upload came at {format_bytes(pace.bytes_per_s)} a second over {format_seconds(pace.window_s)}; "
        f"it must bring {format_bytes(pace.min_bytes_per_s)} a second",
        bytes_per_s=round(pace.bytes_per_s),
        min_bytes_per_s=pace.min_bytes_per_s,
        window_s=pace.window_s,
    )


def _announcement(state: AppState, request: Request, key: str | None) -> Announcement:
    service, headers = state.service, request.headers
    length = headers.get("content-length")
    if length is not None and not length.isdecimal():
        raise MalformedRequest("the content length is not a number")
    return Announcement(
        content_type=headers.get("content-type"),
        content_bytes=None if length is None else int(length),
        idempotency_key=key,
        limit_bytes=min(
            state.config.max_upload_bytes,
            service.config.store.max_content_bytes,
            service.config.runner.limits.max_file_bytes,
        ),
    )
