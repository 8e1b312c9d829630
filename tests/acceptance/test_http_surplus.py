"""Far more uploads at once than the line holds: the surplus is refused, and memory and disk stay bounded."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path

import pytest

from tests.acceptance.http_server import Server, form_head, form_tail, running, within

JOBS = int(os.environ.get("TIGHTSHIP_SOAK_JOBS", "50"))
UPLOADS, SEATS = 50, 10
FILE_BYTES = 100 * 10**6 if JOBS >= 500 else 4 * 10**6
GROWTH_BYTES = 50 * 10**6
#: Less than what is kept in memory before a place is taken, and more.
FEW, MANY = bytes(8 * 2**10), bytes(128 * 2**10)
#: What begins like a video, and never is one: the jobs fail at the look at their input.
START = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
LIMIT_S = 120.0
#: As much before a place is taken as by default, and time enough for a busy machine.
PATIENT = {"upload_window_s": 100.0, "min_upload_bytes_per_s": 410}


@dataclass(frozen=True)
class Answer:
    """How an upload was answered, and when: how many bytes of its file had been sent."""

    status: int
    retry_after: str | None
    sent_bytes: int


class Fleet:
    """Uploads that begin as one, and whose rest is sent when it is settled who is let in."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._together = threading.Barrier(UPLOADS)
        self.settled = threading.Event()
        self.refused: list[Answer] = []

    def send(self) -> Answer:
        """Send one upload."""
        with self._server.connect() as connection:
            connection.settimeout(LIMIT_S)
            host = f"127.0.0.1:{self._server.port}"
            connection.sendall(form_head(None, host=host, file_bytes=FILE_BYTES) + START + FEW)
            self._together.wait(LIMIT_S)
            sent_bytes = len(START) + len(FEW) + _send(connection, MANY)
            while not self.settled.wait(0.05):
                if _is_answered(connection):
                    self.refused.append(_answer(connection, sent_bytes))
                    return self.refused[-1]
            while sent_bytes < FILE_BYTES and not _is_answered(connection):
                sent_bytes += _send(connection, MANY[: FILE_BYTES - sent_bytes])
            _send(connection, form_tail())
            return _answer(connection, sent_bytes)


@pytest.mark.soak
@pytest.mark.timeout(2 * LIMIT_S)
def test_surplus_is_refused_and_nothing_grows(tmp_path: Path) -> None:
    """Fifty at once for a line of ten: forty are told when to come again; the server grows by less than 50 MB in all.

    Whoever comes while the line is full is refused by the headers alone. At the end nothing is left on the disk.
    """
    with running(tmp_path / "home", PATIENT, {"result_ttl_s": 1.0}) as server:
        server.ended(server.submit("info", _file(tmp_path)).json()["id"])  # what the first one loads is no growth
        before_bytes = server.rss_bytes()
        fleet = Fleet(server)
        with _peak_of(server) as peak_bytes, ThreadPoolExecutor(UPLOADS) as threads:
            uploads = [threads.submit(fleet.send) for _ in range(UPLOADS)]
            try:
                within(LIMIT_S, lambda: len(fleet.refused) >= UPLOADS - SEATS, "the surplus is refused")
                assert (server.seats(), _written(server) <= SEATS) == (SEATS, True)
                late = _by_headers_alone(server)
            finally:
                fleet.settled.set()
            answers = [upload.result() for upload in uploads]
        within(60, lambda: server.files() == [] and server.seats() == 0, "no upload is left")
        after_bytes = server.rss_bytes()
    home_bytes = sum(path.stat().st_size for path in (tmp_path / "home").rglob("*") if path.is_file())
    accepted = [each for each in answers if each.status == 202]
    told = f"RSS {before_bytes / 1e6:.1f} MB, at most {max(peak_bytes) / 1e6:.1f}, then {after_bytes / 1e6:.1f}"
    print(f"\n{UPLOADS} x {FILE_BYTES / 1e6:.0f} MB: {len(accepted)} accepted; {told}; disk {home_bytes} bytes")

    assert (len(accepted), {each.sent_bytes for each in accepted}) == (SEATS, {FILE_BYTES})
    assert {each.status for each in (*fleet.refused, late)} == {503}
    assert all(each.retry_after and int(each.retry_after) >= 1 for each in (*fleet.refused, late))
    assert max(peak_bytes) - before_bytes < GROWTH_BYTES
    assert list((tmp_path / "home" / "scratch").iterdir()) == []


def _by_headers_alone(server: Server) -> Answer:
    """Send an upload's headers, and no byte of its body."""
    head, _, _ = form_head(None, host=f"127.0.0.1:{server.port}", file_bytes=FILE_BYTES).partition(b"\r\n\r\n")
    with server.connect() as connection:
        connection.sendall(head + b"\r\n\r\n")
        return _answer(connection, 0)


def _send(connection: socket.socket, piece: bytes) -> int:
    try:
        connection.sendall(piece)
    except (BrokenPipeError, ConnectionResetError):  # refused meanwhile: the answer is there to be read
        return 0
    return len(piece)


def _is_answered(connection: socket.socket) -> bool:
    return bool(select.select([connection], [], [], 0)[0])


def _answer(connection: socket.socket, sent_bytes: int) -> Answer:
    response = HTTPResponse(connection)
    response.begin()
    return Answer(response.status, response.getheader("Retry-After"), sent_bytes)


def _written(server: Server) -> int:
    return sum(1 for path in server.files() if path.parent.name == "incoming")


def _file(folder: Path) -> Path:
    path = folder / "first.mp4"
    path.write_bytes(START + MANY)
    return path


@contextmanager
def _peak_of(server: Server) -> Iterator[list[int]]:
    """Yield a list that is given what the server holds, over and over, until the block ends."""
    seen, over = [server.rss_bytes()], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            seen.append(max(seen.pop(), server.rss_bytes()))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield seen
    finally:
        over.set()
        watching.join()
