"""The figures behind a scope's receipt: taken when it opens, when its body has ended, and when it has settled."""

from __future__ import annotations

from pathlib import Path

from tightship.core.clock import Clock
from tightship.core.footprint import measure
from tightship.core.peak import PeakWatch
from tightship.core.receipt import Kind, Outcome, Receipt
from tightship.core.settle import settle
from tightship.errors import Cancelled, TightshipError


class Account:
    """Measures one scope from its opening on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._watch = PeakWatch()
        self._before = measure()
        self._peak_bytes = self._before.rss_bytes
        self._opened_s = clock.monotonic_s()
        self._wall_s = 0.0

    def sample(self) -> None:
        """Take note of the peak while the children are still there."""
        self._peak_bytes = max(self._peak_bytes, self._watch.sample())

    def settle(self, over_bytes: int | None) -> BaseException | None:
        """Stop the time, for all is released, and settle; return what that raised (a broken GPU does)."""
        self.sample()
        self._watch.close()
        self._wall_s = self._clock.monotonic_s() - self._opened_s
        try:
            settle(over_bytes)
        except BaseException as error:  # noqa: BLE001 - the scope raises it, after the body's own
            return error
        return None

    def receipt(
        self,
        name: str,
        kind: Kind,
        error: BaseException | None,
        scratch: Path | None,
        released: tuple[str, ...],
        left_behind: tuple[str, ...],
    ) -> Receipt:
        """Write the receipt of a scope that ended with `error`, or without one."""
        before, after = self._before, measure(scratch=scratch)
        outcome, cause = ending_of(error)
        return Receipt(
            name=name,
            kind=kind,
            outcome=outcome,
            cause=cause,
            wall_s=self._wall_s,
            cpu_s=max(after.cpu_s - before.cpu_s, 0.0),
            base_bytes=before.rss_bytes,
            peak_bytes=self._peak_bytes,
            retained_bytes=after.rss_bytes - before.rss_bytes,
            fds=after.fds - before.fds,
            threads=after.threads - before.threads,
            children=after.children - before.children,
            scratch_bytes=after.scratch_bytes,
            gpu_bytes=_difference(after.gpu_bytes, before.gpu_bytes),
            released=released,
            left_behind=left_behind,
        )


def ending_of(error: BaseException | None) -> tuple[Outcome, str | None]:
    """Return how a scope ended, and the cause: an error's code, or the name of its class; of a group, the first's."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is None:
        return "ok", None
    # What is no Exception is somebody asking to stop, in every event loop's dialect.
    asked = isinstance(error, Cancelled) or not isinstance(error, Exception | SystemExit)
    cause = error.code if isinstance(error, TightshipError) else type(error).__name__
    return "cancelled" if asked else "failed", cause


def _difference(after: int | None, before: int | None) -> int | None:
    return None if after is None or before is None else after - before
