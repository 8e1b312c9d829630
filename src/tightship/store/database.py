"""Transactions: reading, writing, and writing that must survive a power cut."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tightship.errors import StoreBusy
from tightship.store import dialect
from tightship.store.migration import migrate, too_new
from tightship.store.schema import HEAD

#: Free pages given back at a time: 4 MiB, some milliseconds of the write lock.
_GIVE_BACK_PAGES = 1000


class Database:
    """One database, used by any number of threads and processes.

    A job that is accepted and a job that has ended are promises: their transactions are synced to disk (`promise`).
    Claims, leases and progress ride along with the next promise (`write`): a power cut may lose them, and then the
    sweeper finds the lease expired.

    A newer version of tightship may bring the database to its own schema while this one works. From then on nothing is
    read or written here (`SchemaTooNew`): it could be misunderstood on either side.
    """

    def __init__(self, path: Path, busy_s: float, now_sql: str) -> None:
        self.path = path
        self._busy_s = busy_s
        self._now_sql = now_sql
        self._engine = dialect.open_engine(path, busy_s)
        # SQLite's own lock is polled; threads of one process can take turns without.
        self._turn = threading.Lock()
        self._writer: Connection | None = None
        try:
            with _translating():
                migrate(self._engine, busy_s)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every connection."""
        with self._turn:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the database and blocks nobody.

        Raises:
            SchemaTooNew: A newer version has changed the schema.
        """
        with _translating(), self._engine.connect() as connection, dialect.begin(connection, dialect.READ):
            self.now_s(connection)  # for what it refuses
            yield connection

    @contextmanager
    def write(self, *, promise: bool = False, wait_s: float | None = None) -> Iterator[tuple[Connection, float]]:
        """Open a transaction that alone writes.

        Args:
            promise: Return only when what was written survives a power cut.
            wait_s: How long others who write are waited for, where that is less than usual.

        Yields:
            The connection, and the time by the database's clock.

        Raises:
            StoreBusy: Others wrote for longer than the limit.
            DiskFull: There is no space; nothing was written.
            SchemaTooNew: A newer version has changed the schema.
        """
        how = dialect.PROMISE if promise else dialect.WRITE
        if not self._turn.acquire(timeout=self._busy_s if wait_s is None else wait_s):
            raise StoreBusy("the database was in use by this process for too long")
        try:
            with _translating(), self._writing(wait_s) as connection, dialect.begin(connection, how):
                yield connection, self.now_s(connection)
        finally:
            self._turn.release()

    @contextmanager
    def _writing(self, wait_s: float | None) -> Iterator[Connection]:
        """Keep one connection for all who write in turn: to take one and bring it back costs as much as a statement."""
        connection, self._writer = self._writer or self._engine.connect(), None
        try:
            if wait_s is None:
                yield connection
            else:
                with dialect.patience(connection, wait_s, self._busy_s):
                    yield connection
        except BaseException:
            connection.close()  # whatever state the fault has left it in is undone there
            raise
        self._writer = connection

    def now_s(self, connection: Connection) -> float:
        """Return the time by the database's clock, in Unix seconds.

        Raises:
            SchemaTooNew: A newer version has changed the schema.
        """
        now_s, revision = dialect.moment(connection, self._now_sql)
        if revision != HEAD:
            raise too_new(revision)
        return now_s

    def give_back(self) -> None:
        """Give free pages back to the disk."""
        with _translating(), self._engine.connect() as connection:
            dialect.give_back(connection, _GIVE_BACK_PAGES)

    def __repr__(self) -> str:
        return f"Database({str(self.path)!r}, {self._engine.pool.status()})"


@contextmanager
def _translating() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, PoolTimeout, dialect.DriverError) as error:
        meaning = dialect.translated(error)
        if meaning is None:
            raise
        raise meaning from error
