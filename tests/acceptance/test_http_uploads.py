"""Uploads that are slow, that end in the middle, and that are many."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.acceptance.http_server import Server, answer, form_head, form_tail, running, within

CROWD = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose line has room for a crowd; a seat holds for a second, an upload may pause for three."""
    store = {"max_pending": CROWD + 2, "lease_s": 1.0}
    with running(tmp_path_factory.mktemp("home"), {"upload_idle_s": 3.0}, store) as started:
        yield started


def begin(server: Server, file_bytes: int, start: bytes) -> socket.socket:
    """Begin an upload."""
    connection = server.connect()
    connection.sendall(form_head(None, host=f"127.0.0.1:{server.port}", file_bytes=file_bytes) + start)
    return connection


def seats_taken(server: Server) -> float:
    """Return how many uploads are under way."""
    lines = server.http.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("tightship_http_uploads "))


def fds(server: Server) -> int:
    """Return the open descriptors of the server's own process."""
    return psutil.Process(server.process.pid).num_fds()


def test_those_who_leave_in_the_middle_leave_nothing(server: Server, video: Path) -> None:
    """Twenty disconnect in mid-upload: no file, no seat, no descriptor of theirs stays."""
    server.ended(server.submit("info", video).json()["id"])
    before = fds(server)
    with ExitStack() as stack:
        for _ in range(CROWD):
            stack.enter_context(begin(server, 10**6, video.read_bytes()[:2000]))
        within(10, lambda: len(server.files()) == CROWD, "all uploads have begun")
    within(10, lambda: server.files() == [], "no file is left")
    within(10, lambda: seats_taken(server) == 0, "no upload is under way")
    within(10, lambda: fds(server) <= before, "no descriptor is left")
    # Their seats are free at once: as many again find room.
    with ExitStack() as stack:
        for _ in range(CROWD):
            stack.enter_context(begin(server, 10**6, video.read_bytes()[:2000]))
        within(10, lambda: len(server.files()) == CROWD, "as many again have begun")
    within(10, lambda: server.files() == [], "no file is left")


def test_a_slow_upload_keeps_its_seat_and_nobody_waiting(server: Server, video: Path) -> None:
    """Twenty uploads of a kilobyte now and then outlast their leases; others are served meanwhile."""
    content = video.read_bytes()
    pace = threading.Event()
    with ExitStack() as stack:
        slow = [stack.enter_context(begin(server, len(content), content[:1000])) for _ in range(CROWD)]
        sent = 1000
        began_s = time.monotonic()
        while time.monotonic() - began_s < 2.5:  # two leases and a half
            for connection in slow:
                connection.sendall(content[sent : sent + 100])
            sent += 100
            asked_s = time.monotonic()
            assert server.http.get("/v1/jobs").status_code == 200
            assert time.monotonic() - asked_s < 1.0
            pace.wait(0.25)
        assert server.ended(server.submit("info", video).json()["id"])["status"] == "succeeded"
        slow[0].sendall(content[sent:] + form_tail())
        status, job = answer(slow[0])
        assert status == 202
    assert server.ended(job["id"])["status"] == "succeeded"
    within(10, lambda: seats_taken(server) == 0, "no upload is under way")


def test_an_upload_that_stops_coming_is_given_up(server: Server, video: Path) -> None:
    """Silence ends an upload; the sender is told, and nothing is left."""
    with begin(server, 10**6, video.read_bytes()[:2000]) as connection:
        status, problem = answer(connection)
    assert (status, problem["code"]) == (408, "upload_stalled")
    within(5, lambda: server.files() == [], "no file is left")


def test_memory_does_not_grow_with_uploads(server: Server, video: Path) -> None:
    """Twenty uploads of 8 MB each in flight cost the server no more than a few pieces each."""
    before_bytes = server.rss_bytes()
    size_bytes = 8_000_000
    content = video.read_bytes()[:2000] + bytes(size_bytes)
    with ExitStack() as stack:
        open_ = [stack.enter_context(begin(server, 2 * size_bytes, b"")) for _ in range(CROWD)]
        for connection in open_:
            connection.sendall(content)
        peak_bytes = server.rss_bytes()
    within(10, lambda: server.files() == [], "no file is left")
    assert peak_bytes - before_bytes < 40 * 2**20


def test_told_to_stop_in_mid_upload_and_mid_job(tmp_path: Path, long_video: Path) -> None:
    """SIGTERM: the job is handed back, the upload is gone, no child stays, and the next server does the job."""
    home = tmp_path / "home"
    with running(home) as server:
        job_id = server.submit("gif", long_video, {"fps": 50}).json()["id"]
        within(20, lambda: server.job(job_id)["status"] == "running", "the job runs")
        upload = begin(server, 10**6, long_video.read_bytes()[:2000])
        within(5, lambda: len(server.files()) == 2, "the upload has begun")
        watcher = server.connect()
        watcher.sendall(f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert watcher.recv(65536).startswith(b"HTTP/1.1 200")
        children = psutil.Process(server.process.pid).children(recursive=True)
        assert children
    upload.close()
    watcher.close()
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert len(server.files()) == 1
    assert list((home / "scratch").rglob("*-*")) == []
    with running(home) as again:
        job = again.job(job_id)
        assert job["status"] in ("pending", "running")
        assert job["attempts"] <= 1
        again.http.delete(f"/v1/jobs/{job_id}")
