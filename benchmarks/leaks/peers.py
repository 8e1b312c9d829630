"""Run other leak tests on the same corpus, side by side: `python -m benchmarks.leaks.peers [--kind KIND]`.

The tools live in an environment of their own: some are plugins that every pytest run beside them would load.
"cannot" counts leaks of a kind that the tool does not look at and that it was silent about; what it found by a side
effect counts as right. "failed" is a crash or the time limit.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import venv
from collections import Counter
from pathlib import Path
from statistics import median

from benchmarks.leaks import interpreter
from benchmarks.leaks.corpus import GROWING, Case, chosen
from benchmarks.leaks.run import scored
from benchmarks.leaks.score import Outcome

PACKAGES = (
    "psutil==7.2.2", "pytest==9.2.0", "psleak==0.1.6", "pytest-memray==1.11.0", "leak-assert==0.1.0",
    "python-leak-hunter==0.1.1",
)  # fmt: skip
ENVIRONMENT = interpreter.REPOSITORY / ".cache" / "peers"
MEMORY = {"python_blocks", "native_heap", "rss", "asyncio_tasks"}
#: What each tool looks at, in our metrics. Tasks of asyncio are seen as the memory they hold.
SEES = {
    "psleak": MEMORY | {"fds", "sockets", "threads"},
    "pytest-memray": MEMORY,
    "leak-assert": {"python_blocks", "asyncio_tasks"},
    "python-leak-hunter": {"python_blocks", "asyncio_tasks"},
    "regrtest": {"python_blocks", "asyncio_tasks", "fds", "sockets"},
}
#: Seconds that a tool may take for one case.
LIMIT_S = 60.0
COLUMNS = (Outcome.RIGHT, Outcome.FALSE_POSITIVE, Outcome.MISSED, Outcome.CANNOT, Outcome.UNDECIDED, Outcome.FAILED)


def environment() -> Path:
    """Return the Python of the tools' environment, made if it is not there."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        venv.create(ENVIRONMENT, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return python


def said(python: Path, tool: str, case: Case, seed: int) -> tuple[Outcome, float]:
    """Run one tool on one case and score it."""
    variables = {"PYTHONPATH": str(interpreter.REPOSITORY / "src"), "PYTHONUNBUFFERED": "1"}
    if tool == "psleak":
        # As its documentation recommends.
        variables["PYTHONMALLOC"] = "malloc"
    ended = interpreter.run(
        [str(python), "-W", "ignore", "-m", "benchmarks.leaks.peer", tool, case.name, str(seed)],
        limit_s=LIMIT_S,
        variables=variables,
    )
    if ended.status != 0:
        return Outcome.FAILED, ended.seconds
    leak = json.loads(ended.output.strip().splitlines()[-1])["leak"]
    if case.expect is not GROWING:
        return (Outcome.FALSE_POSITIVE if leak else Outcome.RIGHT), ended.seconds
    if leak:
        return Outcome.RIGHT, ended.seconds
    return (Outcome.MISSED if SEES[tool] & set(case.metrics) else Outcome.CANNOT), ended.seconds


def main() -> None:
    """Run every tool on every case asked for and print the table and what each got wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="cases; all if none is named")
    parser.add_argument("--kind", action="append", default=[], help="cases of this kind")
    parser.add_argument("--tool", action="append", choices=["tightship", *SEES], help="only these tools")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--python", type=Path, help="of an environment that has the tools")
    asked = parser.parse_args()
    python, cases = asked.python or environment(), list(chosen(asked.names, asked.kind))
    started, lines, wrong = time.perf_counter(), [], []
    for tool in asked.tool or ["tightship", *SEES]:
        outcomes: dict[str, tuple[Outcome, float]] = {}
        for case in cases:
            if tool == "tightship":
                score = scored(case, asked.seed)
                outcomes[case.name] = score.outcome, score.seconds
            else:
                outcomes[case.name] = said(python, tool, case, asked.seed)
            print(f"{tool}, {case.name}: {outcomes[case.name][0]}", file=sys.stderr, flush=True)
        counts, seconds = Counter(found for found, _ in outcomes.values()), [taken for _, taken in outcomes.values()]
        cells = [str(counts[column]) for column in COLUMNS]
        lines.append(f"| {tool} | {' | '.join(cells)} | {median(seconds):.1f} | {max(seconds):.1f} |")
        for column in COLUMNS[1:3]:
            names = [name for name, (found, _) in outcomes.items() if found is column]
            wrong.append(f"- {tool}, {column}: {', '.join(names) or 'none'}")
    print(
        f"{interpreter.machine()}; {len(cases)} cases, {time.perf_counter() - started:.0f} s; {', '.join(PACKAGES)}\n"
    )
    print(f"| tool | {' | '.join(COLUMNS)} | s median | s max |\n{'|---' * (len(COLUMNS) + 3)}|")
    print("\n".join([*lines, "", *wrong]))


if __name__ == "__main__":
    main()
