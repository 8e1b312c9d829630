"""What every request passes before anything of it is read."""

from __future__ import annotations

import time
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tightship.errors import TightshipError
from tightship.http import origin
from tightship.http.config import HttpConfig
from tightship.http.fault import HeadersTooLarge, Unauthenticated
from tightship.http.key import COOKIE, KeyRing
from tightship.http.problem import problem

#: Bytes of a request's line and headers; a browser's take 2 KiB.
MAX_HEADER_BYTES = 16 * 2**10
#: Paths that need no key: signs of life, and the page, which holds nothing but the form that asks for the key.
OPEN_PATHS = frozenset({"/health/live", "/health/ready", "/", "/v1/session"})
OPEN_PREFIX = "/static/"


class Gate:
    """Refuse what comes from elsewhere, and what shows no key where one is needed."""

    def __init__(self, app: ASGIApp, config: HttpConfig, keys: KeyRing) -> None:
        self._app = app
        self._config = config
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] == "http" and (error := self._refusal(scope)) is not None:
            await problem(error, scope["path"])(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> TightshipError | None:
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
            return HeadersTooLarge(f"the headers have more than {MAX_HEADER_BYTES} bytes", limit_bytes=MAX_HEADER_BYTES)
        headers = Headers(scope=scope)
        foreign = origin.refusal(self._config, scope["method"], headers)
        path = scope["path"]
        if foreign or not self._keys or path in OPEN_PATHS or path.startswith(OPEN_PREFIX):
            return foreign
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._keys.admits(key.strip()):
            return None
        if self._keys.knows_session(_cookie(headers.get("cookie", "")), time.time()):
            return None
        return Unauthenticated("show an API key: `Authorization: Bearer KEY`")


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value
