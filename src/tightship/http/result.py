"""A job's resulting file, whole or in part."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import anyio
from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse

from tightship.http.fault import ResultNotFound
from tightship.http.span import span_of
from tightship.http.state import AppState
from tightship.store.record import JobRecord

#: Bytes read at a time.
CHUNK_BYTES = 256 * 2**10
MEDIA_TYPES = {
    ".gif": "image/gif",
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".srt": "application/x-subrip; charset=utf-8",
    ".vtt": "text/vtt; charset=utf-8",
}
_FILE = {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", **_FILE},
    206: {"description": "The part that was asked for.", **_FILE},
    404: {"description": "There is no such job, or it has no file: not yet, not at all, or no longer."},
    416: {"description": "The part begins after the end of the file."},
}
#: Characters of the sender's name that a download keeps.
_NAME_CHARS = 100


@dataclass(frozen=True)
class OpenedResult:
    """A result's file: an open descriptor outlives the file's removal."""

    fd: int
    size_bytes: int
    suffix: str
    job: JobRecord


def result_routes(state: AppState) -> APIRouter:
    """Return the route that sends a job's file."""
    router = APIRouter()

    @router.head("/v1/jobs/{job_id}/result", include_in_schema=False)
    @router.get("/v1/jobs/{job_id}/result", response_class=Response, responses=_ANSWERS)
    async def result(
        request: Request,
        job_id: str,
        range_: str | None = Header(None, alias="Range"),
        if_range: str | None = Header(None),
    ) -> Response:
        """Fetch the resulting file, or the part of it that `Range` names."""
        opened = await state.call(open_result, state, job_id)
        try:
            etag = f'"{opened.job.result_digest}"'
            # A part is of use only to whoever has the rest of the same file.
            wanted = range_ if if_range in (None, etag) else None
            span = span_of(wanted, opened.size_bytes)
        except BaseException:
            os.close(opened.fd)
            raise
        start, length = (span.start, span.length_bytes) if span else (0, opened.size_bytes)
        headers = {
            "Accept-Ranges": "bytes",
            "ETag": etag,
            "Content-Length": str(length),
            "Content-Disposition": disposition(opened.job.source_name, opened.suffix),
        }
        if span is not None:
            headers["Content-Range"] = span.content_range
        media_type = MEDIA_TYPES.get(opened.suffix, "application/octet-stream")
        sent_bytes = 0 if request.method == "HEAD" else length
        return FileResponse(state, opened.fd, start, sent_bytes, 206 if span else 200, headers, media_type)

    return router


class FileResponse(StreamingResponse):
    """Send a part of an open file, and close it in any case."""

    def __init__(
        self, state: AppState, fd: int, start: int, length: int, status: int, headers: dict[str, str], media_type: str
    ) -> None:
        super().__init__(_chunks(state, fd, start, length), status, headers, media_type)
        self._fd = fd

    async def __call__(self, *asgi: object) -> None:
        """Send it; also one that is never begun is closed."""
        try:
            await super().__call__(*asgi)  # type: ignore[arg-type]
        finally:
            os.close(self._fd)


async def _chunks(state: AppState, fd: int, start: int, length: int) -> AsyncIterator[bytes]:
    at, end = start, start + length
    while at < end:
        # Shielded: the descriptor must not be closed while a thread reads from it.
        with anyio.CancelScope(shield=True):
            chunk = await state.call(os.pread, fd, min(CHUNK_BYTES, end - at), at)
        if not chunk:
            raise OSError("the file is shorter than it was")
        at += len(chunk)
        yield chunk


def open_result(state: AppState, job_id: str) -> OpenedResult:
    """Open a job's file; raises `JobNotFound` and `ResultNotFound`."""
    service = state.service
    job = service.store.get(job_id)
    if job.result_digest is None:
        raise ResultNotFound("the job has no file to fetch: not yet, not at all, or no longer", status=str(job.status))
    suffix = service.runner.suffix(job.operation, job.options, job.media or {}) or ""
    try:
        fd = os.open(service.store.blobs.path(job.result_digest), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:  # its time ran out just now
        raise ResultNotFound("the job's file is no longer kept", status=str(job.status)) from None
    return OpenedResult(fd, os.fstat(fd).st_size, suffix, job)


def disposition(source_name: str | None, suffix: str) -> str:
    """Return the header that names a download after what was sent, with the ending of what came of it.

    Source: RFC 6266; the plain name is for programs that do not read the encoded one.
    """
    last = (source_name or "").replace("\\", "/").rpartition("/")[2]
    stem = PurePosixPath(last).stem.strip(". ")[:_NAME_CHARS]
    name = ("".join(char for char in stem if char.isprintable()) or "result") + suffix
    plain = "".join(char if char.isascii() and (char.isalnum() or char in "-_. ") else "_" for char in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
