"""Handlers of Flask on its threaded server: to be watched from outside, by `tightship leaks url`.

Start it with `python -m tightship.leaks.cases.flask 8018`, then ask for `/by_thread`, or any other function here.
Suspected: `threading.local`. True: it goes with its thread; a dict with the thread's name as key does not.
Cure: `threading.local`, or `flask.g`, which goes with the request.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

#: Packages that must be installed, by what is imported.
NEEDS = {"flask": "flask", "werkzeug": "werkzeug"}
#: Size of what a thread keeps at hand.
BUFFER_BYTES = 20_000

_local = threading.local()
_buffers: dict[str, bytearray] = {}


def clean() -> dict[str, Any]:
    """The handler does its work and keeps nothing."""
    return {"squares": [number * number for number in range(200)]}


def by_thread() -> dict[str, Any]:
    """A buffer for each thread is kept in a dict by the thread's name; the server has a new thread for each request."""
    buffer = _buffers.setdefault(threading.current_thread().name, bytearray(BUFFER_BYTES))
    return {"bytes": len(buffer)}


def by_thread_cured() -> dict[str, Any]:
    """The buffer is kept in `threading.local`."""
    if not hasattr(_local, "buffer"):
        _local.buffer = bytearray(BUFFER_BYTES)
    return {"bytes": len(_local.buffer)}


def serve(port: int) -> None:
    """Answer on this machine only, until the process is ended."""
    import logging

    from flask import Flask

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = Flask(__name__)
    for handler in (clean, by_thread, by_thread_cured):
        app.add_url_rule(f"/{handler.__name__}", handler.__name__, handler)
    app.run("127.0.0.1", port, threaded=True)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
