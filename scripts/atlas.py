"""Run the cases of `tightship.leaks.cases` and write docs/leaks/atlas.md: `python scripts/atlas.py`, or `make atlas`.

Each case runs in a fresh process through the command line, as anybody can run it. What came out is kept below
`.cache/atlas`, so that `python scripts/atlas.py pyav` runs these cases again and takes the others from there, and
`--write-only` runs none.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import platform
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from tightship.leaks.metric import METRICS
from tightship.leaks.output.figure import quantity

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / ".cache" / "atlas" / "results"
PAGE = REPOSITORY / "docs" / "leaks" / "atlas.md"
PACKAGE = "tightship.leaks.cases"
#: The suspects in the order of the page.
MODULES = (
    "queue", "pyav", "http", "elementtree", "observer", "segments", "pipes", "moviepy", "mediapipe", "whisper",
    "opencv", "fastapi", "flask", "celery",
)  # fmt: skip
CURED = "_cured"
#: Longest time for the steps of a case, what a case may take in all, and what a server may take to start, in seconds.
BUDGET, CASE_S, START_S = "15 s", 300.0, 30.0
#: Native memory a step that waits for the garbage collector and is worth naming in the table.
DEAR_BYTES = 100_000
#: Exit codes that come with a report.
JUDGED = (0, 1, 4)
#: Where a path begins to mean the same on every machine.
_SHARED = re.compile(r"^.*?/(?:site-packages|src|lib/python3\.\d+)/")
HEAD = """# The atlas of leaks

What people suspect of leaking, and what a trial says. Each case is a function that anyone can run, in
[`src/tightship/leaks/cases`](../../src/tightship/leaks/cases); this page is written by `make atlas` from real runs.

{measured}.

*Growing*, *steady* and *undecided* are verdicts as in [Test for leaks](../howto/leaks.md#read-a-verdict). *gc only* is
released, but only by the garbage collector; small reference cycles are told in the entries alone.
"""


@dataclass(frozen=True)
class Case:
    """A function of a module of cases."""

    module: ModuleType
    name: str

    @property
    def suspect(self) -> str:
        """The module's own name."""
        return self.module.__name__.rpartition(".")[2]

    @property
    def told(self) -> str:
        """What it does, from its docstring."""
        return " ".join((getattr(self.module, self.name).__doc__ or "").split())

    @property
    def is_served(self) -> bool:
        """Whether it is a handler of a server, to be asked from outside."""
        return hasattr(self.module, "serve")

    @property
    def budget(self) -> str:
        """Longest time for its steps."""
        return getattr(self.module, "BUDGET", BUDGET)

    def command(self, port: int = 8017) -> list[str]:
        """Return the words after `tightship leaks` that run it."""
        what = ["url", f"http://127.0.0.1:{port}/{self.name}"]
        return what if self.is_served else ["run", f"{self.module.__name__}:{self.name}"]

    @cached_property
    def missing(self) -> list[str]:
        """The packages that it needs and that are not installed."""
        return [package for name, package in self.module.NEEDS.items() if find_spec(name) is None]

    @property
    def result(self) -> Path:
        """Where its report is kept."""
        return RESULTS / f"{self.suspect}.{self.name}.json"


def cases(module: ModuleType) -> list[Case]:
    """Return the cases of a module, in its order."""
    functions = [
        name for name, found in vars(module).items()
        if getattr(found, "__module__", None) == module.__name__ and callable(found) and not isinstance(found, type)
    ]  # fmt: skip
    return [Case(module, name) for name in functions if not name.startswith("_") and name != "serve"]


def run(case: Case) -> dict[str, Any]:
    """Run one case in a fresh process and return its report, with what was needed to make it."""
    if case.missing:
        return {"missing": case.missing}
    port = _free_port()
    command = [sys.executable, "-m", "tightship", "leaks", *case.command(port), "--budget", case.budget, "--json"]
    with _serving(case, port) if case.is_served else nullcontext():
        done = subprocess.run(command, capture_output=True, text=True, timeout=CASE_S, cwd="/", check=False)
    if done.returncode not in JUDGED:
        return {"failed": f"exit code {done.returncode}: {done.stdout[-400:]} {done.stderr[-400:]}"}
    return {"report": json.loads(done.stdout), "versions": _versions(case.module)}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def _serving(case: Case, port: int) -> Iterator[None]:
    """Have the server of a case answer during the block."""
    command = [sys.executable, "-m", case.module.__name__, str(port)]
    with subprocess.Popen(command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            until_s = time.monotonic() + START_S
            while time.monotonic() < until_s and server.poll() is None:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield
        finally:
            server.kill()


def _versions(module: ModuleType) -> str:
    """Name what was measured: packages and their versions."""
    distributions = packages_distributions()
    names = sorted({name for needed in module.NEEDS for name in distributions.get(needed, ())})
    return ", ".join(f"{name} {version(name)}" for name in names) or f"Python {platform.python_version()}"


def page(modules: list[ModuleType]) -> str:
    """Return the whole page from the reports that are kept."""
    rows, sections, dates = [], [], []
    for module in modules:
        found = {case.name: json.loads(case.result.read_text()) for case in cases(module) if case.result.exists()}
        dates += [case.result.stat().st_mtime for case in cases(module) if case.result.exists()]
        rows += [_row(case, found) for case in cases(module) if not case.name.endswith(CURED)]
        sections.append(_section(module, found))
    day = datetime.datetime.fromtimestamp(max(dates, default=0), datetime.UTC).date()
    measured = f"Measured on {day}; {_machine()}; at most {BUDGET} of\nsteps a case where its command says nothing else"
    titles = ("suspect", "what is done", "measured with", "verdict", "grows, a step", "with the cure")
    head = f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}"
    return "\n".join([HEAD.format(measured=measured), head, *rows, "", *sections])


def _machine() -> str:
    names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()) or [platform.machine()]
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{names[0]}, {os.cpu_count()} cores, {system}"


def _row(case: Case, found: dict[str, Any]) -> str:
    cured = found.get(case.name + CURED)
    entry = found.get(case.name, {})
    anchor = f"[{case.suspect}](#{case.suspect})"
    grows = "; ".join(_amount(series) for series in _growing(entry))
    cells = (anchor, case.told, entry.get("versions", ""), _verdict(entry), grows, _verdict(cured) if cured else "")
    return f"| {' | '.join(cells)} |"


def _section(module: ModuleType, found: dict[str, Any]) -> str:
    first, _, rest = (module.__doc__ or "").partition("\n\n")
    name = module.__name__.rpartition(".")[2]
    parts = [f"## {name}", first.strip(), rest.strip().replace("\nCure", "\n\nCure")]
    versions = next((entry["versions"] for entry in found.values() if "versions" in entry), None)
    parts += [f"Measured with {versions}."] if versions else []
    parts += [_entry(case, found.get(case.name, {})) for case in cases(module)]
    return "\n\n".join(parts) + "\n"


def _entry(case: Case, entry: dict[str, Any]) -> str:
    command = shlex.join(["tightship", "leaks", *case.command()])
    command += f' --budget "{case.budget}"' if case.budget != BUDGET else ""
    lines = [f"### {case.name}", "", case.told, "", f"`{command}`", ""]
    if "report" not in entry:
        return "\n".join([*lines, f"{_verdict(entry)}."])
    report = entry["report"]
    lines += [f"**{_verdict(entry)}** after {report['steps']:,} steps in {report['seconds']:.1f} s.", ""]
    for series in _growing(entry):
        lines.append(f"- {METRICS[series['metric']].title}: {_rate(series)}")
        lines += [f"  - {place}" for place in _places(series)]
    by_gc = [finding["message"] for finding in report["findings"] if finding["code"] == "gc_only"]
    told = [f"{METRICS[s['metric']].title}, {s['verdict']}: {s['reason']}" for s in report["series"] if _is_doubtful(s)]
    return "\n".join([*lines, *(f"- {message}" for message in (*by_gc, *told))]).rstrip()


def _is_doubtful(series: dict[str, Any]) -> bool:
    """Tell a series whose reason must be read: it is undecided, or it rises and is called steady all the same."""
    rises = (series["interval"][0] or 0.0) > METRICS[series["metric"]].floor
    return series["verdict"] == "undecided" or (series["verdict"] == "steady" and rises)


def _verdict(entry: dict[str, Any]) -> str:
    if "missing" in entry:
        return f"not measured here: needs {', '.join(entry['missing'])}"
    if "report" not in entry:
        return "not measured here: the case failed" if "failed" in entry else "not measured here"
    by_gc = [METRICS[f["metric"]].title for f in entry["report"]["findings"] if f["code"] == "gc_only" and _is_dear(f)]
    told = f"; gc only: {', '.join(by_gc)}" if by_gc else ""
    return f"{entry['report']['verdict']}{told}"


def _is_dear(finding: dict[str, Any]) -> bool:
    """Tell what hurts while it waits for the garbage collector from the small cycles that every program makes."""
    return finding["metric"] not in ("python_blocks", "native_heap") or _figure(finding) >= DEAR_BYTES


def _figure(finding: dict[str, Any]) -> float:
    found = re.search(r": ([\d.e+]+) bytes", finding["message"])
    return float(found[1]) if found else 0.0


def _growing(entry: dict[str, Any]) -> list[dict[str, Any]]:
    series = entry.get("report", {}).get("series", [])
    return [each for each in series if each["verdict"] == "growing"]


def _amount(series: dict[str, Any]) -> str:
    """Say by how much a series grows; of memory, whose."""
    amount = quantity(series["slope"], series["unit"])
    return f"{amount} {METRICS[series['metric']].title}" if series["unit"] == "bytes" else amount


def _rate(series: dict[str, Any]) -> str:
    unit = series["unit"]
    told = f"{quantity(series['slope'], unit)} a step"
    low, high = series["interval"]
    known = low is not None and high is not None
    return f"{told} ({quantity(low, unit)} to {quantity(high, unit)})" if known else told


def _places(series: dict[str, Any]) -> list[str]:
    """Return the first places that something comes from, named without this machine's folders."""
    told = []
    for origin in series["where"][:2]:
        place = f"`{_SHARED.sub('', origin['file'])}:{origin['line']}`, " if origin["file"] else ""
        what = re.sub(r"/\S*/", "", origin["what"])
        held = f", held by {_SHARED.sub('', ', by '.join(origin['holders'][:3]))}" if origin["holders"] else ""
        told.append(f"from {place}{what[:120]}{held}")
    return told


def main() -> None:
    """Run the cases that are named, or all, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="MODULE[:CASE]", help="run these only")
    parser.add_argument("--write-only", action="store_true", help="run none, write the page from what is kept")
    given = parser.parse_args()
    modules = [importlib.import_module(f"{PACKAGE}.{name}") for name in MODULES]
    RESULTS.mkdir(parents=True, exist_ok=True)
    for case in (case for module in modules for case in cases(module)):
        chosen = not given.names or case.suspect in given.names or f"{case.suspect}:{case.name}" in given.names
        if given.write_only or not chosen:
            continue
        entry = run(case)
        case.result.write_text(json.dumps(entry), encoding="utf-8")
        print(f"{case.suspect}:{case.name}: {_verdict(entry)} {entry.get('failed', '')}", flush=True)
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(modules), encoding="utf-8")
    print(f"written: {PAGE.relative_to(REPOSITORY)}")


if __name__ == "__main__":
    main()
