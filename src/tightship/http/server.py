"""Listen, serve, and stop in order."""

from __future__ import annotations

import math
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from tightship.http.app import create_app
from tightship.http.config import HttpConfig
from tightship.http.connection import prompt_connection
from tightship.http.fault import AddressUnavailable
from tightship.http.gate import MAX_HEADER_BYTES
from tightship.http.state import AppState
from tightship.service import ServiceConfig, open_service

#: Connections that wait to be accepted.
BACKLOG = 128
#: Bytes of headers that are read at all. What is moderately too large is answered; only beyond is the connection cut.
PARSER_BYTES = 4 * MAX_HEADER_BYTES
#: Who is believed when he says by `X-Forwarded-Proto` that he was asked over TLS: proxies on this machine.
PROXIES = ("127.0.0.1", "::1")


def serve(
    config: ServiceConfig,
    http: HttpConfig,
    *,
    on_ready: Callable[[str], None] | None = None,
    stop: threading.Event | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; then admit nothing, let what runs end or hand it back, and leave no process.

    Args:
        on_ready: Called with the server's address when it answers.
        stop: Stops it as a signal does, also when it is set already.

    Returns:
        The exit status.

    Raises:
        AddressUnavailable: The address cannot be listened on.
    """
    stop = stop or threading.Event()
    with _listening(http) as listener, _stop_signals(stop), open_service(config) as service:
        app = create_app(service, http)
        settings = uvicorn.Config(
            app,
            http=prompt_connection(http.header_s, http.max_connections),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            forwarded_allow_ips=list(PROXIES),
            h11_max_incomplete_event_size=PARSER_BYTES,
            timeout_graceful_shutdown=math.ceil(http.drain_s),
        )
        ready = (lambda: on_ready(_address(listener))) if on_ready else None
        _Server(settings, app.state.shared, stop, ready).run(sockets=[listener])
    return 0


class _Server(uvicorn.Server):
    """Stop when an event is set, not by signals of its own: those would end the process before its workers."""

    def __init__(
        self, config: uvicorn.Config, state: AppState, stop: threading.Event, on_ready: Callable[[], None] | None
    ) -> None:
        super().__init__(config)
        self._state = state
        self._stop_event = stop
        self._on_ready = on_ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._on_ready is not None:
            self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        return self._stop_event.is_set() or await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._state.draining.set()
        service = self._state.service
        # Beside the requests, not after them: both have their grace at the same time.
        drain = threading.Thread(target=service.dispatcher.close, args=(service.config.drain_s,), name="drain")
        drain.start()
        await super().shutdown(sockets)


@contextmanager
def _stop_signals(stop: threading.Event) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kinds = (signal.SIGTERM, signal.SIGINT)
    before = {kind: signal.signal(kind, lambda *_: stop.set()) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


@contextmanager
def _listening(http: HttpConfig) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in http.host else socket.AF_INET
    try:
        listener = socket.create_server((http.host, http.port), family=family, backlog=BACKLOG)
    except OSError as fault:
        why = (fault.strerror or str(fault)).partition(" (")[0]  # Python adds the address, which stands there already
        raise AddressUnavailable(f"cannot listen on {http.host} port {http.port}: {why}") from None
    with listener:
        yield listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
