"""What every store promises about jobs that are of use only to one who waits for them."""

from __future__ import annotations

import pytest

from tightship.errors import JobNotFound, StaleClaim
from tightship.store.states import Status

from .conftest import Shop
from .jobs import OK, claimed, submit, upload


def test_a_job_that_nobody_waits_for_any_more_goes(shop: Shop) -> None:
    """With its file, at the first sweep after its attendance has run out, and no other with it."""
    store = shop.open()
    other, left = submit(store), upload(store, attended=True)

    shop.wait(store.config.lease_s - 1)
    assert store.sweep().abandoned == 0
    shop.wait(2)
    assert store.sweep().abandoned == 1

    with pytest.raises(JobNotFound):
        store.get(left.id)
    assert list(store.blobs.digests()) == []
    assert store.get(other.id).status is Status.PENDING


def test_who_says_so_still_waits(shop: Shop) -> None:
    """For another lease each time; what is gone is no fault."""
    store = shop.open()
    job = submit(store, attended=True)

    for _ in range(3):
        shop.wait(store.config.lease_s - 1)
        store.attend(job.id)
        assert store.sweep().abandoned == 0
    store.delete(job.id)
    store.attend(job.id)


def test_one_that_runs_is_stopped_first(shop: Shop) -> None:
    """Its worker learns so when it renews its claim, and the job goes when it has ended."""
    store = shop.open()
    job = submit(store, attended=True)
    claim = claimed(store)
    shop.wait(store.config.lease_s / 2)
    store.renew(claim)
    shop.wait(store.config.lease_s / 2 + 1)

    assert store.sweep().abandoned == 1
    assert store.get(job.id).cancel_requested
    assert store.sweep().abandoned == 0
    store.hand_back(claim)
    with pytest.raises(JobNotFound):
        store.get(job.id)


def test_one_whose_server_died_goes_too(shop: Shop) -> None:
    """Its lease and its attendance run out together; nothing of it stays, and its result is not kept."""
    store = shop.open()
    job = submit(store, attended=True)
    claim = claimed(store)
    shop.wait(store.config.lease_s + 1)

    store.sweep()

    with pytest.raises(JobNotFound):
        store.get(job.id)
    with pytest.raises(StaleClaim):
        store.finish(claim, {}, OK)
