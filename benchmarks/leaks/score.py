"""How a verdict is scored against a case's label, and tables of scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from benchmarks.leaks.corpus import GROWING, Case

from tightship.core.verdict import Kind


class Outcome(StrEnum):
    """What a tool made of a case."""

    RIGHT = "right"
    FALSE_POSITIVE = "false positive"
    MISSED = "missed"
    UNDECIDED = "undecided"
    FAILED = "failed"
    CANNOT = "cannot"


WRONG = (Outcome.FALSE_POSITIVE, Outcome.MISSED, Outcome.FAILED)


@dataclass(frozen=True)
class Score:
    """One run of one case.

    Args:
        case: What was run.
        seed: Of the run.
        outcome: Right or how it was wrong.
        seconds: The trial alone, without the start of the interpreter.
        detail: What was said, for the list of wrong ones.
        located: Whether a marked line was named; None where there is none to name.
    """

    case: Case
    seed: int
    outcome: Outcome
    seconds: float
    detail: str = ""
    located: bool | None = None


def outcome(case: Case, verdict: Kind, growing: Iterable[str]) -> Outcome:
    """Score a verdict; a leak counts as found only if one of its own metrics was called growing."""
    if verdict is Kind.UNDECIDED:
        return Outcome.UNDECIDED
    if case.expect is GROWING:
        return Outcome.RIGHT if set(growing) & set(case.metrics) else Outcome.MISSED
    return Outcome.FALSE_POSITIVE if verdict is GROWING else Outcome.RIGHT


#: The columns of a table: a title and what is counted.
COUNTED: tuple[tuple[str, Callable[[Score], bool]], ...] = (
    ("runs", lambda _: True),
    ("right", lambda score: score.outcome is Outcome.RIGHT),
    ("false positives", lambda score: score.outcome is Outcome.FALSE_POSITIVE),
    ("missed", lambda score: score.outcome is Outcome.MISSED),
    ("undecided", lambda score: score.outcome is Outcome.UNDECIDED),
    ("failed", lambda score: score.outcome is Outcome.FAILED),
)


def table(scores: Sequence[Score]) -> str:
    """Return a Markdown table with a row for each kind and one for all."""
    heads = [title for title, _ in COUNTED]
    lines = [f"| kind | {' | '.join(heads)} | line named | s median | s max |", "|---" * (len(heads) + 4) + "|"]
    kinds = dict.fromkeys(score.case.kind for score in scores)
    lines += [_row(kind, [score for score in scores if score.case.kind == kind]) for kind in kinds]
    lines.append(_row("**all**", scores))
    return "\n".join(lines)


def _row(title: str, scores: Sequence[Score]) -> str:
    cells = [str(sum(map(counts, scores))) for _, counts in COUNTED]
    lines = [score.located for score in scores if score.located is not None]
    seconds = [score.seconds for score in scores]
    named = f"{sum(lines)} of {len(lines)}" if lines else "-"
    return f"| {title} | {' | '.join(cells)} | {named} | {median(seconds):.1f} | {max(seconds):.1f} |"


def wrong_twice(scores: Sequence[Score]) -> list[str]:
    """Return the names of cases that were wrong, not only undecided, with more than one seed."""
    wrong = [score.case.name for score in scores if score.outcome in WRONG]
    return sorted({name for name in wrong if wrong.count(name) > 1})
