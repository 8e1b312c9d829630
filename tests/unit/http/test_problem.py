"""Errors that nobody foresaw, and answers that come before the request has been read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import anyio
import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tightship.http.connection import refusing
from tightship.http.linger import LINGER_BYTES, Linger
from tightship.http.problem import tell_every_error


async def _get(app: FastAPI, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get(path)


def test_a_bug_is_told_without_its_traceback() -> None:
    """A stranger learns that something went wrong, and nothing about what."""
    app = FastAPI()
    tell_every_error(app)

    @app.get("/")
    async def broken() -> None:
        raise RuntimeError("a secret of ours")

    response = anyio.run(_get, app, "/")
    assert (response.status_code, response.json()["code"]) == (500, "internal")
    assert response.headers["content-type"] == "application/problem+json"
    assert "secret" not in response.text


def _exchange(pieces: AsyncIterator[bytes], app: ASGIApp) -> tuple[list[Message], list[int]]:
    """Answer a request of these pieces; return what was sent, and the size of each piece that was taken."""
    sent: list[Message] = []
    taken: list[int] = []

    async def receive() -> Message:
        piece = await anext(pieces, None)
        taken.append(len(piece or b""))
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "path": "/v1/jobs", "headers": [(b"content-length", b"1")]}
    anyio.run(app, scope, receive, send)
    return sent, taken


def _refusing(read: bool) -> ASGIApp:
    """Return what refuses a request, after reading it or before."""

    async def refuse(_scope: Scope, receive: Receive, send: Send) -> None:
        while read and (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": 413, "headers": []})
        await send({"type": "http.response.body", "body": b"no"})

    return Linger(refuse)


async def _endless() -> AsyncIterator[bytes]:
    while True:
        yield bytes(2**20)


async def _short() -> AsyncIterator[bytes]:
    yield b"x"


def test_the_answer_goes_out_before_the_rest_is_thrown_away() -> None:
    """What still comes is taken, but not for ever, and the connection is closed."""
    sent, taken = _exchange(_endless(), _refusing(read=False))
    assert sent[0]["headers"] == [(b"connection", b"close")]
    assert [message.get("body") for message in sent[1:]] == [b"no", b""]
    assert [message.get("more_body") for message in sent[1:]] == [True, False]
    assert sum(taken) == LINGER_BYTES


def test_a_request_that_was_read_keeps_its_connection() -> None:
    """Nothing is left to throw away."""
    sent, taken = _exchange(_short(), _refusing(read=True))
    assert (sent[0]["headers"], len(sent), taken) == ([], 2, [1, 0])


def test_a_connection_too_many_is_refused_as_politely() -> None:
    """An upload on it gets its answer, too, and what every other answer says to browsers."""
    sent, taken = _exchange(_endless(), refusing(3))
    headers = dict(sent[0]["headers"])
    assert (sent[0]["status"], headers[b"connection"]) == (503, b"close")
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert json.loads(sent[1]["body"])["limit"] == 3
    assert [message.get("more_body") for message in sent[1:]] == [True, False]
    assert sum(taken) == LINGER_BYTES
