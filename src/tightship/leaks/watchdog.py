"""Run steps under a limit: one that raises, or does not end, fails the trial."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tightship.leaks.fault import StepFailed
from tightship.leaks.step import Step, described
from tightship.units import format_seconds

#: Seconds after which an alarm comes again.
AGAIN_S = 1.0


class Hung(BaseException):
    """Raised into what takes too long; no handler of a step's own may swallow it."""


class Watchdog:
    """End a step that takes too long, where Python can: on the main thread, unless the alarm signal is in use."""

    def __init__(self) -> None:
        self._armed = False
        self._is_wound = False

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Own the alarm signal for a while."""
        usable = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
        if not usable or signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL:
            yield
            return
        self._armed = True
        before = signal.signal(signal.SIGALRM, self._hang)
        try:
            yield
        finally:
            self._armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    @contextmanager
    def cutting_off(self, limit_s: float) -> Iterator[None]:
        """Leave the block when the time is over, wherever it is by then."""
        # A finalizer may swallow the alarm, so it comes again.
        self.wind(limit_s, AGAIN_S)
        try:
            try:
                yield
            finally:
                self.wind(0)
        except Hung:
            self.wind(0)

    def wind(self, limit_s: float, again_s: float = 0.0) -> None:
        """Give what follows `limit_s` from now; 0 gives it for ever."""
        self._is_wound = limit_s > 0
        if self._armed:
            signal.setitimer(signal.ITIMER_REAL, limit_s, again_s)

    def _hang(self, _number: int, _frame: object) -> None:
        # An alarm may be on its way when it is taken back.
        if self._is_wound:
            raise Hung


def run_steps(step: Step, count: int, limit_s: float, watchdog: Watchdog) -> None:
    """Run `count` steps, each within the limit.

    Raises:
        StepFailed: A step raised an error, or hung.
    """
    watchdog.wind(limit_s)
    try:
        step.run(count)
    except Hung:
        raise StepFailed(
            f"step {step.count} did not end within {format_seconds(limit_s)}", step=step.count, limit_s=limit_s
        ) from None
    except (Exception, SystemExit) as error:
        raise StepFailed(f"step {step.count} failed: {described(error)}", step=step.count) from error
    finally:
        watchdog.wind(0)
