"""What the server refuses, and how it says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.http_server import Server, answer, form_head, form_tail, running

LIMIT_BYTES = 300_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that takes small uploads, two at a time."""
    with running(tmp_path_factory.mktemp("home"), {"max_upload_bytes": LIMIT_BYTES}, {"max_pending": 2}) as started:
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
            connection.sendall(form_head(None, host=host, file_bytes=len(body)) + body[:600])
        response = server.submit("info", video)
        while response.status_code == 202:  # the two have not been read yet
            server.ended(response.json()["id"])
            response = server.submit("info", video)
        problem = refused(response, 503, "queue_full")
        assert int(response.headers["retry-after"]) == problem["retry_after_s"] == 10
        one.sendall(body[600:] + form_tail())
        assert answer(one)[0] == 202


def test_a_full_disk_is_told_before_the_upload(tmp_path: Path, video: Path) -> None:
    """Where the reserve could not be kept free, nothing is let in."""
    with running(tmp_path / "home", store={"disk_reserve_bytes": 10**14}) as server:
        refused(server.submit("info", video), 507, "disk_full")
        assert server.files() == []


def test_paths_and_methods_that_are_not_there(server: Server) -> None:
    """Also what no route answers is a problem document."""
    refused(server.http.get("/nothing"), 404, "not_found")
    refused(server.http.get("/v1/jobs/no-such-job"), 404, "job_not_found")
    refused(server.http.get("/v1/jobs/no-such-job/events"), 404, "job_not_found")
    refused(server.http.get("/v1/jobs", params={"limit": 0}), 422, "invalid_options")
    wrong = server.http.put("/v1/jobs")
    refused(wrong, 405, "method_not_allowed")
    assert "POST" in wrong.headers["allow"] or "GET" in wrong.headers["allow"]


def test_headers_without_end_are_cut_off(server: Server) -> None:
    """A request's headers are bounded."""
    refused(server.http.get("/health/live", headers={"X-Long": "y" * 100_000}), 431, "headers_too_large")
