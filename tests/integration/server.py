"""A real server in a process of its own: store, slots, HTTP."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from tightship.http.config import HttpConfig
from tightship.http.server import serve
from tightship.service import ServiceConfig
home, port, *keys = sys.argv[1:]
http = HttpConfig(port=int(port), api_keys=tuple(keys), drain_s=1.0)
sys.exit(serve(ServiceConfig(home=Path(home), drain_s=0.5), http, on_ready=lambda url: print(url, flush=True)))
"""
#: Seconds that the server gets to stop by itself.
STOP_S = 20.0


@contextmanager
def running_server(home: Path, *keys: str, port: int = 0) -> Iterator[str]:
    """Yield the address of a server that keeps its state in `home` and asks for one of `keys`, if there are any."""
    command = [sys.executable, "-c", PROGRAM, str(home), str(port), *keys]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url.startswith("http://"), f"the server did not start: exit status {process.wait(STOP_S)}"
            yield url
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
