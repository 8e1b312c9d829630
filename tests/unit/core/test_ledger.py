"""What the ledger remembers, and what it learns from it."""

from __future__ import annotations

import random
import tracemalloc
from dataclasses import replace
from threading import Thread

import pytest

from tightship.core import history
from tightship.core.ledger import Ledger
from tightship.core.receipt import Receipt
from tightship.core.verdict import Kind

MIB = 2**20


def receipt(
    name: str = "gif", peak_bytes: int | None = None, base_bytes: int | None = None, retained_bytes: int | None = None
) -> Receipt:
    return Receipt(
        name,
        "attempt",
        "ok",
        None,
        wall_s=1.0,
        peak_bytes=peak_bytes,
        base_bytes=base_bytes,
        retained_bytes=retained_bytes,
    )


def soak(jobs: int, leak_bytes: int) -> Ledger:
    """Return the ledger of jobs whose settled memory warms up, moves by pages, and leaks."""
    rng = random.Random(jobs + leak_bytes)
    ledger = Ledger()
    level_bytes = 60 * MIB
    for job in range(jobs):
        base_bytes = level_bytes
        warm_bytes = int(4 * MIB * (1 - 0.5**job))
        level_bytes = 60 * MIB + warm_bytes + job * leak_bytes + 4096 * rng.randrange(60)
        ledger.add(receipt(base_bytes=base_bytes, retained_bytes=level_bytes - base_bytes))
    return ledger


def test_it_keeps_the_receipts_of_each_name_in_order() -> None:
    """Receipts are found under the name they came with."""
    ledger = Ledger()
    first, other, second = receipt(peak_bytes=1), receipt("clip"), receipt(peak_bytes=2)
    for one in (first, other, second):
        ledger.add(one)
    assert ledger.receipts("gif") == (first, second)
    assert ledger.receipts("clip") == (other,)


def test_a_name_without_receipts_is_empty() -> None:
    """Asking is not an error, and leaves no trace."""
    ledger = Ledger()
    assert ledger.receipts("gif") == ()
    assert ledger.names() == ()


def test_the_oldest_receipts_of_a_name_go_first() -> None:
    """A name never holds more than its share, and jobs keep their numbers."""
    ledger = Ledger(per_name=3)
    for peak in range(10):
        ledger.add(receipt(peak_bytes=peak))
    assert ledger.series("gif", "peak_bytes") == ((7, 7), (8, 8), (9, 9))


def test_the_name_least_recently_written_goes_first() -> None:
    """Names are bounded too, so that made-up names cannot fill the memory."""
    ledger = Ledger(max_names=2)
    for name in ("gif", "clip", "gif", "info"):
        ledger.add(receipt(name))
    assert ledger.names() == ("gif", "info")


@pytest.mark.parametrize("wrong", [{"per_name": 0}, {"max_names": 0}])
def test_a_ledger_that_can_hold_nothing_is_refused(wrong: dict[str, int]) -> None:
    """Bounds are checked where they are set."""
    with pytest.raises(ValueError, match="holds nothing"):
        Ledger(**wrong)


def test_a_series_leaves_out_what_was_not_measured() -> None:
    """A gap stays a gap in the job numbers."""
    ledger = Ledger()
    for peak in (5, None, 7):
        ledger.add(receipt(peak_bytes=peak))
    assert ledger.series("gif", "peak_bytes") == ((0, 5), (2, 7))


def test_a_series_of_something_that_is_no_number_is_refused() -> None:
    """A misspelt field says which there are."""
    with pytest.raises(ValueError, match="peak_bytes"):
        Ledger().series("gif", "cause")


def test_no_peak_is_learned_from_a_handful() -> None:
    """The first jobs say too little about the next."""
    ledger = Ledger()
    for _ in range(4):
        ledger.add(receipt(peak_bytes=MIB))
    assert ledger.learned_peak_bytes("gif") is None


def test_the_learned_peak_covers_nearly_all_jobs_with_a_margin() -> None:
    """One freak job in a hundred does not set the reservation for all."""
    ledger = Ledger()
    for number in range(100):
        ledger.add(receipt(peak_bytes=10_000 * MIB if number == 50 else 100 * MIB))
    assert ledger.learned_peak_bytes("gif") == 120 * MIB


def test_the_learned_peak_of_few_jobs_is_above_their_largest() -> None:
    """With few jobs the largest counts."""
    ledger = Ledger()
    for number in range(5):
        ledger.add(receipt(peak_bytes=(number + 1) * 10 * MIB))
    assert ledger.learned_peak_bytes("gif") == 60 * MIB


@pytest.mark.parametrize("jobs", [300, 600])
def test_a_soak_without_a_leak_is_steady_and_would_have_shown_one(jobs: int) -> None:
    """Memory that warms up and moves by pages is steady, and 100 KiB a job could not have hidden."""
    found = soak(jobs, leak_bytes=0).verdict("gif")
    assert found.kind is Kind.STEADY, found.reason
    assert found.detectable_bytes is not None
    assert found.detectable_bytes <= 100 * 2**10


@pytest.mark.parametrize(("jobs", "leak_bytes"), [(300, 200_000), (600, 40_000)])
def test_a_soak_with_a_leak_grows_at_its_rate(jobs: int, leak_bytes: int) -> None:
    """A leak is found, and its size lies in the interval."""
    found = soak(jobs, leak_bytes).verdict("gif")
    assert found.kind is Kind.GROWING, found.reason
    assert found.interval_bytes is not None
    assert found.interval_bytes[0] <= leak_bytes <= found.interval_bytes[1]


def test_a_few_receipts_are_too_little_for_a_verdict() -> None:
    """Nothing is said of a name with hardly any jobs."""
    assert soak(20, leak_bytes=0).verdict("gif").kind is Kind.UNDECIDED


def test_a_name_that_is_forgotten_takes_its_verdict_along() -> None:
    """What is kept for verdicts is bounded by names, too; one without receipts is undecided."""
    ledger = Ledger(max_names=1)
    for name in ("gif", "clip", "gif"):
        ledger.add(receipt(name, base_bytes=1, retained_bytes=1))
    assert ledger.verdict("gif").jobs == 1
    assert ledger.verdict("clip").jobs == 0


def test_threads_may_write_at_the_same_time() -> None:
    """No receipt is lost and every job gets its own number."""
    ledger = Ledger(per_name=4000)
    threads = [Thread(target=lambda: [ledger.add(receipt(peak_bytes=1)) for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [number for number, _ in ledger.series("gif", "peak_bytes")] == list(range(2000))


def test_its_repr_tells_what_it_holds() -> None:
    """A debugger sees names and counts."""
    ledger = Ledger()
    ledger.add(receipt())
    assert repr(ledger) == "Ledger(gif: 1)"


def test_what_is_known_of_a_name_takes_two_megabytes_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most is known where each job had a new slot; from some thousand jobs on nothing more is kept."""
    monkeypatch.setattr(history, "drift", lambda *_, **__: None)  # it keeps nothing, and takes long while traced
    rng = random.Random(0)
    ledger = Ledger()
    held_bytes = []
    tracemalloc.start()
    for jobs in (3600, 400):
        for _ in range(jobs):
            settled = receipt(peak_bytes=rng.randrange(2**40), base_bytes=rng.randrange(2**40), retained_bytes=1000)
            ledger.add(replace(settled, slot=rng.randrange(2**40), size_bytes=rng.randrange(2**40), cpu_s=rng.random()))
        held_bytes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert held_bytes[1] < 2_000_000
    assert held_bytes[1] < 1.02 * held_bytes[0]
