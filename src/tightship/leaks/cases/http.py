"""Answers to HTTP requests.

Suspected: requests without a `Session`, answers that nobody reads, clients that nobody closes. True: requests frees at
once what is dropped; a client of httpx that is dropped waits for the garbage collector, with 0.8 MB of its settings for
TLS. What leaks is what is kept: an answer in a list keeps its socket until it is read or closed.
Cure: `with` around an answer whose body is streamed; keep what is wanted of it, not the answer.
"""

from __future__ import annotations

import atexit
import functools
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: Packages that must be installed, by what is imported.
NEEDS = {"requests": "requests", "httpx": "httpx"}
#: Longest that a trial may take: each client of httpx reads the certificates of the machine, which is slow.
BUDGET = "1 min"
#: Size of an answer.
BODY_BYTES = 20_000

_kept: list[Any] = []


def without_session() -> None:
    """`requests.get` by itself, without a Session."""
    import requests

    assert requests.get(_url(), timeout=10).ok


def unread_dropped() -> None:
    """The answer is asked for as a stream, never read, never closed."""
    import requests

    requests.get(_url(), stream=True, timeout=10)


def unread_kept() -> None:
    """The same, and the answer is kept, for its headers."""
    import requests

    _kept.append(requests.get(_url(), stream=True, timeout=10))


def unread_kept_cured() -> None:
    """The answer is closed by `with`, and only what is wanted of it is looked at."""
    import requests

    with requests.get(_url(), stream=True, timeout=10) as answer:
        assert answer.headers["Content-Length"]


def httpx_by_itself() -> None:
    """`httpx.get` by itself, without a client."""
    import httpx

    assert httpx.get(_url(), timeout=10).is_success


def httpx_client_dropped() -> None:
    """An `httpx.Client` is made for a request and never closed."""
    import httpx

    assert httpx.Client(timeout=10).get(_url()).is_success


def httpx_client_dropped_cured() -> None:
    """One client serves all requests."""
    assert _client().get(_url()).is_success


@functools.cache
def _client() -> Any:
    import httpx

    return httpx.Client(timeout=10)


@functools.cache
def _url() -> str:
    """Return where a small server answers, in a process of its own, so that what it does is not counted here."""
    server = subprocess.Popen([sys.executable, "-m", __name__], stdout=subprocess.PIPE, text=True)
    atexit.register(server.kill)
    assert server.stdout is not None
    return f"http://127.0.0.1:{int(server.stdout.readline())}/"


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that goes away before it has read the answer is what is tried here


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Else each answer over a connection that is used again waits for the client's acknowledgement.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(BODY_BYTES))
        self.end_headers()
        self.wfile.write(bytes(BODY_BYTES))

    def log_message(self, format: str, *args: object) -> None:
        pass


if __name__ == "__main__":
    with _Server(("127.0.0.1", 0), _Handler) as server:
        sys.stdout.write(f"{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()
