"""Errors in OpenAI's form."""

from __future__ import annotations

import json

import anyio
import httpx
import pytest
from fastapi import FastAPI

from tightship.errors import InvalidOptions, ModelNotFound, QueueFull, TightshipError, WorkerDied
from tightship.http.config import HttpConfig
from tightship.http.fault import SyncTimeout
from tightship.http.gate import Gate
from tightship.http.key import KeyRing
from tightship.http.openai.envelope import envelope, speaks_openai
from tightship.http.problem import tell_every_error


@pytest.mark.parametrize(
    ("path", "is_so"),
    [("/v1/audio/transcriptions", True), ("/v1/models", True), ("/v1/models/a/b", True), ("/v1/jobs", False),
     ("/v1/modelship", False), ("/health/live", False)],
)  # fmt: skip
def test_whose_api_a_path_belongs_to(path: str, is_so: bool) -> None:
    """Ours keeps its problem documents."""
    assert speaks_openai(path) is is_so


@pytest.mark.parametrize(
    ("error", "status", "kind", "param", "again"),
    [
        (InvalidOptions("wrong", option="prompt"), 422, "invalid_request_error", "prompt", "false"),
        (ModelNotFound("none", model="x"), 404, "invalid_request_error", "model", "false"),
        (QueueFull("full"), 503, "server_error", None, "true"),
        (WorkerDied("gone"), 500, "server_error", None, "true"),
        (SyncTimeout("late"), 504, "server_error", None, "false"),
    ],
)
def test_an_error_says_what_and_whether_to_come_again(
    error: TightshipError, status: int, kind: str, param: str | None, again: str
) -> None:
    """With our code, and the field that is wrong."""
    response = envelope(error)
    assert response.status_code == status
    assert json.loads(bytes(response.body)) == {
        "error": {"message": error.public_message, "type": kind, "param": param, "code": error.code}
    }
    assert response.headers["x-should-retry"] == again
    assert envelope(error, again=False).headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code"),
    [
        ("GET", "/v1/models", {}, 401, "unauthenticated"),
        ("GET", "/v1/models", {"host": "evil.example"}, 403, "foreign_request"),
        ("GET", "/v1/models", {"authorization": "Bearer a-key-of-16-chars"}, 500, "internal"),
        ("GET", "/v1/audio/nothing", {"authorization": "Bearer a-key-of-16-chars"}, 404, "not_found"),
        ("DELETE", "/v1/models", {"authorization": "Bearer a-key-of-16-chars"}, 405, "method_not_allowed"),
    ],
)
def test_every_fault_under_the_paths_has_that_form(
    method: str, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    """What the gate refuses, what is not there, and what nobody foresaw."""
    app = FastAPI()
    tell_every_error(app)
    keys = ("a-key-of-16-chars",)
    app.add_middleware(Gate, config=HttpConfig(api_keys=keys), keys=KeyRing(keys))

    @app.get("/v1/models")
    async def broken() -> None:
        raise RuntimeError("a secret of ours")

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, headers=headers)

    response = anyio.run(ask)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert response.headers["content-type"] == "application/json"
    assert ("www-authenticate" in response.headers) == (status == 401)
    assert "secret" not in response.text
