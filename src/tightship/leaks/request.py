"""A request to a server that runs on this machine as a step, and the process that serves it."""

from __future__ import annotations

import http.client
import ipaddress
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

import psutil

from tightship.leaks.fault import StepFailed, StepNotFound

#: Longest that a server may take for an answer, in seconds.
TIMEOUT_S = 30.0
#: Statuses from here on are failures.
_FIRST_ERROR = 400
#: Bytes of a body that are read at once.
_CHUNK_BYTES = 65536


@dataclass(frozen=True)
class Request:
    """What is sent in each step, over a connection of its own.

    Args:
        url: Where to; http or https.
        method: As in HTTP.
        body: What is sent, if anything.
        headers: Beside those that HTTP wants.
    """

    url: str
    method: str = "GET"
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def step(self) -> Callable[[], None]:
        """Return the step: send the request and read the whole answer.

        Raises:
            StepNotFound: The URL is none.
        """
        parts = split(self.url)
        connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

        def step() -> None:
            connection = connect(str(parts.hostname), port_of(parts), timeout=TIMEOUT_S)
            try:
                connection.request(self.method, path, self.body, dict(self.headers))
                response = connection.getresponse()
                while response.read(_CHUNK_BYTES):
                    pass
            except (OSError, http.client.HTTPException) as error:
                raise StepFailed(f"{self.method} {self.url}: {error or type(error).__name__}") from error
            finally:
                connection.close()
            if response.status >= _FIRST_ERROR:
                raise StepFailed(f"{self.method} {self.url} was answered with {response.status} {response.reason}")

        return step


def split(url: str) -> SplitResult:
    """Return the parts of a URL.

    Raises:
        StepNotFound: It is none that can be asked.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise StepNotFound(f"{url!r} is no URL: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise StepNotFound(f"{url!r} is no URL; write for instance http://127.0.0.1:8000/health")
    return parts


def port_of(parts: SplitResult) -> int:
    """Return the port that a URL leads to."""
    return parts.port or (443 if parts.scheme == "https" else 80)


def server_of(url: str) -> int:
    """Return the process that listens where a URL leads: of several, the one that has started the others.

    Raises:
        StepNotFound: Nothing listens there, it is another machine, or the process belongs to somebody else.
    """
    parts = split(url)
    port = port_of(parts)
    if not _is_here(str(parts.hostname)):
        raise StepNotFound(f"{parts.hostname} is not this machine; the server's process must run here to be watched")
    try:
        listening = [each for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
    except psutil.AccessDenied:
        raise StepNotFound("this system does not tell who listens; name the server with --pid") from None
    at_port = [each for each in listening if each.laddr and each.laddr.port == port]
    pids = {each.pid for each in at_port if each.pid}
    if not at_port:
        raise StepNotFound(f"nothing listens on port {port}; is the server running?", port=port)
    if not pids:
        raise StepNotFound(f"whoever listens on port {port} belongs to another user; name it with --pid", port=port)
    return _oldest(pids)


def _oldest(pids: set[int]) -> int:
    """Return the process that is no child of the others; workers share the socket of whoever started them."""
    roots = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):  # workers come and go
            process = psutil.Process(pid)
            if not pids & {parent.pid for parent in process.parents()}:
                roots.append(process)
    if not roots:
        raise StepNotFound("the server has just ended")
    if len(roots) > 1:
        listed = ", ".join(str(root.pid) for root in sorted(roots, key=lambda root: root.pid))
        raise StepNotFound(f"several servers listen there: {listed}; choose one with --pid")
    return roots[0].pid


def _is_here(host: str) -> bool:
    """Tell whether a name leads to an address of this machine."""
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        raise StepNotFound(f"there is no host {host!r}") from None
    own = {each.address.partition("%")[0] for addresses in psutil.net_if_addrs().values() for each in addresses}
    return any(ipaddress.ip_address(str(address).partition("%")[0]).is_loopback or address in own for address in found)
