"""A transcription as it is written: server-sent events, as OpenAI's API sends them.

Source: https://platform.openai.com/docs/api-reference/audio/transcript-text-delta-event
"""

from __future__ import annotations

import codecs
import hashlib
import json
import os
from collections.abc import AsyncIterator
from typing import Any

import anyio
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tightship.errors import TightshipError
from tightship.http.fault import StreamBroken
from tightship.http.openai.answer import shortfall
from tightship.http.openai.delta import Deltas
from tightship.http.openai.envelope import envelope, error_body, param_of
from tightship.http.openai.errand import Errand
from tightship.http.result import OpenedResult, open_result
from tightship.http.state import AppState
from tightship.operations.transcript import usage
from tightship.store.record import JobRecord

#: Bytes of text read from the result, and told in one event, at most.
PIECE_BYTES = 16 * 2**10


class StreamedAnswer(Response):
    """Tell the text of a job while it is written, and remove the job at the end.

    The status is sent with the first text, or after a while without any: what is wrong before has a status of its own.
    """

    media_type = "text/event-stream"

    def __init__(self, state: AppState, job: JobRecord) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._state = state
        self._job = job
        self._deltas = Deltas()
        self._has_begun = False
        self._send: Send

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        self._send = send
        try:
            error = await self._tell(receive)
        except (TightshipError, ClientDisconnect) as fault:
            if not self._has_begun:
                raise
            error = fault if isinstance(fault, TightshipError) else None
        if error is not None and not self._has_begun:
            await envelope(error, again=False)(scope, receive, send)
            return
        if error is not None:
            await self._event(error_body(error.http_status, error.code, error.public_message, param_of(error)))
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _tell(self, receive: Receive) -> TightshipError | None:
        """Tell the text; return why there is none when all attempts at the job have been made."""
        async with Errand(self._state, self._job.id, receive, events=True) as errand:
            job = await self._live(errand)
            if (error := shortfall(job)) is not None:
                return error
            opened = await self._state.call(open_result, self._state, job.id)
        try:
            await self._rest(opened, job)
        finally:
            os.close(opened.fd)
        return None

    async def _live(self, errand: Errand) -> JobRecord:
        """Tell what is there until the job has ended."""
        job, quiet_since_s = self._job, anyio.current_time()
        async for look in errand.looks():
            job = look.job
            for event in look.events:
                if event.kind != "partial":
                    continue
                errand.got_on()
                if piece := self._deltas.piece(event.data):
                    await self._delta(piece)
                    quiet_since_s = anyio.current_time()
            if anyio.current_time() - quiet_since_s > self._state.config.heartbeat_s:
                await self._write(": still here\n\n")
                quiet_since_s = anyio.current_time()
        return job

    async def _rest(self, opened: OpenedResult, job: JobRecord) -> None:
        """Tell what has not been told of the text, and then all of it at once."""
        told_bytes, text_bytes = self._deltas.told_bytes, opened.size_bytes - len("\n")
        seen = hashlib.sha256()
        async for raw in self._read(opened.fd, 0, min(told_bytes, text_bytes)):
            seen.update(raw)
        if seen.digest() != self._deltas.digest:
            raise StreamBroken("another attempt wrote down another text than the one sent so far; send the file again")
        async for piece in self._text(opened.fd, told_bytes, text_bytes):
            await self._delta(piece)
        await self._write('data: {"type": "transcript.text.done", "text": "')
        async for piece in self._text(opened.fd, 0, text_bytes):
            await self._write(json.dumps(piece)[1:-1])
        await self._write(f'", "usage": {json.dumps(_usage(job))}}}\n\n')

    async def _text(self, fd: int, start: int, end: int) -> AsyncIterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        async for raw in self._read(fd, start, end):
            if piece := decoder.decode(raw):
                yield piece

    async def _read(self, fd: int, start: int, end: int) -> AsyncIterator[bytes]:
        while start < end:
            # Shielded: the descriptor must not be closed while a thread reads from it.
            with anyio.CancelScope(shield=True):
                raw = await self._state.call(os.pread, fd, min(PIECE_BYTES, end - start), start)
            if not raw:
                raise OSError("the file is shorter than it was")
            start += len(raw)
            yield raw

    async def _delta(self, piece: str) -> None:
        await self._event({"type": "transcript.text.delta", "delta": piece})

    async def _event(self, data: dict[str, Any]) -> None:
        await self._write(f"data: {json.dumps(data)}\n\n")

    async def _write(self, text: str) -> None:
        if not self._has_begun:
            self._has_begun = True
            await self._send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await self._send({"type": "http.response.body", "body": text.encode("ascii"), "more_body": True})


def _usage(job: JobRecord) -> dict[str, object]:
    return usage(float((job.result or {}).get("duration_s") or 0.0))
