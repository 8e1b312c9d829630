"""A result, fetched whole or not at all, however often the connection breaks."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

import httpx

from tightship.client.connection import Connection
from tightship.errors import DiskFull, OutputUnwritable, ServerUnreachable, TightshipError

_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


def download(connection: Connection, path: str, destination: Path) -> None:
    """Fetch what is at `path` into a file beside `destination`, and rename it when all of it is there.

    Raises:
        OutputUnwritable: The destination cannot be written.
        DiskFull: It does not fit.
    """
    try:
        with _open_part(destination) as part:
            _fetch(connection, path, part)
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).replace(destination)
    except OSError as fault:
        if fault.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"{destination}: the disk is full") from fault
        raise OutputUnwritable(f"{destination} cannot be written: {fault.strerror or fault}") from fault


@contextmanager
def _open_part(destination: Path) -> Iterator[IO[bytes]]:
    """Yield a new file beside `destination`, which is gone after the block unless it was renamed."""
    with NamedTemporaryFile(dir=destination.parent, prefix=f".{destination.name}.", delete=False) as part:
        try:
            # What is downloaded gets the rights of any new file, not those of a secret.
            os.fchmod(part.fileno(), 0o666 & ~_umask())
            yield part
        finally:
            Path(part.name).unlink(missing_ok=True)


def _umask() -> int:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("Umask:"):
            return int(line.split()[1], 8)
    return 0o077


def _fetch(connection: Connection, path: str, part: IO[bytes]) -> None:
    tries = 0
    version: str | None = None
    while True:
        have = part.tell()
        wanted = {"Range": f"bytes={have}-", "If-Range": version} if have and version else {}
        try:
            with connection.open("GET", path, headers={"Accept-Encoding": "identity", **wanted}) as response:
                version = response.headers.get("ETag")
                _go_on(response, part, have)
                for chunk in response.iter_raw():
                    part.write(chunk)
                _check_length(response, part.tell())
                return
        except TightshipError as error:
            # Whatever came in is a step ahead: only tries that bring nothing are counted.
            tries = 1 if part.tell() > have else tries + 1
            connection.pause(error, tries)


def _go_on(response: httpx.Response, part: IO[bytes], have: int) -> None:
    """Go to where the answer begins: what is there already, or nothing when the server sends the whole again."""
    if response.status_code != httpx.codes.PARTIAL_CONTENT:
        part.seek(0)
        part.truncate()
        return
    told = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if told is None or int(told[1]) != have:
        raise TightshipError("the server sent another part of the result than was asked for")


def _check_length(response: httpx.Response, size_bytes: int) -> None:
    told = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    total = told[2] if told else response.headers.get("Content-Length", "*")
    if total.isdecimal() and int(total) != size_bytes:
        raise ServerUnreachable(f"the result broke off after {size_bytes} of {total} bytes")
