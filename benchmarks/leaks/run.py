"""Run the corpus and score every verdict: `python -m benchmarks.leaks.run [NAME ...] [--kind KIND] [--load 2]`.

Each case runs in an interpreter of its own, once for each seed. Prints Markdown; ends with status 1 if any case was
wrong, not only undecided, with more than one seed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from benchmarks.leaks import interpreter
from benchmarks.leaks.corpus import Case, chosen
from benchmarks.leaks.score import Outcome, Score, outcome, table, wrong_twice

from tightship.core.verdict import Kind

#: A trial has 20 s; what takes longer than this hangs.
LIMIT_S = 120.0


def scored(case: Case, seed: int) -> Score:
    """Run one case in a fresh interpreter and score what was said."""
    ended = interpreter.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.leaks.one", case.name, str(seed)], limit_s=LIMIT_S
    )
    if ended.status != 0:
        how = f"hung for {LIMIT_S:.0f} s" if ended.status is None else f"status {ended.status}"
        return Score(case, seed, Outcome.FAILED, ended.seconds, f"{how}: {ended.errors.strip()[-300:]}")
    said = json.loads(ended.output.strip().splitlines()[-1])
    found = outcome(case, Kind(said["verdict"]), said["growing"])
    reasons = "; ".join(f"{metric}: {reason}" for metric, reason in said["reasons"].items())
    detail = f"{said['verdict']} after {said['steps']} steps, {said['seconds']:.1f} s. {reasons}"
    where = said["located"] if found is Outcome.RIGHT else None
    return Score(case, seed, found, said["seconds"], detail, where)


def main() -> int:
    """Run what was asked for and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="cases; all if none is named")
    parser.add_argument("--kind", action="append", default=[], help="cases of this kind")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each case")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--load", type=int, default=0, help="busy processes beside it")
    asked = parser.parse_args()
    cases, started = list(chosen(asked.names, asked.kind)), time.perf_counter()
    scores = []
    with interpreter.busy(asked.load):
        for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
            for case in cases:
                scores.append(scored(case, seed))
                told = f"{len(scores)}. {case.name}, seed {seed}: {scores[-1].outcome}, {scores[-1].seconds:.1f} s"
                print(told, file=sys.stderr, flush=True)
    _report(scores, asked.load, time.perf_counter() - started)
    return 1 if wrong_twice(scores) else 0


def _report(scores: list[Score], load: int, seconds: float) -> None:
    print(f"{interpreter.machine(load)}; {seconds:.0f} s\n\n{table(scores)}\n")
    shares = []
    for seed in sorted({score.seed for score in scores}):
        of_seed = [score.outcome is Outcome.RIGHT for score in scores if score.seed == seed]
        shares.append(100 * sum(of_seed) / len(of_seed))
    print(f"Right, by seed: {', '.join(f'{share:.1f} %' for share in shares)}.")
    print(f"Wrong twice: {', '.join(wrong_twice(scores)) or 'none'}.\n")
    for score in scores:
        if score.outcome is not Outcome.RIGHT:
            print(f"- {score.case.name}, seed {score.seed}, {score.outcome}: {score.detail}")
    for score in scores:
        if score.located is False:
            print(f"- {score.case.name}, seed {score.seed}, right, but no marked line was named")


if __name__ == "__main__":
    sys.exit(main())
