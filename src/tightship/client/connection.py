"""Requests to a server, and its refusals as errors of ours."""

from __future__ import annotations

import ipaddress
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx

import tightship.http.fault  # noqa: F401 - its errors are found by their code once they are known
from tightship.client.retry import Retries
from tightship.errors import InvalidOptions, ServerUnreachable, TightshipError, from_dict

T = TypeVar("T")
#: Longest refusal that is read, in bytes: a problem is a few hundred, a proxy's error page is not worth more.
_REFUSAL_BYTES = 64 * 2**10
#: What a proxy answers in the place of a server that is away.
_AWAY = (502, 503, 504)
#: How the system's own faults begin: of no use to people.
_ERRNO = re.compile(r"^\[Errno -?[0-9]+\] ")
_MEMBERS = {"type", "title", "status", "detail", "code", "message", "instance", "retryable"}


class Connection:
    """A server, spoken to with retries."""

    def __init__(
        self,
        url: str,
        api_key: str | None,
        timeout_s: float,
        retries: Retries,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        try:
            base = httpx.URL(url)
        except httpx.InvalidURL as wrong:
            raise InvalidOptions(f"{url!r} is no address: {wrong}") from None
        if base.scheme not in ("http", "https") or not base.host:
            raise InvalidOptions(f"{url!r} is no address of a server; write for instance http://127.0.0.1:8080")
        self.url = url
        self.timeout_s = timeout_s
        self.retries = retries
        self._sleep = sleep
        self._http = httpx.Client(
            base_url=base,
            timeout=timeout_s,
            headers={"Authorization": f"Bearer {api_key}"} if api_key else None,
            transport=transport,
            trust_env=not _is_loopback(base.host),  # no proxy leads to this machine itself
        )

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON at a path."""
        return self.repeated(lambda: self._ask("GET", path, params=params))

    def act(self, method: str, path: str) -> Any:
        """Have something done and return the JSON of the answer.

        It is asked for again when the server said that it has done nothing, and not when its answer was lost.
        """

        def ask() -> Any:
            try:
                return self._ask(method, path)
            except ServerUnreachable as lost:
                raise _Lost(lost) from None

        try:
            return self.repeated(ask)
        except _Lost as once:
            raise once.error from once.error.__cause__

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        with self.open(method, path, **request) as response:
            response.read()
            return response.json() if response.content else None

    @contextmanager
    def open(self, method: str, path: str, *, read_s: float | None = None, **request: Any) -> Iterator[httpx.Response]:
        """Make one request and yield its answer, whose body is still to be read.

        Raises:
            ServerUnreachable: There was no answer, or it broke off.
            TightshipError: The server refused; the class says why.
        """
        timeout = httpx.Timeout(self.timeout_s, read=read_s or self.timeout_s)
        try:
            with self._http.stream(method, path, timeout=timeout, **request) as response:
                if response.is_error or response.is_redirect:
                    raise _refusal(response)
                yield response
        except TightshipError:
            raise  # some are ValueErrors as well
        except (httpx.TransportError, httpx.StreamError) as fault:
            why = _ERRNO.sub("", str(fault)) or type(fault).__name__
            raise ServerUnreachable(f"{self.url} does not answer: {why}") from fault
        except (httpx.DecodingError, ValueError) as fault:
            raise TightshipError(f"{self.url} answered what is not understood: {fault}") from fault

    def repeated(self, ask: Callable[[], T]) -> T:
        """Return what `ask` returns, called again while a retry may help."""
        tries = 0
        while True:
            tries += 1
            try:
                return ask()
            except TightshipError as error:
                self.pause(error, tries)

    def pause(self, error: TightshipError, tries: int) -> None:
        """Wait until the next try; raise the error when there is none."""
        wait_s = self.retries.wait_s(error, tries, random.random())
        if wait_s is None:
            raise error
        self._sleep(wait_s)

    def close(self) -> None:
        """Close every connection."""
        self._http.close()


class _Lost(Exception):
    """No answer came, and asking again might do twice what was asked."""

    def __init__(self, error: ServerUnreachable) -> None:
        super().__init__(str(error))
        self.error = error


def _refusal(response: httpx.Response) -> TightshipError:
    """Return the error of an answer that is one; RFC 9457 tells of it where the server itself has answered."""
    problem = _problem(response)
    details: dict[str, Any] = {name: value for name, value in problem.items() if name not in _MEMBERS}
    after = response.headers.get("Retry-After", "")
    if after.isascii() and after.isdecimal():
        details.setdefault("retry_after_s", int(after))
    if "code" in problem:
        return from_dict({"code": problem["code"], "message": problem.get("detail", ""), "details": details})
    said = f"{response.url.copy_with(query=None)} answered {response.status_code} {response.reason_phrase}"
    if response.status_code in _AWAY:
        return ServerUnreachable(said, **details)
    return TightshipError(str(problem.get("detail") or said), status=response.status_code)


def _problem(response: httpx.Response) -> Mapping[str, Any]:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
    if kind not in ("application/problem+json", "application/json"):
        return {}
    body = b""
    for chunk in response.iter_bytes(4096):
        body += chunk
        if len(body) > _REFUSAL_BYTES:
            return {}
    try:
        problem = httpx.Response(200, content=body).json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
