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
from tightship.store.migration import migrate

#: Free pages given back at a time: 4 MiB, some milliseconds of the write lock.
_GIVE_BACK_PAGES = 1000


class Database:
    """One database, used by any number of threads and processes.

    A job that is accepted and a job that has ended are promises: their transactions are synced to disk (`promise`).
    Claims, leases and progress ride along with the next promise (`write`): a power cut may lose them, and then the
    sweeper finds the lease expired.
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
        """Open a transaction that sees one state of the database and blocks nobody."""
        with _translating(), self._engine.connect() as connection, dialect.begin(connection, dialect.READ):
            yield connection

    @contextmanager
    def write(self, *, promise: bool = False) -> Iterator[tuple[Connection, float]]:
        """Open a transaction that alone writes.

        Args:
            promise: Return only when what was written survives a power cut.

        Yields:
            The connection, and the time by the database's clock.

        Raises:
            StoreBusy: Others wrote for longer than the limit.
            DiskFull: There is no space; nothing was written.
        """
        how = dialect.PROMISE if promise else dialect.WRITE
        if not self._turn.acquire(timeout=self._busy_s):
            raise StoreBusy("the database was in use by this process for too long")
        try:
            with _translating(), self._writing() as connection, dialect.begin(connection, how):
                yield connection, self.now_s(connection)
        finally:
            self._turn.release()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Keep one connection for all who write in turn: to take one and bring it back costs as much as a statement."""
        connection, self._writer = self._writer or self._engine.connect(), None
        try:
            yield connection
        except BaseException:
            connection.close()  # whatever state the fault has left it in is undone there
            raise
        self._writer = connection

    def now_s(self, connection: Connection) -> float:
        """Return the time by the database's clock, in Unix seconds."""
        return dialect.now(connection, self._now_sql)

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
