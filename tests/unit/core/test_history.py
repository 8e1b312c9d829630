"""What is kept of an operation's jobs, and when it is looked at."""

from __future__ import annotations

import random

from tightship.core.history import FIRST_LOOK, History
from tightship.core.receipt import Outcome, Receipt
from tightship.core.verdict import Kind

MIB = 2**20


def receipt(
    level_bytes: float, *, slot: int | None = 0, size_bytes: int | None = 1, outcome: Outcome = "ok", own_bytes: int = 0
) -> Receipt:
    """Return the receipt of a job that began at 50 MiB and ended at `level_bytes`."""
    return Receipt(
        "gif", "attempt", outcome, None, 1.0, base_bytes=50 * MIB, retained_bytes=int(level_bytes) - 50 * MIB,
        peak_bytes=50 * MIB + own_bytes, slot=slot, size_bytes=size_bytes,
    )  # fmt: skip


def leaking(jobs: int, leak_bytes: int = MIB, *, life: int = 400) -> History:
    """Return the history of a slot that leaks, and is replaced every `life` jobs."""
    history = History()
    rng = random.Random(jobs)
    for job in range(jobs):
        level_bytes = 60 * MIB + job % life * leak_bytes + rng.randrange(4096)
        history.add(receipt(level_bytes, slot=job // life))
    return history


def test_nothing_is_said_before_the_first_look() -> None:
    """The reason says when the first look comes, in good English."""
    assert "after 1 job: the first look comes at 256" in leaking(1).verdict().reason
    assert "after 127 jobs" in leaking(127).verdict().reason
    assert leaking(127).verdict().kind is Kind.UNDECIDED


def test_a_verdict_holds_from_one_look_to_the_next() -> None:
    """Between two looks asking again tells the same, however the levels look just then."""
    history = leaking(FIRST_LOOK)
    first = history.verdict()
    for _ in range(FIRST_LOOK - 1):
        history.add(receipt(60 * MIB))
        assert history.verdict() is first
    history.add(receipt(60 * MIB))
    assert history.verdict().jobs == 2 * FIRST_LOOK


def test_a_leak_is_found_at_the_first_look() -> None:
    """A mebibyte a job shows at the first look."""
    found = leaking(FIRST_LOOK).verdict()
    assert found.kind is Kind.GROWING, found.reason
    assert (found.jobs, found.slots) == (FIRST_LOOK, 1)


def test_a_leak_is_found_in_slots_that_are_replaced() -> None:
    """No slot lives long, but each grows."""
    assert leaking(2 * FIRST_LOOK, life=25).verdict().kind is Kind.GROWING


def test_what_was_not_measured_or_died_does_not_count() -> None:
    """A dead worker holds nothing, and what is not known is not zero."""
    history = History()
    history.add(Receipt("gif", "attempt", "ok", None, 1.0))
    history.add(receipt(0, outcome="killed"))
    assert history.verdict().jobs == 0


def test_receipts_without_a_slot_are_one_process() -> None:
    """A program's own scopes have no slots."""
    history = History()
    for job in range(FIRST_LOOK):
        history.add(receipt(60 * MIB + job * MIB, slot=None, size_bytes=None))
    assert history.verdict().slots == 1


def test_steps_at_the_largest_input_and_the_largest_picture_are_told_from_a_leak() -> None:
    """A job may be large by its input or by the memory it takes: either lifts the level for good."""
    history = History()
    for job in range(4 * FIRST_LOOK):
        step = job // 8
        large = {"size_bytes": step} if step % 2 else {"own_bytes": step}
        history.add(receipt(60 * MIB + step * MIB, **large))
    assert history.verdict().kind is not Kind.GROWING


def kept(history: History) -> int:
    return sum(len(life.readings) for life in history._lives.values())  # the bound itself is what is tested


def test_one_long_life_is_thinned_and_keeps_its_span() -> None:
    """However many jobs a slot does, what is kept is bounded and still reaches back to its beginning."""
    history = History(max_readings=256)
    for job in range(5000):
        history.add(receipt(60 * MIB + job * 50_000))
    assert kept(history) <= 256
    assert history._lives[0].readings[0].job < 100
    assert history.verdict().kind is Kind.GROWING


def test_of_many_short_lives_the_oldest_is_forgotten() -> None:
    """Slots that are too short to be thinned go whole."""
    history = History(max_readings=256)
    for job in range(5000):
        history.add(receipt(60 * MIB, slot=job // 20))
    assert kept(history) <= 256
    assert max(history._lives) == 249
    assert len(history._lives) < 15
