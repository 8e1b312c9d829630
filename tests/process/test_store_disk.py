"""A disk that is full at any write of the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.contract.jobs import BROKEN, OK, claimed, probed, submit, upload
from tightship.errors import DiskFull, MemoryExceeded
from tightship.store.config import StoreConfig
from tightship.store.record import Claim, JobRecord
from tightship.store.request import Request
from tightship.store.store import Store

from .test_disk import small_disk as small_disk

PAGE_BYTES = 4096
#: The reserve would keep the disk from getting full at all.
CONFIG = StoreConfig(disk_reserve_bytes=0)

WRITES: dict[str, Callable[[Store, JobRecord, Claim], Any]] = {
    "reserve_seat": lambda store, job, claim: store.reserve_seat(Request("gif", {}, 0)),
    "submit": lambda store, job, claim: submit(store),
    "claim": lambda store, job, claim: store.claim("two", 1000),
    "renew": lambda store, job, claim: store.renew(claim, {"done": 1}),
    "append_partial": lambda store, job, claim: store.append_partial(claim, {"text": "so far"}),
    "finish": lambda store, job, claim: store.finish(claim, {}, OK),
    "fail": lambda store, job, claim: store.fail(claim, MemoryExceeded("too much"), BROKEN),
    "hand_back": lambda store, job, claim: store.hand_back(claim),
    "cancel": lambda store, job, claim: store.cancel(job.id),
    "delete": lambda store, job, claim: store.delete(job.id),
}


def fill(disk: Path, leave_bytes: int = 0) -> None:
    """Fill the disk but for so many bytes."""
    with (disk / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * PAGE_BYTES)
        except OSError:
            filler.truncate(max(0, filler.tell() - leave_bytes))


def free(disk: Path) -> None:
    """Give the space back."""
    (disk / "filler").unlink()


def start_log_over(home: Path) -> None:
    """Leave no room in the database's log, so that the next write needs space."""
    with closing(sqlite3.connect(home / "tightship.sqlite")) as database:
        assert database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


@pytest.mark.parametrize("name", WRITES)
def test_write_without_space_changes_nothing(small_disk: Path, name: str) -> None:
    """It says so, leaves the jobs as they were, and works when there is space again."""
    with Store.open(small_disk / "home", CONFIG) as store:
        submit(store)
        claim = claimed(store)
        job = submit(store)
        before = store.newest()
        start_log_over(small_disk / "home")
        fill(small_disk)

        with pytest.raises(DiskFull):
            WRITES[name](store, job, claim)

        assert store.newest() == before
        free(small_disk)
        WRITES[name](store, job, claim)


def test_job_at_every_amount_of_space(small_disk: Path, tmp_path: Path) -> None:
    """With page after page more space, a job's way breaks off at each of its writes, and leaves nothing half made."""
    broken_off = 0
    with Store.open(small_disk / "home", CONFIG) as store:
        for pages in range(0, 300, 3):
            start_log_over(small_disk / "home")
            fill(small_disk, pages * PAGE_BYTES)
            try:
                _whole_way(store, tmp_path / "result")
                break
            except DiskFull:
                broken_off += 1
            free(small_disk)
            for job in store.newest():
                if job.owner is None:
                    store.delete(job.id)
            _end_what_runs(store)
            store.sweep()
            assert list(store.blobs.digests()) == []
            assert list((store.blobs.root / "incoming").iterdir()) == []
        else:
            pytest.fail("no amount of space was enough")
    assert broken_off > 5
    with closing(sqlite3.connect(small_disk / "home" / "tightship.sqlite")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _whole_way(store: Store, result: Path) -> None:
    upload(store, b"v" * 40_000)
    probed(store)
    claim = claimed(store)
    result.write_bytes(b"r" * 40_000)
    with store.blobs.put_file(result) as blob:
        store.finish(claim, {}, OK, result_blob=blob)


def _end_what_runs(store: Store) -> None:
    for job in store.newest():
        store.delete(job.id)
        assert job.owner is not None
        if job.attempts:
            store.fail(Claim(job, job.fence, job.owner), MemoryExceeded("too much"), BROKEN)


def test_store_is_not_opened_on_a_full_disk(small_disk: Path) -> None:
    """It says so, and opens when there is space."""
    fill(small_disk)
    with pytest.raises(DiskFull):
        Store.open(small_disk / "home")
    free(small_disk)

    Store.open(small_disk / "home").close()


def test_upload_that_does_not_fit_leaves_nothing(small_disk: Path) -> None:
    """Not a byte of it stays."""
    with Store.open(small_disk / "home", CONFIG) as store:
        with store.blobs.open_upload(2**30) as sent, pytest.raises(DiskFull):
            sent.write(b"x" * 2**24)

        assert list((store.blobs.root / "incoming").iterdir()) == []
        submit(store)
