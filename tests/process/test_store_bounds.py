"""However many jobs go through a store, it stays as large as its bounds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.contract.jobs import OK, claimed, probed, submit, upload
from tightship.store.config import StoreConfig
from tightship.store.store import Store

#: Twenty times the long soaks' jobs, 10,000: these are empty.
JOBS = 20 * int(os.environ.get("TIGHTSHIP_SOAK_JOBS", "25"))
SWEEP_EVERY = 25
#: Files are synced to disk, which takes most of the time.
UPLOAD_EVERY = 5
#: What the log may take between two checkpoints, twice over.
LOG_BYTES = 8 * 2**20


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_store_does_not_grow_with_the_jobs_it_has_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After the bounds have been reached, database, log and files are no larger at the end."""
    config = StoreConfig(max_rows=100, result_ttl_s=0.05)
    sizes_bytes, logs_bytes = [], []
    with Store.open(tmp_path, config) as store:
        for number in range(1, JOBS + 1):
            if number % UPLOAD_EVERY:
                submit(store)
            else:
                upload(store, b"video %d" % number)
                probed(store)
            store.finish(claimed(store), {"text": "x" * 1000}, OK)
            if number % SWEEP_EVERY == 0:
                store.sweep()
                sizes_bytes.append((tmp_path / "tightship.sqlite").stat().st_size)
                logs_bytes.append((tmp_path / "tightship.sqlite-wal").stat().st_size)
        rows = len(store.newest(limit=1000))
        files = list(store.blobs.digests())

    half = len(sizes_bytes) // 2
    assert max(sizes_bytes[half:]) <= 1.25 * max(sizes_bytes[:half])
    assert max(logs_bytes) <= LOG_BYTES
    assert rows <= config.max_rows + SWEEP_EVERY
    assert files == []
    print(f"\n{JOBS} jobs: database at most {max(sizes_bytes)} bytes, log at most {max(logs_bytes)} bytes")


def test_space_of_removed_jobs_is_given_back(tmp_path: Path) -> None:
    """A database that was large once becomes small again."""
    with Store.open(tmp_path, StoreConfig(max_rows=1)) as store:
        for _ in range(40):
            upload(store)
            probed(store)
            store.finish(claimed(store), {"text": "x" * 50_000}, OK)
        store.sweep()

    assert (tmp_path / "tightship.sqlite").stat().st_size < 40 * 50_000 / 8
