"""The answer to a transcription that somebody waits for: whole, when it is there."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tightship.errors import DeadlineExceeded, TightshipError
from tightship.http.openai.envelope import envelope
from tightship.http.openai.errand import Errand
from tightship.http.result import FileResponse, open_result
from tightship.http.state import AppState
from tightship.operations.transcript import Format
from tightship.store.record import JobRecord

#: What each format is sent as.
MEDIA_TYPES: dict[Format, str] = {
    "json": "application/json",
    "text": "text/plain; charset=utf-8",
    "srt": "text/plain; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "verbose_json": "application/json",
}


def shortfall(job: JobRecord) -> TightshipError | None:
    """Return why a job that has ended is no answer: it failed, or its text ends early, which no format could say."""
    if job.error is None and (job.result or {}).get("complete") is False:
        return DeadlineExceeded("the time was up before all was written down; /v1/jobs keeps what there is by then")
    return job.error


class WholeAnswer(Response):
    """Wait for a job, remove it, and send its result, which stays readable as long as it is sent."""

    def __init__(self, state: AppState, job: JobRecord, form: Format) -> None:
        super().__init__()
        self._state = state
        self._job = job
        self._media_type = MEDIA_TYPES[form]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        async with Errand(self._state, self._job.id, receive, events=False) as errand:
            response = await self._response(await errand.ended())
        await response(scope, receive, send)

    async def _response(self, job: JobRecord) -> Response:
        if (error := shortfall(job)) is not None:
            # All attempts have been made.
            return envelope(error, again=False)
        opened = await self._state.call(open_result, self._state, job.id)
        headers = {"Content-Length": str(opened.size_bytes)}
        return FileResponse(self._state, opened.fd, 0, opened.size_bytes, 200, headers, self._media_type)
