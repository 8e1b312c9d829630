"""A tightship server, for programs."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from tightship.client.connection import Connection
from tightship.client.download import download
from tightship.client.job import FINAL, JobEvent, JobView, parse_events
from tightship.client.retry import Retries
from tightship.errors import InvalidOptions, MediaNotFound, ServerUnreachable

StrPath = str | os.PathLike[str]
#: Seconds without a word after which an event stream is taken for dead: three of the server's heartbeats.
_SILENCE_S = 45.0
#: Jobs asked for at a time.
_PAGE = 100
#: Shortest wait in seconds for a byte of an event stream.
_MIN_READ_S = 0.05


class Client:
    """Send jobs to a tightship server, watch them and fetch what came of them.

    A block ends its connections: `with Client() as client`. It may be used from several threads. Requests that may be
    made twice are made again when the server has no room or does not answer; how often is bounded. What the server
    refuses is raised as the error that it was there.

    Args:
        url: Where the server is.
        api_key: One of the server's `TIGHTSHIP_API_KEYS`, when it has any.
        timeout_s: Longest wait in seconds for a connection, and for each part of an answer.
        retries: How often and how long to try.
        transport: In place of the network; for tests.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8080",
        api_key: str | None = None,
        timeout_s: float = 30.0,
        *,
        retries: Retries | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._connection = Connection(url, api_key, timeout_s, retries or Retries(), transport)

    def submit(self, operation: str, path: StrPath, **options: Any) -> JobView:
        """Send a file with what is to be done to it, and return the job, which waits.

        The file is sent as it is read. It is one job however often the connection breaks.

        Args:
            operation: `gif`, `clip`, `info`.
            path: The file.
            options: What the operation takes: `width=320`, `start_s=1.5`.

        Raises:
            MediaNotFound: There is no such file.
            QueueFull: The server had no room, for longer than we ask again.
            TightshipError: It was refused; the class says why.
        """
        source = Path(path)
        fields = {"operation": operation, "options": _encoded(options)}
        headers = {"Idempotency-Key": secrets.token_hex(16)}

        def send() -> Any:
            try:
                file = source.open("rb")
            except OSError as fault:
                raise MediaNotFound(f"{source} cannot be read: {fault.strerror}") from None
            with file:
                files = {"file": (source.name, file, "application/octet-stream")}
                with self._connection.open("POST", "/v1/jobs", data=fields, files=files, headers=headers) as response:
                    response.read()
                    return response.json()

        return JobView.of(self._connection.repeated(send))

    def job(self, job_id: str) -> JobView:
        """Return a job as it is now; raises `JobNotFound`."""
        return JobView.of(self._connection.get(_path(job_id)))

    def jobs(self, status: str | None = None) -> Iterator[JobView]:
        """Yield the jobs, the newest first, asking for the next page when it is needed."""
        wanted = {"limit": _PAGE, **({"status": status} if status else {})}
        after: dict[str, str] = {}
        while True:
            page = self._connection.get("/v1/jobs", **wanted, **after)
            yield from map(JobView.of, page["jobs"])
            if not page.get("next"):
                return
            after = {"after": page["next"]}

    def events(self, job_id: str) -> Iterator[JobEvent]:
        """Yield what happens to a job until it has ended; a broken connection is taken up where it broke."""
        yield from self._follow(job_id, None)

    def wait(
        self,
        job_id: str,
        on_progress: Callable[[Mapping[str, Any]], None] | None = None,
        timeout_s: float | None = None,
    ) -> JobView:
        """Wait until a job has ended and return it; look at its `status` and `error`.

        Args:
            on_progress: Called with `fraction`, `done`, `total`, `unit` and `eta_s`, in this thread.
            timeout_s: Longest wait in seconds; the job goes on when it has passed.

        Raises:
            TimeoutError: The job has not ended by then.
        """
        give_up_at_s = None if timeout_s is None else time.monotonic() + timeout_s
        for event in self._follow(job_id, give_up_at_s):
            if event.kind == "progress" and on_progress is not None:
                on_progress(event.data)
        return self.job(job_id)

    def download(self, job_id: str, path: StrPath) -> Path:
        """Fetch a job's resulting file, whole or not at all, and return where it is.

        Args:
            path: Where it goes; replaced when it exists.
        """
        destination = Path(path)
        download(self._connection, f"{_path(job_id)}/result", destination)
        return destination

    def cancel(self, job_id: str) -> JobView:
        """Cancel a job that waits, ask one that runs to stop; raises `JobNotFound`, `InvalidTransition`."""
        return JobView.of(self._connection.act("POST", f"{_path(job_id)}/cancel"))

    def retry(self, job_id: str) -> JobView:
        """Try a job anew that has ended without success; raises `JobNotFound`, `InvalidTransition`, `QueueFull`."""
        return JobView.of(self._connection.act("POST", f"{_path(job_id)}/retry"))

    def delete(self, job_id: str) -> None:
        """Remove a job, its files and its receipts; one that runs is stopped first. Raises `JobNotFound`."""
        self._connection.act("DELETE", _path(job_id))

    def memory(self) -> Mapping[str, Any]:
        """Return what the server and its slots hold, and how much they may."""
        return dict(self._connection.get("/health/memory"))

    def close(self) -> None:
        """Close every connection."""
        self._connection.close()

    def _follow(self, job_id: str, give_up_at_s: float | None) -> Iterator[JobEvent]:
        """Yield events over as many connections as it takes; at the end there is one that tells of a final status."""
        last_id: str | None = None
        tries = 0
        while True:
            tries += 1
            error = ServerUnreachable(f"{self._connection.url} ended the events of a job that goes on")
            try:
                for event in self._stream(job_id, last_id, give_up_at_s):
                    tries = 1 if event else 0
                    if event is None:
                        continue
                    last_id = event.id or last_id
                    yield event
                    if event.kind == "status" and event.data.get("status") in FINAL:
                        return
            except ServerUnreachable as broken:
                error = broken
            if (now := self.job(job_id)).final:
                yield JobEvent(last_id, "status", now.data)
                return
            if _left_s(give_up_at_s) <= 0:
                raise TimeoutError(f"the job {job_id} has not ended in time")
            if tries:
                self._connection.pause(error, tries)

    def _stream(self, job_id: str, last_id: str | None, give_up_at_s: float | None) -> Iterator[JobEvent | None]:
        """Yield the events of one connection; None when it is left because it would now wait for too long."""
        read_s = max(_MIN_READ_S, min(_SILENCE_S, _left_s(give_up_at_s)))
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
        with self._connection.open("GET", f"{_path(job_id)}/events", read_s=read_s, headers=headers) as response:
            for event in parse_events(response.iter_lines()):
                if event is not None:
                    yield event
                if _left_s(give_up_at_s) < read_s / 2:
                    yield None
                    return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._connection.url!r})"


def _left_s(give_up_at_s: float | None) -> float:
    return float("inf") if give_up_at_s is None else give_up_at_s - time.monotonic()


def _path(job_id: str) -> str:
    if not job_id.isascii() or not job_id.replace("-", "").isalnum():
        raise InvalidOptions(f"{job_id!r} is no id of a job")
    return f"/v1/jobs/{job_id}"


def _encoded(options: Mapping[str, Any]) -> str:
    try:
        return json.dumps(options, allow_nan=False)
    except (TypeError, ValueError) as unfit:
        raise InvalidOptions(f"the options cannot be sent: {unfit}") from None
