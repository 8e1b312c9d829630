"""A request as a step."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import psutil
import pytest

from tightship.leaks.fault import StepFailed, StepNotFound
from tightship.leaks.request import Request, server_of


class Server(HTTPServer):
    """A server that remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, bytes, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Answers 404 below /missing, else 200."""

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        assert isinstance(self.server, Server)
        self.server.asked.append((self.command, self.path, body, self.headers.get("X-Name")))
        self.send_response(404 if self.path.startswith("/missing") else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A server in this process."""
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_each_step_is_one_request(server: Server) -> None:
    """Method, path, query, body and headers arrive as they were given."""
    step = Request(f"{server.url}/items?page=2", "POST", b"body", {"X-Name": "x"}).step()

    step()
    step()

    assert server.asked == [("POST", "/items?page=2", b"body", "x")] * 2


def test_bad_answer_is_a_failed_step(server: Server) -> None:
    """A page that is not there tells nothing about leaks."""
    with pytest.raises(StepFailed, match="was answered with 404 Not Found"):
        Request(f"{server.url}/missing").step()()


def test_no_answer_is_a_failed_step() -> None:
    """A port where nobody listens is told with the URL."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/"
        with pytest.raises(StepFailed, match=f"GET {url}: .*refused"):
            Request(url).step()()


def test_process_of_a_server_is_found_by_its_port(server: Server) -> None:
    """Whoever listens there is watched."""
    assert server_of(f"{server.url}/health") == os.getpid()


def test_a_worker_that_has_just_ended_is_no_server(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers come and go while one looks; the server itself is found all the same, unless it went as well."""
    port = int(server.url.rpartition(":")[2])
    (own,) = [each for each in psutil.net_connections("tcp") if each.status == "LISTEN" and each.laddr.port == port]
    listening = [own, own._replace(pid=2**22 + 1)]
    monkeypatch.setattr(psutil, "net_connections", lambda kind: listening)

    assert server_of(f"{server.url}/health") == os.getpid()
    del listening[0]
    with pytest.raises(StepNotFound, match="has just ended"):
        server_of(f"{server.url}/health")


def test_port_without_a_server_is_told() -> None:
    """The server was not started: that is wrong usage, not a leak."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(StepNotFound, match="is the server running"):
            server_of(f"http://127.0.0.1:{bound.getsockname()[1]}/")


def test_server_on_another_machine_cannot_be_watched() -> None:
    """Its process is not here."""
    with pytest.raises(StepNotFound, match="is not this machine"):
        server_of("http://192.0.2.1/")


@pytest.mark.parametrize("url", ["localhost:80", "ftp://localhost/", "http://", "http://localhost:eighty/"])
def test_no_url_is_told(url: str) -> None:
    """What cannot be asked is refused before anything is run."""
    with pytest.raises(StepNotFound, match="is no URL"):
        Request(url).step()
