"""What the server refuses, and how it says so."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.http_server import Server, answer, form_head, form_tail, running, within

LIMIT_BYTES = 300_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that takes small uploads, two at a time, and gives them their seats early."""
    http = {"max_upload_bytes": LIMIT_BYTES, "min_upload_bytes_per_s": 100}
    with running(tmp_path_factory.mktemp("home"), http, {"max_pending": 2}) as started:
        yield started


def refused(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that it is a problem document, and return it."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json"), (
        response.text
    )
    problem = response.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["title"]
    assert problem["detail"]
    assert "Traceback" not in response.text
    return problem


def test_what_is_announced_as_too_large_is_not_read(server: Server) -> None:
    """The answer comes although not a byte of the file was sent."""
    with server.connect() as connection:
        connection.sendall(form_head(10**9, host=f"127.0.0.1:{server.port}"))
        status, problem = answer(connection)
    assert (status, problem["code"], problem["limit_bytes"]) == (413, "media_too_large", LIMIT_BYTES)
    assert server.files() == []


def test_what_is_not_announced_is_counted(server: Server, video: Path) -> None:
    """A chunked upload is refused when it passes the limit, and nothing of it stays."""

    def body() -> Iterator[bytes]:
        yield form_head(0, host="").partition(b"\r\n\r\n")[2]
        yield video.read_bytes()[:1000]
        for _ in range(100):
            yield bytes(65536)

    kind = {"content-type": "multipart/form-data; boundary=a-line-that-no-video-holds"}
    refused(server.http.post("/v1/jobs", content=body(), headers=kind), 413, "media_too_large")
    assert server.files() == []


@pytest.mark.parametrize(
    "content", [b"", b"plain words", b"\x89PNG\r\n\x1a\n" + bytes(600), b"#EXTM3U\n/etc/passwd", bytes(5000)]
)
def test_what_is_no_media_is_refused_by_its_first_bytes(server: Server, tmp_path: Path, content: bytes) -> None:
    """Other files never reach a decoder."""
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    refused(server.submit("info", path), 415, "unsupported_media")
    assert server.files() == []


@pytest.mark.parametrize(
    ("operation", "options"),
    [("gif", {"fps": 99}), ("gif", {"speed": 1}), ("dance", {}), ("gif", [1]), ("gif", {"width": "wide"})],
)
def test_options_are_checked(server: Server, video: Path, operation: str, options: Any) -> None:
    """A wrong option is named before a job is made."""
    assert refused(server.submit(operation, video, options), 422, "invalid_options")["detail"]
    assert server.http.get("/v1/jobs").json()["jobs"] == []


@pytest.mark.parametrize(
    ("data", "files", "code"),
    [
        ({"operation": "info"}, {"other": b"x"}, "invalid_options"),
        ({"operation": "info", "options": "{"}, {"file": b"x"}, "invalid_options"),
        ({"options": "{}"}, {"nothing": b""}, "invalid_options"),
    ],
)
def test_a_wrong_form_is_refused(server: Server, data: dict[str, str], files: dict[str, bytes], code: str) -> None:
    """Fields that are missing, unknown or unreadable are named."""
    refused(server.http.post("/v1/jobs", data=data, files=files), 422, code)


def test_what_is_no_form_is_refused(server: Server) -> None:
    """Another content type, and a form that is cut short, are malformed."""
    refused(server.http.post("/v1/jobs", json={"operation": "info"}), 400, "malformed_request")
    kind = {"content-type": "multipart/form-data; boundary=x"}
    refused(server.http.post("/v1/jobs", content=b"--x\r\nnonsense", headers=kind), 400, "malformed_request")


def test_a_field_of_any_length_is_not_kept(server: Server) -> None:
    """A field is bounded like everything else."""
    form = {"operation": "info", "options": json.dumps({"x": "y" * 200_000})}
    refused(server.http.post("/v1/jobs", data=form, files={"file": b"x"}), 422, "invalid_options")


def test_a_full_queue_says_when_to_come_again(server: Server, video: Path) -> None:
    """Seats count as waiting: two uploads that only began fill a line of two."""
    host, body = f"127.0.0.1:{server.port}", video.read_bytes()
    with server.connect() as one, server.connect() as two:
        for connection in (one, two):
            connection.sendall(form_head(None, host=host, file_bytes=len(body)) + body[:2000])
        within(60, lambda: server.seats() == 2, "both have their seats")
        response = server.submit("info", video)
        problem = refused(response, 503, "queue_full")
        with server.connect() as late:
            late.sendall(form_head(None, host=host, file_bytes=len(body)).partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
            assert answer(late)[0] == 503  # by the headers alone
        assert int(response.headers["retry-after"]) == problem["retry_after_s"] == 10
        one.sendall(body[2000:] + form_tail())
        assert answer(one)[0] == 202


def test_a_full_disk_is_told_before_the_upload(tmp_path: Path, video: Path) -> None:
    """Where the reserve could not be kept free, nothing is let in."""
    with running(tmp_path / "home", store={"disk_reserve_bytes": 10**14}) as server:
        refused(server.submit("info", video), 507, "disk_full")
        assert server.files() == []


def test_paths_and_methods_that_are_not_there(server: Server) -> None:
    """Also what no route answers is a problem document."""
    for path in ("/nothing", "/v1/jobs/", "/static/nothing"):  # a slash too many is not sent elsewhere, with its form
        assert "/openapi.json" in refused(server.http.get(path), 404, "not_found")["detail"]
    refused(server.http.get("/v1/jobs/no-such-job"), 404, "job_not_found")
    refused(server.http.get("/v1/jobs/no-such-job/events"), 404, "job_not_found")
    assert refused(server.http.get("/v1/jobs", params={"limit": 0}), 422, "invalid_options")["option"] == "limit"
    served = {"/v1/jobs": "GET, POST", "/health/live": "GET, HEAD", "/static/app.js": "GET, HEAD"}
    for path, allowed in {**served, "/static/v1/jobs": "GET, HEAD"}.items():
        wrong = server.http.put(path)
        assert allowed in refused(wrong, 405, "method_not_allowed")["detail"]
        assert wrong.headers["allow"] == allowed


def test_headers_that_are_too_large_are_refused(server: Server) -> None:
    """A request's headers are bounded, and whoever goes somewhat too far is told."""
    refused(server.http.get("/health/live", headers={"X-Long": "y" * 20_000}), 431, "headers_too_large")


def test_headers_without_end_are_cut_off(server: Server) -> None:
    """Whoever never comes to an end loses the connection, whatever the last words, and costs no memory."""
    before_bytes = server.rss_bytes()
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX-Long: ")
        with pytest.raises(OSError):  # noqa: PT011 - reset or broken pipe, as it happens
            connection.sendall(b"y" * 64 * 2**20)
    assert server.rss_bytes() - before_bytes < 16 * 2**20
    assert server.http.get("/health/live").status_code == 200


def test_a_request_that_never_comes_is_not_awaited(tmp_path: Path) -> None:
    """Silent connections, and headers that trickle, end in time: they cannot take every connection for long."""
    with running(tmp_path / "home", {"header_s": 1.0, "max_connections": 20}) as server:
        with ExitStack() as stack:
            silent = [stack.enter_context(server.connect()) for _ in range(30)]
            for connection in silent[::2]:
                connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: ")
            for connection in silent:
                assert ended(connection)
        within(60, lambda: server.http.get("/health/live").status_code == 200, "others are served")


def test_a_connection_too_many_is_told_when_to_come_again(tmp_path: Path) -> None:
    """In the words of any other refusal; the last that may come is served."""
    with running(tmp_path / "home", {"header_s": 60.0, "max_connections": 3}) as server:
        with ExitStack() as stack:
            assert server.http.get("/health/live").status_code == 200
            for _ in range(2):
                stack.enter_context(server.connect())
            assert server.http.get("/health/live").status_code == 200
            with server.connect() as surplus:
                surplus.sendall(b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n")
                response = HTTPResponse(surplus)
                response.begin()
                told = json.loads(response.read())
                assert ended(surplus)
        assert (response.status, told["code"], told["limit"]) == (503, "queue_full", 3)
        assert response.headers["content-type"] == "application/problem+json"
        assert int(response.headers["retry-after"]) >= 1
        within(60, lambda: server.http.get("/health/live").status_code == 200, "others are served")


def test_what_is_no_request_is_refused(server: Server) -> None:
    """Whoever speaks something else is told so, and nothing more."""
    with server.connect() as connection:
        connection.sendall(b"EHLO localhost\r\n\r\n")
        status, problem = answer(connection)
        assert ended(connection)
    assert (status, problem["status"], problem["code"]) == (400, 400, "malformed_request")


def test_what_breaks_off_being_http_after_its_answer_is_cut(server: Server) -> None:
    """It has its answer and gets no second one; nothing is raised for that, which the server's end checks."""
    with server.connect() as connection:
        head = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head + b"5\r\nabcde\r\n")
        status, _ = answer(connection)
        connection.sendall(b"no length\r\n")
        assert ended(connection)
    assert status == 404


def test_headers_that_trickle_are_not_awaited(tmp_path: Path) -> None:
    """A byte now and then does not move the deadline, on a new connection or after a first request."""
    with running(tmp_path / "home", {"header_s": 1.0}) as server:
        for first in (b"", b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"):
            with server.connect() as connection:
                connection.sendall(first + b"GET / HTTP/1.1\r\nX-Slow: ")
                with pytest.raises(OSError):  # noqa: PT011 - reset or broken pipe, as it happens
                    trickle(connection, give_up_s=20.0)


def test_a_key_that_never_comes_is_not_awaited(tmp_path: Path) -> None:
    """Signing in is open to strangers, so it has the time of a request's headers."""
    with running(tmp_path / "home", {"header_s": 0.5, "api_keys": ["a-key-of-24-characters.."]}) as server:
        with server.connect() as connection:
            connection.sendall(b"POST /v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40\r\n\r\n{")
            status, problem = answer(connection)
        assert (status, problem["code"]) == (408, "request_stalled")


def ended(connection: socket.socket) -> bool:
    """Wait until the other side has closed."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def trickle(connection: socket.socket, give_up_s: float) -> None:
    """Send a byte now and then, until the connection breaks."""
    give_up_at_s = time.monotonic() + give_up_s
    pause = threading.Event()
    while time.monotonic() < give_up_at_s:
        connection.sendall(b"y")
        pause.wait(0.1)
