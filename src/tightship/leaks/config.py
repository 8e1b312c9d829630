"""Settings of a trial, each with its unit, default and effect."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from types import MappingProxyType

from tightship.errors import InvalidOptions
from tightship.leaks.metric import METRICS
from tightship.units import parse_seconds

#: Seconds after the budget within which a last step must end.
OVERTIME_S = 18.0
#: Seconds after the budget within which the search for the origin must end.
SEARCH_OVERTIME_S = 8.0
#: Longest budget that can be set, in seconds: a day.
LONGEST_BUDGET_S = 86400.0
#: Longest search for the origin, in seconds.
LONGEST_SEARCH_S = 8.0


@dataclass(frozen=True)
class TrialConfig:
    """How a trial is run and judged.

    Args:
        budget_s: Time after which the trial says what it has found; a clear case ends long before.
        ignore: Names of metrics, or glob patterns on them, that are not watched.
        floors: Growth per step that does not matter, by metric, in its unit.
        step_limit_s: A single step that takes longer fails; None allows it the whole budget.
        confidence: That a trial of a clean step raises no alarm, over all metrics.
    """

    budget_s: float = 20.0
    ignore: tuple[str, ...] = ()
    floors: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    step_limit_s: float | None = None
    confidence: float = 0.99

    def __post_init__(self) -> None:
        if not 0 < self.budget_s <= LONGEST_BUDGET_S:
            raise InvalidOptions(f"budget must be over 0 s and at most {LONGEST_BUDGET_S:g} s, not {self.budget_s:g} s")
        if self.step_limit_s is not None and not 0 < self.step_limit_s <= LONGEST_BUDGET_S:
            raise InvalidOptions(f"step_limit_s must be over 0 and at most {LONGEST_BUDGET_S:g}")
        if not 0.5 <= self.confidence < 1:
            raise InvalidOptions(f"confidence must be from 0.5 to below 1, not {self.confidence}")
        for name, floor in self.floors.items():
            if name not in METRICS:
                raise _unknown(name)
            if not 0 <= floor < math.inf:
                raise InvalidOptions(f"floor of {name} must not be negative, nor infinite")
        for pattern in self.ignore:
            if not any(fnmatchcase(name, pattern) for name in METRICS):
                raise _unknown(pattern)

    @classmethod
    def of(
        cls,
        budget: str | float = "20 s",
        ignore: str | Iterable[str] = (),
        floor: Mapping[str, float] | None = None,
        step_limit_s: float | None = None,
    ) -> TrialConfig:
        """Read the settings as people write them."""
        names = (ignore,) if isinstance(ignore, str) else tuple(ignore)
        return cls(parse_seconds(budget), names, MappingProxyType(dict(floor or {})), step_limit_s)

    def watches(self, metric: str) -> bool:
        """Tell whether a metric is not ignored."""
        return not any(fnmatchcase(metric, pattern) for pattern in self.ignore)

    def floor(self, metric: str) -> float:
        """Return the growth per step of a metric that does not matter."""
        return self.floors.get(metric, METRICS[metric].floor)

    def step_limit_at(self, elapsed_s: float) -> float:
        """Return how long a step may take that starts `elapsed_s` into the trial."""
        return min(self.step_limit_s or self.budget_s, max(1.0, self.budget_s + OVERTIME_S - elapsed_s))

    def search_s(self, elapsed_s: float) -> float:
        """Return how long the origin may be searched for after a trial of `elapsed_s`."""
        return min(LONGEST_SEARCH_S, self.budget_s + SEARCH_OVERTIME_S - elapsed_s)


def _unknown(name: str) -> InvalidOptions:
    near = get_close_matches(name, METRICS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(METRICS)}"
    return InvalidOptions(f"no metric is called {name}; {hint}", metric=name)
