"""Start a server, talk to it, and see that nothing of it stays."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.conftest import REPOSITORY

BOUNDARY = b"a-line-that-no-video-holds"


@dataclass
class Server:
    """A running server."""

    process: subprocess.Popen[str]
    home: Path
    address: str
    http: httpx.Client

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.address.rpartition(":")[2])

    def submit(self, operation: str, file: Path, options: Mapping[str, Any] | None = None, **headers: str) -> Any:
        """Submit a job and return the response."""
        form = {"operation": operation, "options": json.dumps(options or {})}
        with file.open("rb") as content:
            return self.http.post("/v1/jobs", data=form, files={"file": (file.name, content)}, headers=headers)

    def job(self, job_id: str) -> dict[str, Any]:
        """Return a job."""
        return self.http.get(f"/v1/jobs/{job_id}").json()

    def ended(self, job_id: str) -> dict[str, Any]:
        """Watch a job until it ends, and return it."""
        with self.http.stream("GET", f"/v1/jobs/{job_id}/events", timeout=60) as response:
            for _ in response.iter_lines():
                pass
        return self.job(job_id)

    def files(self) -> list[Path]:
        """Return the uploads and blobs on its disk."""
        return [path for path in (self.home / "blobs").rglob("*") if path.is_file() and path.name != ".lock"]

    def seats(self) -> int:
        """Return how many uploads hold a place in its line."""
        return self.http.get("/health/memory").json()["seats"]

    def fds(self) -> int:
        """Return the open descriptors of its own process."""
        return psutil.Process(self.process.pid).num_fds()

    def rss_bytes(self) -> int:
        """Return what the server's own process holds in physical memory."""
        return psutil.Process(self.process.pid).memory_info().rss

    def connect(self) -> socket.socket:
        """Return a bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)


Serve = Callable[..., Server]


@contextmanager
def running(
    home: Path, http: Mapping[str, Any] | None = None, store: Mapping[str, Any] | None = None
) -> Iterator[Server]:
    """Run a server until the block ends; it ends by SIGTERM, with status 0, and says nothing wrong."""
    with doomed(home, http, store) as server:
        yield server
        server.process.terminate()
        _, errors = server.process.communicate(timeout=60)
        assert server.process.returncode == 0, errors
        assert "Traceback" not in errors, errors


@contextmanager
def doomed(
    home: Path, http: Mapping[str, Any] | None = None, store: Mapping[str, Any] | None = None
) -> Iterator[Server]:
    """Run a server that is killed when the block ends, or in it."""
    command = [sys.executable, "-W", "error", "-m", "tests.acceptance.http_host", str(home)]
    process = subprocess.Popen(
        [*command, json.dumps(http or {}), json.dumps(store or {})],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, process.stderr.read() if process.stderr else ""
        with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
            yield Server(process, home, address, client)
    finally:
        process.kill()
        if process.stdout is not None and not process.stdout.closed:
            process.communicate(timeout=10)


def form_head(
    length: int | None, *, host: str, file_bytes: int = 0, options: str = "{}", name: str = "in.mp4"
) -> bytes:
    """Return a submission up to where the file's bytes begin; `length` is what it announces, its own if None."""
    fields = b"".join(
        b'--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (BOUNDARY, key, value)
        for key, value in ((b"operation", b"info"), (b"options", b"{}"))
    )
    fields += b'--%s\r\nContent-Disposition: form-data; name="file"; filename="in.mp4"\r\n\r\n' % BOUNDARY
    total = len(fields) + file_bytes + len(form_tail()) if length is None else length
    head = (
        b"POST /v1/jobs HTTP/1.1\r\nHost: %s\r\nContent-Type: multipart/form-data; boundary=%s\r\n"
        b"Content-Length: %d\r\n\r\n" % (host.encode(), BOUNDARY, total)
    )
    return head + fields


def form_tail() -> bytes:
    """Return what follows the file's bytes."""
    return b"\r\n--%s--\r\n" % BOUNDARY


def answer(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """Read one response: its status and its JSON."""
    text = b""
    while b"\r\n\r\n" not in text:
        piece = connection.recv(65536)
        assert piece, text
        text += piece
    head, _, body = text.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65536)
    return int(head.split()[1]), json.loads(body)


def within(limit_s: float, condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds; where how soon counts for nothing, a minute, as machines are busy."""
    give_up_at_s = time.monotonic() + limit_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < give_up_at_s, f"not within {limit_s} s: {what}"
        pause.wait(0.02)
