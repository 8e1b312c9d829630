"""The figures and the ending in a receipt."""

from __future__ import annotations

import asyncio

import pytest

from tightship.core import account as module
from tightship.core.account import Account, ending_of
from tightship.core.footprint import Footprint
from tightship.core.settle import Settlement
from tightship.errors import Cancelled, CorruptMedia
from tightship.testing import FakeClock

BEFORE = Footprint(
    rss_bytes=1000, peak_bytes=1000, fds=5, threads=1, children=0, scratch_bytes=0, gpu_bytes=None, cpu_s=2.0,
    pss_bytes=None,
)  # fmt: skip
AFTER = Footprint(
    rss_bytes=1300, peak_bytes=9000, fds=7, threads=2, children=1, scratch_bytes=50, gpu_bytes=None, cpu_s=2.5,
    pss_bytes=None,
)  # fmt: skip


@pytest.fixture
def measured(monkeypatch):
    """Let two measures be made: when the account opens, and for the receipt."""

    def set_to(*footprints: Footprint) -> None:
        rest = iter(footprints)
        monkeypatch.setattr(module, "measure", lambda scratch=None: next(rest))

    set_to(BEFORE, AFTER)
    return set_to


def receipt_of(account: Account, error: BaseException | None = None):
    """Return the receipt of an account, with what does not matter here filled in."""
    return account.receipt("gif", "attempt", error, None, ("a file",), ("a process",))


def test_a_receipt_holds_the_differences(measured):
    """What is more than at the opening is the scope's doing."""
    receipt = receipt_of(Account(FakeClock()))
    assert (receipt.base_bytes, receipt.retained_bytes) == (1000, 300)
    assert (receipt.fds, receipt.threads, receipt.children, receipt.scratch_bytes) == (2, 1, 1, 50)
    assert receipt.cpu_s == 0.5


def test_a_receipt_names_what_it_was_given(measured):
    """Name, kind and the two lists are taken over."""
    receipt = receipt_of(Account(FakeClock()))
    assert (receipt.name, receipt.kind) == ("gif", "attempt")
    assert (receipt.released, receipt.left_behind) == (("a file",), ("a process",))


def test_no_gpu_is_no_zero(measured):
    """What was not measured stays unknown."""
    assert receipt_of(Account(FakeClock())).gpu_bytes is None


def test_gpu_memory_is_a_difference(measured):
    """What is held more than before."""
    on_gpu = [Footprint(**{**vars(each), "gpu_bytes": held}) for each, held in ((BEFORE, 70), (AFTER, 100))]
    measured(*on_gpu)
    assert receipt_of(Account(FakeClock())).gpu_bytes == 30


def test_cpu_time_is_never_negative(measured):
    """A child that nobody waited for takes its seconds with it."""
    measured(AFTER, BEFORE)
    assert receipt_of(Account(FakeClock())).cpu_s == 0


def test_the_time_ends_before_settling(measured, monkeypatch):
    """Seconds run from the opening to the end of the release; settling is not the work's time."""
    clock = FakeClock()
    monkeypatch.setattr(module, "settle", lambda over_bytes: clock.advance(100))
    account = Account(clock)
    clock.advance(3)
    account.settle(None)
    assert receipt_of(account).wall_s == 3


def test_the_peak_is_at_least_the_base(measured):
    """The base is in the peak."""
    measured(Footprint(**{**vars(BEFORE), "rss_bytes": 1 << 50}), AFTER)
    account = Account(FakeClock())
    account.sample()
    assert receipt_of(account).peak_bytes == 1 << 50


def test_the_threshold_is_handed_to_settling(measured, monkeypatch):
    """Settling decides by the size it is given."""
    asked: list[int | None] = []

    def settle(over_bytes: int | None) -> Settlement:
        asked.append(over_bytes)
        return Settlement(0, 0, 0, True, 0.0)

    monkeypatch.setattr(module, "settle", settle)
    assert Account(FakeClock()).settle(123) is None
    assert asked == [123]


def test_what_settling_raises_is_returned(measured, monkeypatch):
    """A broken GPU must not hide what the scope has to say."""
    error = RuntimeError("CUDA")

    def settle(over_bytes: int | None) -> Settlement:
        raise error

    monkeypatch.setattr(module, "settle", settle)
    assert Account(FakeClock()).settle(None) is error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, ("ok", None)),
        (CorruptMedia("no"), ("failed", "corrupt_media")),
        (ValueError("no"), ("failed", "ValueError")),
        (Cancelled("stop"), ("cancelled", "cancelled")),
        (asyncio.CancelledError(), ("cancelled", "CancelledError")),
        (KeyboardInterrupt(), ("cancelled", "KeyboardInterrupt")),
        (GeneratorExit(), ("cancelled", "GeneratorExit")),
        (SystemExit(3), ("failed", "SystemExit")),
        (ExceptionGroup("both", [CorruptMedia("no"), OSError()]), ("failed", "corrupt_media")),
        (BaseExceptionGroup("deep", [ExceptionGroup("in", [Cancelled("stop")])]), ("cancelled", "cancelled")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_ending_says_how_and_why(error, expected):
    """Codes of ours, names of others' classes; of a group its first error counts."""
    assert ending_of(error) == expected
