"""Handlers of FastAPI under uvicorn: a server to be watched from outside, by `tightship leaks url`.

Start it with `python -m tightship.leaks.cases.fastapi 8017`, then ask for `/seen`, or any other function here.
Suspected: the server. True: it is level; what a handler adds to a global stays, and a pool for each request is ended by
Python itself when it is dropped.
Cure: a bound on whatever outlives the request.
"""

from __future__ import annotations

import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

#: Packages that must be installed, by what is imported.
NEEDS = {"fastapi": "fastapi", "uvicorn": "uvicorn"}
#: How a request is remembered: as much as a line of a log.
LINE_CHARS = 4000

_seen: list[str] = []
_latest: deque[str] = deque(maxlen=20)
_errors: list[Exception] = []
_pool = ThreadPoolExecutor(2)


async def clean() -> dict[str, Any]:
    """The handler does its work and keeps nothing."""
    return {"squares": [number * number for number in range(200)]}


async def seen() -> dict[str, Any]:
    """Each request is added to a global list."""
    _seen.append(f"request {len(_seen)}".ljust(LINE_CHARS))
    return {"seen": len(_seen)}


async def seen_cured() -> dict[str, Any]:
    """The list is a deque with a bound."""
    _latest.append("request".ljust(LINE_CHARS))
    return {"seen": len(_latest)}


def error_kept() -> dict[str, Any]:
    """The work fails, and the error is kept; its traceback holds what the work had in its hands."""
    try:
        _fail()
    except ValueError as error:
        _errors.append(error)
    return {"errors": len(_errors)}


def error_kept_cured() -> dict[str, Any]:
    """The error is answered and dropped."""
    with suppress(ValueError):
        _fail()
    return {"errors": 0}


def pool_dropped() -> dict[str, Any]:
    """A thread pool is made for each request and never shut down."""
    return {"sum": ThreadPoolExecutor(2).submit(sum, range(100)).result()}


def pool_dropped_cured() -> dict[str, Any]:
    """One pool serves all requests."""
    return {"sum": _pool.submit(sum, range(100)).result()}


def _fail() -> None:
    upload = bytearray(20_000)
    raise ValueError(len(upload))


def serve(port: int) -> None:
    """Answer on this machine only, until the process is ended."""
    import fastapi
    import uvicorn

    app = fastapi.FastAPI()
    for handler in (clean, seen, seen_cured, error_kept, error_kept_cured, pool_dropped, pool_dropped_cured):
        app.add_api_route(f"/{handler.__name__}", handler)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    serve(int(sys.argv[1]))
