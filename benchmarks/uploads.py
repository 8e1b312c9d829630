"""What a server's own process holds while many large uploads are in flight at once.

    python benchmarks/uploads.py [--uploads 20] [--mb 500] [--folder FOLDER]

The uploads come from another process and go on in step, so that all of them are under way from the first piece to the
last; every one is then finished and answered. FOLDER is where the server's home is made: a disk with room for all of
them. What is measured is the physical memory of the server's process alone, which neither decodes nor converts.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from gif import machine

#: Bytes that each upload sends between two meetings with the others.
STEP_BYTES = 4_000_000
#: What begins like a video, and never is one: the jobs fail at the look at their input.
START = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
BOUNDARY = "a-line-that-is-not-in-the-file"
LOOK_S = 0.05


@dataclass
class Seen:
    """The most that was seen."""

    rss_bytes: int = 0
    seats: int = 0
    sent_bytes: int = 0
    statuses: list[int] = field(default_factory=list)


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uploads", type=int, default=20)
    parser.add_argument("--mb", type=int, default=500)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    size_bytes = options.mb * 10**6
    with tempfile.TemporaryDirectory(dir=options.folder) as home:
        free_bytes = shutil.disk_usage(home).free
        if free_bytes < options.uploads * size_bytes * 1.2:
            raise SystemExit(f"{home} has only {free_bytes // 10**6} MB free")
        environment = {**os.environ, "TIGHTSHIP_HOME": home, "TIGHTSHIP_JOBS_MAX_PENDING": str(options.uploads)}
        command = [sys.executable, "-m", "tightship", "serve", "--port", "0", "--json"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                address = json.loads(server.stdout.readline())["address"]
                idle_bytes = _rss_bytes(server.pid)
                began_s = time.monotonic()
                seen = _measure(server.pid, address, options.uploads, size_bytes)
                took_s = time.monotonic() - began_s
            finally:
                server.terminate()
    print(f"{options.uploads} uploads of {options.mb} MB at a time; {machine()}\n")
    print("| | |\n|---|---|")
    print(f"| server's RSS before | {idle_bytes / 2**20:.1f} MiB |")
    print(f"| the most while they were in flight | {seen.rss_bytes / 2**20:.1f} MiB |")
    print(f"| seats at the same time | {seen.seats} |")
    print(f"| answered 202 | {seen.statuses.count(202)} of {len(seen.statuses)} |")
    print(f"| MB a second in all | {seen.sent_bytes / 1e6 / took_s:.0f} |")


def _measure(pid: int, address: str, uploads: int, size_bytes: int) -> Seen:
    """Send all uploads in step; look at the server from beginning to end."""
    seen, over = Seen(), threading.Event()
    with ThreadPoolExecutor(uploads + 1) as threads:
        watching = threads.submit(_watch, pid, address, seen, over)
        together = threading.Barrier(uploads)
        try:
            sent = [threads.submit(_upload, address, size_bytes, together) for _ in range(uploads)]
            seen.statuses = [each.result() for each in sent]
        finally:
            together.abort()
            over.set()
        watching.result()
    seen.sent_bytes = uploads * size_bytes
    return seen


def _watch(pid: int, address: str, seen: Seen, over: threading.Event) -> None:
    looks = 0
    while not over.wait(LOOK_S):
        seen.rss_bytes = max(seen.rss_bytes, _rss_bytes(pid))
        looks += 1
        if looks % 20 == 0:
            with urllib.request.urlopen(f"{address}/health/memory", timeout=60) as response:
                seen.seats = max(seen.seats, json.load(response)["seats"])


def _upload(address: str, size_bytes: int, together: threading.Barrier) -> int:
    """Send one upload; return the status that it is answered with."""
    host, port = address.removeprefix("http://").rsplit(":", 1)
    parts = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    head = f'{parts}"operation"\r\n\r\ninfo\r\n{parts}"file"; filename="x.mp4"\r\n\r\n'.encode() + START
    tail = f"\r\n--{BOUNDARY}--\r\n".encode()
    step = bytes(STEP_BYTES)
    with socket.create_connection((host, int(port)), timeout=300) as connection:
        connection.sendall(
            f"POST /v1/jobs HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
            f"Content-Length: {len(head) + size_bytes + len(tail)}\r\n\r\n".encode()
            + head
        )
        for at in range(0, size_bytes, STEP_BYTES):
            together.wait(300)
            connection.sendall(step[: size_bytes - at])
        together.wait(300)
        connection.sendall(tail)
        return int(connection.recv(65536).split()[1])


def _rss_bytes(pid: int) -> int:
    return int(psutil.Process(pid).memory_info().rss)


if __name__ == "__main__":
    main()
