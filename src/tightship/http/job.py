"""Jobs: look at them, stop them, try them anew, remove them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from tightship.http.document import job_document
from tightship.http.schema import Job, JobPage, answers
from tightship.http.state import AppState
from tightship.store.record import JobRecord
from tightship.store.states import Status

#: Most jobs of one page.
MAX_PAGE = 200

_UNKNOWN = {404: "There is no such job."}
_REMOVAL: dict[int | str, dict[str, Any]] = {
    202: {"description": "It goes when it has stopped."},
    404: {"description": _UNKNOWN[404]},
}
_NOT_ANEW = {409: "It has not ended, has succeeded, or its input is gone.", 503: "As many wait as may wait."}


def job_routes(state: AppState) -> APIRouter:
    """Return the routes about jobs that are there."""
    router = APIRouter(prefix="/v1/jobs")
    service = state.service

    @router.get("", **answers(JobPage))
    async def list_jobs(
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        after: Annotated[str | None, Query(max_length=64)] = None,
        status: Status | None = None,
    ) -> dict[str, Any]:
        """List jobs, the newest first; `next` is the `after` of the next page."""
        found = await state.call(service.store.newest, status, limit + 1, after)
        page = found[:limit]
        more = len(found) > limit
        return {"jobs": [job_document(job) for job in page], "next": page[-1].id if more else None}

    @router.get("/{job_id}", **answers(Job, refusals=_UNKNOWN))
    async def show(job_id: str) -> dict[str, Any]:
        """Show a job."""
        return job_document(await state.call(service.store.get, job_id))

    @router.post("/{job_id}/cancel", **answers(Job, refusals=_UNKNOWN | {409: "It has ended."}))
    async def cancel(job_id: str) -> dict[str, Any]:
        """Cancel a job; one that runs is told to stop, and is `cancelled` when it has."""

        def stop() -> JobRecord:
            job = service.store.cancel(job_id)
            service.dispatcher.cancel(job_id)
            return job

        return job_document(await state.call(stop))

    @router.post("/{job_id}/retry", **answers(Job, refusals=_UNKNOWN | _NOT_ANEW))
    async def retry(job_id: str) -> dict[str, Any]:
        """Try a job anew that has ended without success; its attempts start anew."""
        job = await state.call(service.store.retry, job_id)
        service.dispatcher.ring(job)
        return job_document(job)

    @router.delete("/{job_id}", status_code=204, responses=_REMOVAL)
    async def delete(job_id: str) -> Response:
        """Remove a job and its files; one that runs is stopped first."""

        def remove() -> bool:
            gone = service.store.delete(job_id)
            service.dispatcher.cancel(job_id)
            return gone

        return Response(status_code=204 if await state.call(remove) else 202)

    return router
