"""When a slot has served long enough, its process is replaced between two attempts."""

from __future__ import annotations

from tightship.core.governor import RecyclePolicy

from .conftest import MakeTask, OpenPool

MIB = 2**20


def test_slot_is_replaced_after_its_jobs(open_pool: OpenPool, misdeed: MakeTask) -> None:
    """After `max_jobs` attempts the next one runs in a new process."""
    pool = open_pool(recycling=RecyclePolicy(max_jobs=3, jitter_share=0))

    pids = [pool.run(misdeed("nothing")).unwrap()["pid"] for _ in range(6)]

    assert pids == [pids[0]] * 3 + [pids[3]] * 3
    assert pids[0] != pids[3]


def test_receipts_tell_slots_apart(open_pool: OpenPool, misdeed: MakeTask) -> None:
    """Each process has a number of its own, on the receipts of its jobs and on its own."""
    pool = open_pool(recycling=RecyclePolicy(max_jobs=2, jitter_share=0))

    slots = [pool.run(misdeed("nothing")).receipt.slot for _ in range(4)]

    assert slots == [slots[0]] * 2 + [slots[2]] * 2
    assert slots[0] != slots[2]
    assert [receipt.slot for receipt in pool.ledger.receipts("worker")] == [slots[0], slots[2]]


def test_slot_that_has_grown_is_replaced(open_pool: OpenPool, misdeed: MakeTask) -> None:
    """A slot that keeps more than it may over its baseline is ended at the next safepoint."""
    pool = open_pool(recycling=RecyclePolicy(growth_bytes=32 * MIB))
    first = pool.run(misdeed("nothing")).unwrap()["pid"]
    small = pool.run(misdeed("keep", mib=16)).unwrap()["pid"]
    large = pool.run(misdeed("keep", mib=32)).unwrap()["pid"]

    assert first == small == large
    assert pool.run(misdeed("nothing")).unwrap()["pid"] != first


def test_end_of_a_process_has_its_receipt(open_pool: OpenPool, misdeed: MakeTask) -> None:
    """The worker's whole life is a scope too, and the ledger holds its account."""
    pool = open_pool(recycling=RecyclePolicy(max_jobs=1, jitter_share=0))
    pool.run(misdeed("nothing")).unwrap()

    (receipt,) = pool.ledger.receipts("worker")
    assert (receipt.kind, receipt.outcome, receipt.cause) == ("worker", "ok", "recycled")
    assert receipt.cpu_s is not None
    assert receipt.cpu_s > 0
    assert receipt.left_behind == ()
