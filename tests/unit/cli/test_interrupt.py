"""One signal asks, two demand."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tightship.cli.interrupt import open_cancel


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Give this process its own handlers back."""
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_sets_the_event(signum: int) -> None:
    """Ctrl-C, and the TERM of a service manager, ask the job to stop."""
    with open_cancel() as cancel:
        assert not cancel.is_set()
        os.kill(os.getpid(), signum)
        assert cancel.is_set()


def test_second_interrupt_raises_and_a_third_does_nothing() -> None:
    """The impatient are heard; after that the clean-up is not disturbed."""
    with open_cancel():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_repeated_termination_does_not_raise() -> None:
    """A service manager may say TERM more than once."""
    with open_cancel() as cancel:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)

    assert cancel.is_set()


def test_signals_are_ignored_once_the_work_is_done() -> None:
    """A late Ctrl-C does not change the exit code."""
    with open_cancel():
        pass

    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
