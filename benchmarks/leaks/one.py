"""Runs one trial of one case in this interpreter: `python -m benchmarks.leaks.one NAME SEED`; prints JSON."""

from __future__ import annotations

import json
import random
import sys
from typing import Any

from benchmarks.leaks.corpus import Case, corpus

from tightship.core.verdict import Kind
from tightship.leaks import Report, trial


def judged(case: Case, seed: int, *, where: bool = True) -> Report:
    """Return the report of a trial of the case."""
    random.seed(seed)
    with case.prepared() as step:
        return trial(step, name=case.name, seed=seed, where=where)


def located(case: Case, report: Report) -> bool | None:
    """Tell whether the report names a marked line of the case; None if there is none to name."""
    if not case.marks or not report.findings:
        return None
    wanted = {f"{case.file}:{line}" for line in case.marks}
    for series in report.series:
        for origin in series.where:
            named = [f"{origin.file}:{origin.line}", *(call.split(" in ")[0] for call in origin.stack)]
            if wanted & set(named):
                return True
    return False


def plain(case: Case, report: Report) -> dict[str, Any]:
    """Return what is scored of a report."""
    return {
        "verdict": str(report.verdict),
        "growing": [series.metric for series in report.series if series.verdict is Kind.GROWING],
        "located": located(case, report),
        "steps": report.steps,
        "seconds": report.seconds,
        "reasons": {series.metric: series.reason for series in report.series if series.verdict is not Kind.STEADY},
    }


if __name__ == "__main__":
    wanted = corpus()[sys.argv[1]]
    print(json.dumps(plain(wanted, judged(wanted, int(sys.argv[2])))))
