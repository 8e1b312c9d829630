"""Operations of a worker that has been taken over: it does what it can to the process it works for."""

from __future__ import annotations

import json
import os
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tightship.core.attempt import Attempt

#: Descriptor of the channel to the parent.
_CHANNEL_FD = 3


def run(attempt: Attempt, options: dict[str, Any]) -> Any:
    """Do what `options["deed"]` names."""
    return globals()[f"_{options['deed']}"](attempt, options)


@contextmanager
def open_session(key: str) -> Iterator[None]:
    """Open no session."""
    raise RuntimeError(f"there is no model {key}")
    yield


def _nothing(attempt: Attempt, options: dict[str, Any]) -> Any:
    return {"pid": os.getpid()}


def _sleep(attempt: Attempt, options: dict[str, Any]) -> Any:
    attempt.checkpoint(1, None, "s")
    time.sleep(options["for_s"])
    return {}


def _give(attempt: Attempt, options: dict[str, Any]) -> Any:
    """Give a result that is none."""
    endless: dict[str, Any] = {}
    endless["self"] = endless
    results = {
        "nan": {"x": float("nan")},
        "bytes": {"x": b"x"},
        "lock": {"x": threading.Lock()},
        "tuple key": {(1, 2): 3},
        "endless": endless,
        "list": [1],
        "none": None,
    }
    return results[options["what"]] if options["what"] in results else {"x": "y" * (33 * 2**20)}


def _swap_folder(attempt: Attempt, options: dict[str, Any]) -> Any:
    """Put a link to somebody else's folder in the place of its own, and name a file there as the result."""
    attempt.scratch.rename(attempt.scratch.with_name("moved"))
    attempt.scratch.symlink_to(options["folder"])
    return {"output": options["name"]}


def _forge_log(attempt: Attempt, options: dict[str, Any]) -> Any:
    """Put something else in the place of the log, and die."""
    log = attempt.scratch.parent / "worker.log"
    log.unlink()
    if "link_to" in options:
        log.symlink_to(options["link_to"])
    else:
        os.mkfifo(log)
    os._exit(3)


def _dig(attempt: Attempt, options: dict[str, Any]) -> Any:
    """Make a tree deeper than recursion, paths and descriptors go."""
    os.chdir(attempt.scratch)
    for _ in range(3000):
        Path("d").mkdir()
        os.chdir("d")
    Path("file").write_text("x")
    os.chdir(os.environ["HOME"])
    return {}


def _say(attempt: Attempt, options: dict[str, Any]) -> Any:
    """Send a message of its own making, then hang or leave."""
    body = json.dumps(options["message"]).encode()
    os.write(_CHANNEL_FD, struct.pack("!I", len(body)) + body)
    time.sleep(options["for_s"])
    os._exit(3)


def _talk_at_once(attempt: Attempt, options: dict[str, Any]) -> Any:
    """Report from four threads at a time, each report larger than the socket holds."""

    def talk() -> None:
        for _ in range(10):
            attempt.partial({"x": "y" * 300_000})

    threads = [threading.Thread(target=talk) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {}


def _report_nonsense(attempt: Attempt, options: dict[str, Any]) -> Any:
    for done in (float("nan"), float("inf"), 1.0):
        attempt.checkpoint(done, float("inf"), "s")
    return {}
