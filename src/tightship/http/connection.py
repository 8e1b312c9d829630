"""Connections that must come to the point: a request's headers have to be there in time."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class PromptConnection(H11Protocol):
    """Close a connection that takes too long to send a request's line and headers.

    Between two requests the server's limit on idle connections holds; this one holds from the first moment of a
    connection, and from the first byte of any later request.
    """

    #: Seconds from then until the headers are complete.
    header_s = 10.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

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


def prompt_connection(header_s: float) -> type[PromptConnection]:
    """Return the class of connections whose headers must be there within so many seconds."""
    return type("PromptConnection", (PromptConnection,), {"header_s": header_s})
