"""Uploads that are slow, that end in the middle, and that are many."""

from __future__ import annotations

import select
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
#: Idle threads and their connections to the database come and go; a crowd's own descriptors would be twice as many.
SPARE_FDS = 10
#: What begins like a video, and never is one.
MEDIA = b"\x00\x00\x00\x18ftypmp42" + bytes(10**6)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with room for a crowd in its line; a seat holds for two seconds, and almost nothing is too slow."""
    http = {"min_upload_bytes_per_s": 10, "upload_window_s": 60.0}
    with running(tmp_path_factory.mktemp("home"), http, {"max_pending": CROWD + 2, "lease_s": 2.0}) as started:
        yield started


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the usual line of ten that wants 4 KiB a second, and looks at two seconds."""
    with running(tmp_path_factory.mktemp("home"), {"upload_window_s": 2.0}, {"retry_after_s": 1.0}) as started:
        yield started


def begin(server: Server, file_bytes: int, start: bytes) -> socket.socket:
    """Begin an upload."""
    connection = server.connect()
    connection.sendall(form_head(None, host=f"127.0.0.1:{server.port}", file_bytes=file_bytes) + start)
    return connection


class Crowd:
    """Senders of a kilobyte a second each; whoever is given up begins anew."""

    def __init__(self, server: Server, count: int) -> None:
        self.given_up = 0
        self._server = server
        self._senders: list[socket.socket | None] = [None] * count
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Crowd:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(30)
        for sender in self._senders:
            if sender is not None:
                sender.close()

    def _send(self) -> None:
        at = 0
        while not self._end.wait(0.1):
            for number, sender in enumerate(self._senders):
                if sender is None:
                    self._senders[number] = begin(self._server, 10**6, MEDIA[:100])
                    continue
                try:
                    sender.sendall(MEDIA[at : at + 100])
                    over = bool(select.select([sender], [], [], 0)[0])
                except OSError:
                    over = True
                if over:
                    sender.close()
                    self._senders[number] = None
                    self.given_up += 1
            at += 100


def test_those_who_leave_in_the_middle_leave_nothing(server: Server, video: Path) -> None:
    """Twenty disconnect in mid-upload: no file, no seat, no descriptor of theirs stays."""
    server.ended(server.submit("info", video).json()["id"])
    before = server.fds()
    with ExitStack() as stack:
        for _ in range(CROWD):
            stack.enter_context(begin(server, 10**6, video.read_bytes()[:2000]))
        within(60, lambda: len(server.files()) == CROWD, "all uploads have begun")
    within(60, lambda: server.files() == [], "no file is left")
    within(60, lambda: server.seats() == 0, "no seat is left")
    within(60, lambda: server.fds() <= before + SPARE_FDS, "no descriptor is left")
    # Their seats are free at once: as many again find room.
    with ExitStack() as stack:
        for _ in range(CROWD):
            stack.enter_context(begin(server, 10**6, video.read_bytes()[:2000]))
        within(60, lambda: len(server.files()) == CROWD, "as many again have begun")
    within(60, lambda: server.files() == [], "no file is left")


def test_a_slow_upload_keeps_its_seat_and_nobody_waiting(server: Server, video: Path) -> None:
    """Twenty uploads of a kilobyte now and then outlast their leases; others are served meanwhile."""
    content = video.read_bytes()
    pace = threading.Event()
    with ExitStack() as stack:
        slow = [stack.enter_context(begin(server, len(content), content[:1000])) for _ in range(CROWD)]
        sent = 1000
        began_s = time.monotonic()
        while time.monotonic() - began_s < 5:  # two leases and a half
            for connection in slow:
                connection.sendall(content[sent : sent + 100])
            sent += 100
            asked_s = time.monotonic()
            assert server.http.get("/v1/jobs").status_code == 200
            assert time.monotonic() - asked_s < 5
            pace.wait(0.25)
        assert server.ended(server.submit("info", video).json()["id"])["status"] == "succeeded"
        slow[0].sendall(content[sent:] + form_tail())
        status, job = answer(slow[0])
        assert status == 202
    assert server.ended(job["id"])["status"] == "succeeded"
    within(60, lambda: server.seats() == 0, "no seat is left")


def test_an_upload_that_stops_coming_is_given_up(strict: Server) -> None:
    """Silence ends an upload that has a seat; the sender is told the limit and the value, and nothing is left."""
    with begin(strict, 10**6, MEDIA[:20_000]) as connection:
        within(60, lambda: strict.seats() == 1, "it has its seat")
        status, problem = answer(connection)
        assert strict.seats() == 0
    assert (status, problem["code"], problem["min_bytes_per_s"]) == (408, "upload_stalled", 4096)
    assert problem["bytes_per_s"] < 4096
    assert "must bring 4.0 KiB a second" in problem["detail"]
    assert strict.files() == []


def test_slow_uploads_keep_nobody_out(strict: Server, video: Path) -> None:
    """Fifty at 1 KB/s that come again and again, and twenty that leave in the middle: others are served meanwhile."""
    strict.ended(strict.submit("info", video).json()["id"])
    before = strict.fds()
    with Crowd(strict, 50) as crowd:
        within(60, lambda: crowd.given_up > 0, "some were too slow")
        with ExitStack() as leaving:
            for _ in range(CROWD):
                leaving.enter_context(begin(strict, 10**6, MEDIA[:50_000]))
        refusals = 0
        for _ in range(5):
            response = strict.submit("info", video)
            while response.status_code == 503:
                refusals += 1
                assert refusals <= 5, "nobody may be kept out for ever"
                threading.Event().wait(int(response.headers["retry-after"]))
                response = strict.submit("info", video)
            assert response.status_code == 202, response.text
            assert strict.ended(response.json()["id"])["status"] == "succeeded"
        within(60, lambda: crowd.given_up >= 50, "the others were too slow as well")
    within(60, lambda: strict.seats() == 0, "no seat is left")
    within(60, lambda: strict.files() == [], "no file is left")
    within(60, lambda: strict.fds() <= before + SPARE_FDS, "no descriptor is left")


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
    within(60, lambda: server.files() == [], "no file is left")
    assert peak_bytes - before_bytes < 40 * 2**20


def test_told_to_stop_in_mid_upload_and_mid_job(tmp_path: Path, long_video: Path) -> None:
    """SIGTERM: the job is handed back, the upload is gone, no child stays, and the next server does the job."""
    home = tmp_path / "home"
    with running(home, {"min_upload_bytes_per_s": 10}) as server:
        job_id = server.submit("gif", long_video, {"fps": 50}).json()["id"]
        within(60, lambda: server.job(job_id)["status"] == "running", "the job runs")
        upload = begin(server, 10**6, long_video.read_bytes()[:2000])
        within(60, lambda: len(server.files()) == 2, "the upload has begun")
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
