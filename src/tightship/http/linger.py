"""Answer before the request has been read, so that the answer arrives.

A connection that is closed while the other side still sends is reset, and a reset throws away what was sent before it.
So the answer goes out first, and what still comes is thrown away for a while.
"""

from __future__ import annotations

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Seconds for which a request that has been answered may go on.
LINGER_S = 2.0
#: Bytes of it that are thrown away at most.
LINGER_BYTES = 64 * 2**20


class Linger:
    """Close connections whose request was answered before it was read, but not at once."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        headers = Headers(scope=scope) if scope["type"] == "http" else {}
        if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
            await self._app(scope, receive, send)
            return
        body = _Body(receive, "expect" in headers)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and not body.ended:
                MutableHeaders(scope=message)["Connection"] = "close"
            if message["type"] != "http.response.body" or message.get("more_body") or body.ended:
                await send(message)
                return
            await send({**message, "more_body": True})
            await body.throw_away()
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._app(scope, body.receive, answer)


class _Body:
    """What comes of a request's body, and whether that was all."""

    def __init__(self, receive: Receive, awaited: bool) -> None:
        self._receive = receive
        #: The sender waits to be told to go on, and has sent nothing yet.
        self._awaited = awaited
        self.ended = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._awaited = False
        self.ended = not message.get("more_body", False)
        return message

    async def throw_away(self) -> None:
        if self._awaited:
            return
        left_bytes = LINGER_BYTES
        with anyio.move_on_after(LINGER_S):
            while not self.ended and left_bytes > 0:
                left_bytes -= len((await self.receive()).get("body", b""))
