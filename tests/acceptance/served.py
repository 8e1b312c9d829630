"""`tightship serve`, run as a process."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from .conftest import PROGRAM


@dataclass(frozen=True)
class Served:
    """A server that runs."""

    url: str
    process: subprocess.Popen[str]


@contextmanager
def serving(environment: Mapping[str, str], *arguments: str) -> Iterator[Served]:
    """Yield the server at a free port; it ends by SIGTERM, with code 0 and no complaint on stderr."""
    command = [*PROGRAM, "serve", "--port", "0", "--json", *arguments]
    with subprocess.Popen(
        command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            assert first, process.communicate(timeout=10)
            yield Served(json.loads(first)["address"], process)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=60)
            complaints = [line for line in err.splitlines() if " INFO " not in line]
            assert (process.returncode, out, complaints) == (0, "", [])
        finally:
            process.kill()
