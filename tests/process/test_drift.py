"""A leak in real slots, seen by the pool's own ledger."""

from __future__ import annotations

from pathlib import Path

from tightship.core.governor import RecyclePolicy
from tightship.core.history import FIRST_LOOK
from tightship.core.verdict import Kind

from .conftest import MakeTask, OpenPool

MIB = 2**20


def test_what_an_operation_keeps_with_every_job_is_found_at_the_first_look(
    open_pool: OpenPool, misdeed: MakeTask
) -> None:
    """A mebibyte a job shows at its rate, though slots are replaced meanwhile."""
    pool = open_pool(recycling=RecyclePolicy(max_jobs=90, jitter_share=0))
    task = misdeed("keep", mib=1)
    for _ in range(FIRST_LOOK):
        pool.run(task).unwrap()

    found = pool.ledger.verdict(task.name)

    assert found.kind is Kind.GROWING, found.reason
    assert found.slope_bytes is not None
    assert 0.8 * MIB < found.slope_bytes < 1.2 * MIB
    assert found.slots == 3


def test_jobs_know_the_size_of_their_input(open_pool: OpenPool, misdeed: MakeTask, tmp_path: Path) -> None:
    """The receipt tells how large the input was; a job without one has no size."""
    source = tmp_path / "input"
    source.write_bytes(b"x" * 1234)
    pool = open_pool()
    sizes = [pool.run(misdeed("nothing", source=given)).receipt.size_bytes for given in (source, None)]
    assert sizes == [1234, None]
