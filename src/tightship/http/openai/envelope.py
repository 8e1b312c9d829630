"""Errors as OpenAI's API tells them; `code` is ours, and stable.

Source: https://platform.openai.com/docs/guides/error-codes, and what OpenAI's Python client reads of an answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from tightship.errors import TightshipError

_PATHS = ("/v1/audio/", "/v1/models/")


def speaks_openai(path: str) -> bool:
    """Tell whether what is asked for belongs to OpenAI's API."""
    return path.startswith(_PATHS) or path == "/v1/models"


def envelope(error: TightshipError, headers: Mapping[str, str] | None = None, *, again: bool | None = None) -> Response:
    """Return the response that tells an error of ours.

    Args:
        headers: What goes with it.
        again: Whether the same request may succeed another time; None takes the error's word. The client repeats each
            500 by itself, whether that makes sense or not, unless it is told.
    """
    may_help = error.retryable if again is None else again
    told = {"X-Should-Retry": "true" if may_help else "false", **(headers or {})}
    return enveloped(error.http_status, error.code, error.public_message, param_of(error), told)


def enveloped(
    status: int, code: str, message: str, param: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an error that is told in so many words."""
    body = json.dumps(error_body(status, code, message, param))
    return Response(body, status, {"Cache-Control": "no-store", **(headers or {})}, media_type="application/json")


def error_body(status: int, code: str, message: str, param: str | None) -> dict[str, Any]:
    """Return an error as it stands in an answer, and as an event in a stream."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def param_of(error: TightshipError) -> str | None:
    """Return the field of the request that is wrong, where it is one."""
    option = error.details.get("option") or ("model" if "model" in error.details else None)
    return None if option is None else str(option)
