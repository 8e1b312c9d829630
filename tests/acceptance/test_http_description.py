"""What the API says of itself, against what it answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.http_server import Server, running

KEY = "0123456789abcdef-right"
Description = Mapping[str, Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a key, which is shown."""
    with running(tmp_path_factory.mktemp("home"), {"api_keys": [KEY]}) as started:
        started.http.headers["Authorization"] = f"Bearer {KEY}"
        yield started


@pytest.fixture(scope="module")
def described(server: Server) -> Description:
    """The description."""
    return server.http.get("/openapi.json").json()


def said_of(response: httpx.Response, described: Description) -> Mapping[str, Any]:
    """Return what the description says of such an answer."""
    path = response.request.url.path
    templates = sorted(described["paths"], key=lambda template: template.count("{"))
    template = next(each for each in templates if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", each), path))
    responses = described["paths"][template][response.request.method.lower()]["responses"]
    status = str(response.status_code)
    assert status in responses or response.status_code >= 400, f"{response.request.method} {template}: {status}"
    return responses.get(status, responses["default"])


def as_described(response: httpx.Response, described: Description) -> httpx.Response:
    """Check that an answer is of a status and a content type that the description tells, and return it."""
    kinds = said_of(response, described).get("content", {})
    kind = response.headers.get("content-type", "").partition(";")[0]
    told = f"{response.request.method} {response.request.url.path}: {response.status_code} {kind}"
    if response.content:
        assert "*/*" in kinds or kind in {each.partition(";")[0] for each in kinds}, told
    else:
        assert not kinds, told
    return response


def test_what_there_is_to_read_is_as_described(server: Server, described: Description) -> None:
    """Figures, lists and signs of life have the type that is told."""
    for path in ("/v1/jobs", "/v1/operations", "/v1/models", "/metrics", "/health/live", "/health/ready"):
        assert as_described(server.http.get(path), described).status_code == 200
    as_described(server.http.get("/health/memory"), described)


def test_a_job_is_as_described(server: Server, described: Description, video: Path) -> None:
    """From its submission to its removal, and when it is not there any more."""
    job = as_described(server.submit("gif", video, {"width": 32}), described).json()
    path = f"/v1/jobs/{job['id']}"
    server.ended(job["id"])
    as_described(server.http.get(path), described)
    told = as_described(server.http.get(f"{path}/events"), described)
    last = re.findall(r"^id: (\d+)$", told.text, re.MULTILINE)[-1]
    for headers in ({"Last-Event-ID": last}, {"Last-Event-ID": "x" * 100}):
        as_described(server.http.get(f"{path}/events", headers=headers), described)
    for headers in ({}, {"Range": "bytes=0-9"}, {"Range": "bytes=999999999-"}):
        as_described(server.http.get(f"{path}/result", headers=headers), described)
    for action in ("cancel", "retry"):
        assert as_described(server.http.post(f"{path}/{action}"), described).status_code == 409
    assert as_described(server.http.delete(path), described).status_code == 204
    for method, place in (("GET", path), ("DELETE", path), ("GET", f"{path}/result"), ("POST", f"{path}/retry")):
        assert as_described(server.http.request(method, place), described).status_code == 404


def test_refusals_are_as_described(server: Server, described: Description, video: Path, tmp_path: Path) -> None:
    """Also OpenAI's form of them."""
    letter = tmp_path / "letter.mp4"
    letter.write_text("Dear reader")
    for response in (
        server.submit("gif", letter),
        server.submit("gif", video, {"width": 0}),
        server.http.get("/v1/jobs", params={"limit": "many"}),
        server.http.get("/v1/jobs", headers={"Authorization": "Bearer wrong"}),
        server.http.post("/v1/session", json={"key": "wrong"}),
        server.http.post("/v1/session", json={}),
        server.http.post("/v1/session", json={"key": KEY}),
        server.http.delete("/v1/session"),
        server.http.get("/v1/models/none"),
        server.http.post("/v1/models/none/unload"),
        server.http.post("/v1/audio/transcriptions", files={"file": letter.read_bytes()}),
        server.http.post("/v1/audio/translations", headers={"Authorization": "Bearer wrong"}),
    ):
        as_described(response, described)
