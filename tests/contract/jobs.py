"""Jobs to put into a store."""

from __future__ import annotations

from typing import Any

from tightship.core.receipt import Receipt
from tightship.store.record import Claim, JobRecord
from tightship.store.request import Request
from tightship.store.store import Store

BUDGET_BYTES = 1000
OK = Receipt("gif", "attempt", "ok", None, wall_s=1.0, peak_bytes=700)
BROKEN = Receipt("gif", "attempt", "failed", "worker_died", wall_s=1.0)


def submit(store: Store, reservation_bytes: int | None = 100, **fields: Any) -> JobRecord:
    """Let in a job without an input that can be claimed at once."""
    return store.submit(Request("gif", {"width": 320}, 0, **fields), None, reservation_bytes)


def upload(store: Store, content: bytes = b"a video", **fields: Any) -> JobRecord:
    """Send a job with an input, the long way."""
    seat = store.reserve_seat(Request("gif", {"width": 320}, len(content), **fields))
    assert not isinstance(seat, JobRecord)
    with seat, store.blobs.open_upload(2**20) as sent:
        sent.write(content)
        return seat.commit(sent.commit())


def claimed(store: Store, owner: str = "one") -> Claim:
    """Claim the next job, which there must be."""
    claim = store.claim(owner, BUDGET_BYTES)
    assert claim is not None
    return claim


def died(store: Store, owner: str) -> None:
    """Leave what an owner leaves whose process was killed: its name, which nobody holds any more."""
    (store.blobs.root.parent / "owners" / owner).touch()


def probed(store: Store, reservation_bytes: int = 100) -> JobRecord:
    """Look at the next input, which there must be."""
    claim = store.claim_probe("one", 2**40)
    assert claim is not None
    return store.probed(claim, {"duration_s": 3.0}, reservation_bytes)


def statuses(store: Store, job: JobRecord) -> list[str]:
    """Return the statuses a job went through, as those who watch were told."""
    return [event.data["status"] for event in store.events_since(job.id) if event.kind == "status"]
