"""Runs three steps of every case in this interpreter: `python -m benchmarks.leaks.rehearsal`; prints JSON."""

from __future__ import annotations

import asyncio
import json

from benchmarks.leaks.corpus import Case, corpus
from benchmarks.leaks.peer import plain

STEPS = 3


def rehearsed(case: Case) -> str | None:
    """Return what went wrong, or None."""
    try:
        with case.prepared() as step, asyncio.Runner() as runner:
            run = plain(step, runner)
            for _ in range(STEPS):
                run()
    except Exception as error:  # noqa: BLE001 - it is told, and the other cases have their turn
        return f"{type(error).__name__}: {error}"
    return None


if __name__ == "__main__":
    wrong = {name: said for name, case in corpus().items() if case.needs() and (said := rehearsed(case))}
    print(json.dumps(wrong))
