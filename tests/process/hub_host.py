"""As much of the model hub as its client asks for, on loopback: files of one repository, and ways to fail."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath

REPOSITORY = "owner/whisper-nano"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """What is served, and what happened.

    Args:
        files: Content by name.
        cut_after: Bytes of the weights after which their connection is cut, once.
        damaged: Files of which other bytes are sent than their checksums promise.
        refusal: Status and error code that every question is answered with.
        gate: Held open while the weights may be sent to their end.
    """

    files: dict[str, bytes]
    cut_after: int | None = None
    damaged: set[str] = field(default_factory=set)
    refusal: tuple[int, str] | None = None
    gate: threading.Event = field(default_factory=threading.Event)
    ranges: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, hub: Hub, *args: object) -> None:
        self._hub = hub
        super().__init__(*args)  # type: ignore[arg-type]

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        path, hub = self.path.partition("?")[0], self._hub
        if hub.refusal is not None:
            status, code = hub.refusal
            self._send(status, b"{}", {"X-Error-Code": code, "X-Error-Message": "no"})
        elif path.startswith(f"/api/models/{REPOSITORY}/revision/"):
            self._send_json({"id": REPOSITORY, "sha": COMMIT, "siblings": [], "private": False, "tags": []})
        elif path.startswith(f"/api/models/{REPOSITORY}/tree/"):
            self._send_json([_entry(name, content) for name, content in hub.files.items()])
        elif path.startswith(f"/{REPOSITORY}/resolve/{COMMIT}/"):
            self._send_file(PurePosixPath(path).name)
        else:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def _send_json(self, told: object) -> None:
        self._send(200, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_file(self, name: str) -> None:
        hub = self._hub
        if name not in hub.files:
            self._send(404, b"{}", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
            return
        content = hub.files[name]
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{_checksum(name, content)}"', "Accept-Ranges": "bytes"}
        if name in hub.damaged:
            content = content[:-1] + bytes([content[-1] ^ 1])
        if self.command == "HEAD":
            self._send(200, content, headers)
            return
        hub.sent.append(name)
        begin = 0
        if wanted := self.headers.get("Range"):
            hub.ranges.append(wanted)
            begin = int(wanted.removeprefix("bytes=").partition("-")[0])
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        if name == "model.bin":
            self._send_weights(206 if begin else 200, content[begin:], headers)
        else:
            self._send(206 if begin else 200, content[begin:], headers)

    def _send_weights(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        cut, self._hub.cut_after = self._hub.cut_after, None
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        half = len(body) // 2 if cut is None else cut
        self.wfile.write(body[:half])
        self.wfile.flush()
        if cut is not None:
            self.close_connection = True
            return
        if self._hub.gate.wait(60.0):
            self.wfile.write(body[half:])


def _checksum(name: str, content: bytes) -> str:
    if name == "model.bin":
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _entry(name: str, content: bytes) -> dict[str, object]:
    checksum = _checksum(name, content)
    told: dict[str, object] = {"type": "file", "path": name, "size": len(content), "oid": checksum}
    if name == "model.bin":
        told["lfs"] = {"oid": checksum, "size": len(content), "pointerSize": 130}
    return told


@contextmanager
def open_hub(files: dict[str, bytes]) -> Iterator[Hub]:
    """Serve a repository on loopback."""
    hub = Hub(files)
    hub.gate.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, hub))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()
