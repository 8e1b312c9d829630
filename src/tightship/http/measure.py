"""What the server counts of itself, each application for itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Meters:
    """Counters and gauges of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "tightship_http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "tightship_http_request_seconds", "Seconds until a response began.", ["route"], registry=self.registry
        )
        self._uploads = Gauge("tightship_http_uploads", "Uploads under way.", registry=self.registry)
        self._received = Counter("tightship_http_upload_bytes", "Bytes of uploads received.", registry=self.registry)

    @contextmanager
    def upload(self) -> Iterator[None]:
        """Count an upload as under way."""
        with self._uploads.track_inprogress():
            yield

    def received(self, size_bytes: int) -> None:
        """Count bytes of an upload."""
        self._received.inc(size_bytes)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a response that has begun."""
        # What people make up must not become a series of its own.
        known = method if method in ("GET", "HEAD", "POST", "DELETE") else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)


class Counted:
    """Count every response by the template of its route, never by the path itself."""

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self._app = app
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        began_s = time.monotonic()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "none")
                self._meters.answered(scope["method"], route, message["status"], time.monotonic() - began_s)
            await send(message)

        await self._app(scope, receive, answer)
