"""Connections that must come to the point, and are told as all others when they are too many or no HTTP."""

from __future__ import annotations

import asyncio

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from tightship.errors import QueueFull
from tightship.http.fault import MalformedRequest
from tightship.http.header import SafeHeaders
from tightship.http.linger import Linger
from tightship.http.problem import problem


class PromptConnection(H11Protocol):
    """Close a connection that takes too long to send a request's line and headers.

    Between two requests the server's limit on idle connections holds; this one holds from the first moment of a
    connection, and from the first byte of any later request.
    """

    #: Seconds from then until the headers are complete.
    header_s = 10.0
    #: Most connections at a time.
    max_connections = 256
    #: What answers those that are too many.
    surplus: ASGIApp
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._served = self.app
        self._watch()

    def data_received(self, data: bytes) -> None:
        # The server's own refusal tells neither why nor when to come again.
        self.app = self.surplus if len(self.connections) > self.max_connections else self._served
        super().data_received(data)
        self._watch()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - it says no more than we do
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # an answer is on its way already
            self.transport.close()
            return
        refusal = problem(MalformedRequest("that is no request of HTTP/1.1"))
        head = h11.Response(status_code=400, headers=[*refusal.raw_headers, (b"connection", b"close")])
        for part in (head, h11.Data(data=bytes(refusal.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(part) or b"")
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Have a deadline exactly while a request has not come whole; more bytes do not move it."""
        if self.conn.their_state is not h11.IDLE:
            self._unwatch()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.header_s, self._give_up)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        # Nobody is told: a request that is not there cannot be answered.
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.conn.send(h11.ConnectionClosed())
            self.transport.close()


def prompt_connection(header_s: float, max_connections: int) -> type[PromptConnection]:
    """Return the class of connections, so many at a time, whose headers must be there within so many seconds."""
    limits = {"header_s": header_s, "max_connections": max_connections, "surplus": refusing(max_connections)}
    return type("PromptConnection", (PromptConnection,), limits)


def refusing(max_connections: int) -> ASGIApp:
    """Return an application that tells everybody to come again, as politely as all others are refused."""

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        error = QueueFull(f"there are more than {max_connections} connections", limit=max_connections)
        refusal = problem(error, scope["path"])
        refusal.headers["Connection"] = "close"
        await refusal(scope, receive, send)

    return SafeHeaders(Linger(refuse))
