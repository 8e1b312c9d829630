"""Every error as a problem document.

Source: RFC 9457. The type is `about:blank`, so that the title is the status' own phrase; `code` tells faults apart.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Mount

from tightship.errors import InvalidOptions, TightshipError
from tightship.http.fault import Unauthenticated
from tightship.http.openai.envelope import envelope, enveloped, speaks_openai

MEDIA_TYPE = "application/problem+json"
#: Seconds after which to come again, where the fault itself does not know.
RETRY_AFTER_S = 5
_CODES = {404: "not_found", 405: "method_not_allowed"}
#: What may be asked for at all.
_METHODS = ("GET", "HEAD", "POST", "DELETE")
_OWN = frozenset({"type", "title", "status", "detail", "code"})


def problem(error: TightshipError, path: str = "", status: int | None = None) -> Response:
    """Return the response that tells an error of ours.

    Args:
        path: What was asked for: clients of OpenAI's API understand errors in its form alone.
        status: In place of the error's own.
    """
    headers: dict[str, str] = {}
    status = status or error.http_status
    if status == 503:
        after_s = error.details.get("retry_after_s")
        headers["Retry-After"] = str(math.ceil(float(after_s)) if after_s else RETRY_AFTER_S)
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if error.http_status == 416:
        headers["Content-Range"] = f"bytes */{error.details.get('size_bytes')}"
    if speaks_openai(path):
        return envelope(error, headers)
    return document(status, error.code, error.public_message, error.details, headers)


def document(
    status: int,
    code: str,
    detail: str,
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem document; details never replace its own members."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **{name: value for name, value in (details or {}).items() if name not in _OWN},
    }
    return Response(json.dumps(body), status, {"Cache-Control": "no-store", **(headers or {})}, media_type=MEDIA_TYPE)


def tell_every_error(app: FastAPI) -> None:
    """Have the application answer every error, known or not, with a problem document."""
    app.add_exception_handler(TightshipError, _ours)
    app.add_exception_handler(HTTPException, _of_status)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, TightshipError)
    return problem(error, request.scope["path"])


async def _of_status(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "malformed_request")
    detail, headers = str(error.detail), error.headers
    if error.status_code == 404:
        detail = "there is nothing at this path; /openapi.json tells what there is"
    if error.status_code == 405:
        allowed = ", ".join(_methods_at(request))
        detail, headers = f"this path does not take {request.method}; it takes {allowed}", {"Allow": allowed}
    if speaks_openai(request.scope["path"]):
        return enveloped(error.status_code, code, detail, headers=headers)
    return document(error.status_code, code, detail, headers=headers)


def _methods_at(request: Request) -> list[str]:
    """Return what may be done at a path, by all routes together; the framework tells that of the first one alone."""
    routes = [route for route in request.app.routes if not isinstance(route, Mount)]
    # Where files are mounted the path has been cut short by now, and would be another's.
    whole = {**request.scope, "root_path": request.scope.get("app_root_path", request.scope.get("root_path", ""))}

    def taken(method: str) -> bool:
        return any(route.matches({**whole, "method": method})[0] is Match.FULL for route in routes)

    return [method for method in _METHODS if taken(method)] or ["GET", "HEAD"]  # of files that are served as they are


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"][1:])  # after where it stands: in the path, a header...
    return problem(InvalidOptions(f"{name}: {first['msg']}", option=name), request.scope["path"])


async def _gone(_request: Request, _error: Exception) -> Response:
    # Nobody is there to read it.
    return Response(status_code=400)


async def _unexpected(request: Request, _error: Exception) -> Response:
    # The traceback goes to the log, never to a stranger.
    return problem(TightshipError("something went wrong inside the server; its log says what"), request.scope["path"])
