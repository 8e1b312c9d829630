"""How often slots may die before no new ones are started for a while. Decisions only: the pool starts and waits."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class RestartIntensity:
    """How many deaths are bad luck, and from when on they are a crash loop.

    Args:
        max_deaths: Deaths that are put up with.
        within_s: Seconds in which they may fall; one more opens the breaker.
        cool_down_s: Seconds for which it stays open after the last death that opened it.
    """

    max_deaths: int = 5
    within_s: float = 30.0
    cool_down_s: float = 30.0

    def __post_init__(self) -> None:
        if self.max_deaths < 0 or self.within_s <= 0 or self.cool_down_s <= 0:
            raise ValueError(f"out of range: {self}")


@dataclass(frozen=True)
class Breaker:
    """The deaths of late and what follows from them; a value, replaced at every death.

    Times are seconds on one monotonic clock, passed in.
    """

    intensity: RestartIntensity = RestartIntensity()
    deaths_s: tuple[float, ...] = ()
    open_until_s: float | None = None

    def died(self, now_s: float) -> Breaker:
        """Return the breaker after one more death."""
        recent = (*(time_s for time_s in self.deaths_s if now_s - time_s < self.intensity.within_s), now_s)
        if len(recent) <= self.intensity.max_deaths:
            return replace(self, deaths_s=recent)
        # The newest are enough to open it again: the memory stays bounded however fast they die.
        kept = recent[-(self.intensity.max_deaths + 1) :]
        return replace(self, deaths_s=kept, open_until_s=now_s + self.intensity.cool_down_s)

    def retry_after_s(self, now_s: float) -> float:
        """Return the seconds until slots may be started again: 0 while the breaker is closed."""
        return 0.0 if self.open_until_s is None else max(0.0, self.open_until_s - now_s)
