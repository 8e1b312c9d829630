"""Run the test-suites of well-known packages as leak trials: `python benchmarks/suites.py attrs click`.

Each package is downloaded from PyPI as its source, installed with what its tests need and with tightship into a virtual
environment of its own below `.cache/suites`, and a sample of its tests is run under `--leaks`. Each GROWING is a false
alarm until somebody has found the leak: run the test in a plain loop, and count blocks. Printed are the figures, and
each test that grows; it is in full in `.cache/suites/NAME/output.txt`.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tarfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
CACHE = REPOSITORY / ".cache" / "suites"
#: Longest time for the trial of one test, for one suite, and for a download or an installation, in seconds.
BUDGET_S, SUITE_S, INSTALL_S = 2.0, 1800.0, 600.0
#: Tests of each suite; a suite of thousands would take hours.
TESTS = 100
#: What is left out in each: pytest's own counts, which the trial repeats, are not the suite's.
WORDS = ("-p", "no:cacheprovider", "--no-header", "-q")


@dataclass(frozen=True)
class Suite:
    """A package whose tests are run.

    Args:
        source: Name and version on PyPI.
        needs: What its tests import, from its own list.
        extras: Of the package itself that they need.
        words: For pytest.
    """

    source: str
    needs: tuple[str, ...] = ()
    extras: str = ""
    words: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where its source lies."""
        return CACHE / self.source.replace("==", "-")


SUITES = {
    "attrs": Suite("attrs==26.1.0", ("hypothesis", "cloudpickle", "pympler", "pytest-xdist")),
    "click": Suite("click==8.5.1"),
    "httpx": Suite(
        "httpx==0.28.1",
        ("chardet", "trio", "trustme", "uvicorn", "cryptography"),
        "[brotli,cli,http2,socks,zstd]",
        ("-W", "ignore::DeprecationWarning"),
    ),
    "itsdangerous": Suite("itsdangerous==2.2.0", ("freezegun",)),
}


def prepare(suite: Suite) -> Path:
    """Download and install a package with its tests' needs, once; return its Python."""
    python = suite.folder.with_name(f"{suite.folder.name}-venv") / "bin" / "python"
    stamp = python.parent / "ready"
    if stamp.exists():
        return python
    CACHE.mkdir(parents=True, exist_ok=True)
    name = suite.source.partition("==")[0]
    fetch = ["download", "--quiet", "--no-deps", "--no-binary", name, "--dest", str(CACHE), suite.source]
    _call([sys.executable, "-m", "pip", *fetch])
    with tarfile.open(suite.folder.with_name(f"{suite.folder.name}.tar.gz")) as archive:
        archive.extractall(CACHE, filter="data")
    _call([sys.executable, "-m", "venv", "--clear", str(python.parents[1])])
    _call(
        [str(python), "-m", "pip", "install", "--quiet", "pytest>=8.3", *suite.needs, f"{suite.folder}{suite.extras}"]
    )
    _call([str(python), "-m", "pip", "install", "--quiet", "--editable", str(REPOSITORY)])
    stamp.touch()
    return python


def _call(command: list[str]) -> None:
    subprocess.run(command, check=True, timeout=INSTALL_S, stdout=subprocess.DEVNULL)


def sample(suite: Suite, python: Path, count: int, seed: int) -> list[str]:
    """Return the names of tests drawn from the suite, in its order."""
    command = [str(python), "-m", "pytest", *WORDS, *suite.words, "--collect-only"]
    done = subprocess.run(command, cwd=suite.folder, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    names = [line for line in done.stdout.splitlines() if "::" in line and not line.startswith(("ERROR", "FAILED"))]
    drawn = set(random.Random(seed).sample(range(len(names)), min(count, len(names))))
    return [name for index, name in enumerate(names) if index in drawn]


def run(suite: Suite, python: Path, tests: list[str], budget_s: float) -> tuple[ET.Element, float]:
    """Run tests as trials; return pytest's report and the seconds they took."""
    chosen, report = suite.folder / "chosen.txt", suite.folder / "report.xml"
    chosen.write_text("\n".join(tests) + "\n", encoding="utf-8")
    report.unlink(missing_ok=True)
    words = [*WORDS, *suite.words, "--leaks", f"--leaks-budget={budget_s:g} s", f"--junitxml={report}", f"@{chosen}"]
    began_s = time.monotonic()
    with (suite.folder / "output.txt").open("w") as output:
        command = [str(python), "-m", "pytest", *words]
        subprocess.run(command, cwd=suite.folder, stdout=output, stderr=output, timeout=SUITE_S, check=False)
    return ET.parse(report).getroot(), time.monotonic() - began_s


def outcome(case: ET.Element) -> str:
    """Return what came of one test: a verdict, or why there was no trial."""
    verdict = next((each.get("value") for each in case.iter("property") if each.get("name") == "leaks"), None)
    if verdict is not None:
        return str(verdict)
    failure = case.find("failure")
    if failure is not None:
        repeated = "It passed once" in (failure.text or "") + failure.get("message", "")
        return "not repeatable" if repeated else "failed"
    return "skipped" if case.find("skipped") is not None else "error" if case.find("error") is not None else "no trial"


def show(suite: Suite, root: ET.Element, took_s: float) -> str:
    """Print each test that grows or could not be repeated; return the suite's row of the table."""
    cases = list(root.iter("testcase"))
    for case in cases:
        failure = case.find("failure")
        if failure is not None:
            print(f"{outcome(case)}: {case.get('classname')}::{case.get('name')}\n    {failure.get('message')}")
    counts = Counter(outcome(case) for case in cases)
    trials = sum(counts[kind] for kind in ("steady", "growing", "undecided"))
    figures = (len(cases), trials, f"{took_s:.0f}", counts["steady"], counts["growing"], counts["undecided"])
    rest = (counts["not repeatable"], counts["failed"] + counts["error"], counts["skipped"] + counts["no trial"])
    return f"| {suite.source.replace('==', ' ')} | {' | '.join(str(figure) for figure in (*figures, *rest))} |"


def main() -> None:
    """Run the suites that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SUITES)}; all by default")
    parser.add_argument("--tests", type=int, default=TESTS, help="of each suite, drawn at random; 0 for all")
    parser.add_argument("--budget", type=float, default=BUDGET_S, help="seconds for one test")
    parser.add_argument("--seed", type=int, default=1, help="of the draw")
    given = parser.parse_args()
    rows = []
    for name in given.names or SUITES:
        suite = SUITES[name]
        python = prepare(suite)
        tests = sample(suite, python, given.tests or sys.maxsize, given.seed)
        rows.append(show(suite, *run(suite, python, tests, given.budget)))
        print(rows[-1], flush=True)
    kinds = "steady | growing | undecided | not repeatable | failed | skipped"
    print(f"\n| suite | tests | trials | s | {kinds} |\n|{'---|' * 10}")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
