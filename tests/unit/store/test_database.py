"""Transactions."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from tightship.errors import SchemaTooNew, StoreBusy
from tightship.store import dialect
from tightship.store.database import Database
from tightship.store.schema import HEAD, events, seats

SEAT = {
    "id": "s", "operation": "gif", "options": "{}", "max_attempts": 1, "content_bytes": 0, "lease_expires_s": 0.0,
}  # fmt: skip


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty database that waits a moment at most."""
    made = Database(tmp_path / "db", 0.1, dialect.NOW)
    yield made
    made.close()


def test_time_is_the_databases(database: Database) -> None:
    """In Unix seconds, to the millisecond."""
    with database.write() as (_, now_s):
        assert now_s == pytest.approx(time.time(), abs=2.0)


def test_fault_takes_everything_back(database: Database) -> None:
    """A transaction that is left by an exception has not been."""

    def write_and_fail() -> None:
        with database.write() as (connection, _):
            connection.execute(insert(seats), SEAT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()

    with database.read() as connection:
        assert connection.execute(select(seats)).all() == []


def test_faults_of_ours_are_not_hidden(database: Database) -> None:
    """An event of no job is a mistake in the code, and is told as one."""
    with pytest.raises(IntegrityError), database.write() as (connection, _):
        connection.execute(insert(events), {"job_id": "none", "kind": "status", "data": "{}"})


def test_promise_is_synced(database: Database) -> None:
    """What rides along is not, whichever came before on the same connection."""
    levels = []
    for promise in (False, True, False):
        with database.write(promise=promise) as (connection, _):
            levels.append(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    assert levels == [1, 2, 1]


def test_writers_share_one_connection_until_a_fault(database: Database) -> None:
    """Whatever state the fault left it in is nothing to those who write next."""
    used = []
    for fault in (None, None, ZeroDivisionError, None):
        with suppress(ZeroDivisionError), database.write() as (connection, _):
            used.append(connection)
            if fault is not None:
                raise fault

    first, second, third, fourth = used
    assert first is second is third is not fourth
    assert third.closed


def test_other_process_that_writes_is_waited_for_with_a_limit(database: Database) -> None:
    """Then it is said that the store is busy; reading goes on."""
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy), database.write():
            pass
        with database.read() as connection:
            assert connection.execute(select(seats)).all() == []
        other.execute("ROLLBACK")

    with database.write() as (connection, _):
        connection.execute(insert(seats), SEAT)


def test_other_thread_that_writes_is_waited_for_with_a_limit(database: Database) -> None:
    """Threads of one process take turns."""
    writing, done = threading.Event(), threading.Event()

    def write() -> None:
        with database.write():
            writing.set()
            done.wait(10)

    thread = threading.Thread(target=write)
    thread.start()
    writing.wait(10)
    with pytest.raises(StoreBusy), database.write():
        pass
    done.set()
    thread.join()


def test_connections_are_closed_with_the_database(tmp_path: Path) -> None:
    """The log is gone when the last one has been closed."""
    database = Database(tmp_path / "db", 1.0, dialect.NOW)
    with database.write() as (connection, _):
        connection.execute(insert(seats), SEAT)

    database.close()

    assert [path.name for path in tmp_path.iterdir()] == ["db"]


def test_schema_of_a_newer_version_stops_all_work(database: Database) -> None:
    """It was changed while this version worked: nothing is written or read, and the message says why."""
    with database.write() as (connection, _):
        connection.execute(insert(seats), SEAT)
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    for transaction in (database.read, database.write):
        with pytest.raises(SchemaTooNew, match="schema 9999.*up to " + HEAD), transaction():
            pass
