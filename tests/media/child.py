"""Run operations on one file in a process of their own, and print what came of each as a line of JSON."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
#: Seconds after which a child hangs; how long one that works may take is told by its CPU time.
HANGS_S = 250.0
#: Options of each operation: short, as a hostile file is not worth more.
OPTIONS: dict[str, dict[str, Any]] = {
    "info": {},
    "gif": {"width": 320},
    "clip": {"start_s": 0.2, "end_s": 2.5},
    "clip exact": {"start_s": 0.2, "end_s": 2.5, "exact": True, "container": "mp4"},
}


def outcomes(path: Path, names: list[str]) -> dict[str, dict[str, Any]]:
    """Return, by operation, `error` or `result` with `cpu_s` and `peak_bytes`.

    Raises:
        subprocess.TimeoutExpired: The child hangs.
        subprocess.CalledProcessError: The child crashed.
    """
    command = [sys.executable, "-W", "error", "-m", "tests.media.child", str(path), *names]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=HANGS_S, check=True)
    return {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}


def _outcome(name: str, path: Path) -> dict[str, Any]:
    from tightship.errors import TightshipError
    from tightship.testing import FakeAttempt

    operation = import_module(f"tightship.operations.{name.split()[0]}")
    Path("/proc/self/clear_refs").write_text("5")
    started_s = time.process_time()
    line: dict[str, Any] = {"name": name, "error": None, "result": None}
    with tempfile.TemporaryDirectory() as scratch, FakeAttempt(path, scratch) as attempt:
        try:
            line["result"] = operation.run(attempt, OPTIONS[name])
        except TightshipError as error:
            line["error"] = error.to_dict()
        line["left"] = sorted(entry.name for entry in Path(scratch).iterdir())
        line["warnings"] = attempt.warnings
    line["cpu_s"] = round(time.process_time() - started_s, 3)
    status = Path("/proc/self/status").read_text()
    line["peak_bytes"] = int(status.split("VmHWM:")[1].split()[0]) * 1024
    return line


def main(path: Path, names: list[str]) -> None:
    """Print one line for each operation."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name in names:
        print(json.dumps(_outcome(name, path), allow_nan=False), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
