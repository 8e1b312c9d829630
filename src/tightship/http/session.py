"""`/v1/session`: the page shows a key once, and has a cookie until it signs out or the session ends."""

from __future__ import annotations

import json
import time
from typing import Any

import anyio
from fastapi import APIRouter, Request, Response

from tightship.http import origin
from tightship.http.fault import MalformedRequest, RequestStalled, Unauthenticated
from tightship.http.key import COOKIE
from tightship.http.state import AppState
from tightship.units import format_seconds

#: Bytes of the request: a key and little else. It is read before anybody is known.
MAX_BODY_BYTES = 2**10

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object", "required": ["key"], "properties": {"key": {"type": "string"}}}
            }
        },
    }
}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "It holds no key."},
    401: {"description": "That is not a key of this server."},
    408: {"description": "It came too slowly."},
}


def session_routes(state: AppState) -> APIRouter:
    """Return the routes that sign the page in and out."""
    router = APIRouter()

    @router.post("/v1/session", status_code=204, openapi_extra=_BODY, responses=_REFUSALS)
    async def sign_in(request: Request) -> Response:
        """Exchange an API key for a cookie; where no keys are needed, nothing happens."""
        response = Response(status_code=204)
        if not state.keys:
            return response
        with anyio.move_on_after(state.config.header_s) as waiting:
            key = await _shown(request)
        if waiting.cancelled_caught:
            raise RequestStalled(f"the key did not come within {format_seconds(state.config.header_s)}")
        if not state.keys.admits(key):
            raise Unauthenticated("that is not a key of this server")
        token = state.keys.open_session(key, time.time() + state.config.session_s)
        response.set_cookie(
            COOKIE,
            token,
            max_age=int(state.config.session_s),
            httponly=True,
            samesite="strict",
            secure=origin.is_https(request.url.scheme, request.headers),
        )
        return response

    @router.delete("/v1/session", status_code=204)
    async def sign_out(request: Request) -> Response:
        """Have the browser forget the cookie. The session itself ends with its time, or with its key."""
        response = Response(status_code=204)
        secure = origin.is_https(request.url.scheme, request.headers)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=secure)
        return response

    return router


async def _shown(request: Request) -> str:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise MalformedRequest(f"the request has more than {MAX_BODY_BYTES} bytes")
    try:
        return str(json.loads(body)["key"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise MalformedRequest('send {"key": "..."}') from None
