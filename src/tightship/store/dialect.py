"""What differs from database to database, in one place. SQLite is the only one there is."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import ClauseElement, Connection, Engine, create_engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.sql.compiler import SQLCompiler

from tightship.errors import DiskFull, StoreBusy, TightshipError

#: The database's clock in Unix seconds, with milliseconds. SQLite knows `unixepoch('subsec')` only since 3.42.
NOW = "(julianday('now') - 2440587.5) * 86400.0"
#: What the driver raises where SQLAlchemy does not stand between.
DriverError = sqlite3.Error
#: How a transaction begins that only reads.
READ = ("BEGIN",)
#: Survives the death of every process; a power cut may take the last of them, never half of one.
WRITE = ("PRAGMA synchronous=NORMAL", "BEGIN IMMEDIATE")
#: Survives a power cut, with all that was written before: the log is synced at the commit.
PROMISE = ("PRAGMA synchronous=FULL", "BEGIN IMMEDIATE")
#: Parameters have names in statements that are run by the driver.
_NAMED = sqlite.dialect(paramstyle="named")

#: Pages of log after which it is copied into the database: 4 MiB, so that reading stays quick and the log short.
_CHECKPOINT_PAGES = 1000
#: What the log is cut to when it starts over after a checkpoint, in bytes.
_LOG_BYTES = 4 * 2**20
#: Pages of cache for one connection, in KiB when negative: the rows in use are few.
_CACHE = -2000
#: Most connections kept open; a writer waits for the others anyway.
_CONNECTIONS = 4
_FULL = frozenset({"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_TRUNCATE"})


def open_engine(path: Path, busy_s: float) -> Engine:
    """Return an engine on the database file at `path`; connections open when they are needed.

    Its transactions are those of `begin`.
    """
    engine = create_engine(
        f"sqlite:///{path}",
        pool_size=_CONNECTIONS,
        max_overflow=2 * _CONNECTIONS,
        pool_timeout=busy_s,
        # What one connection writes makes the caches of the others stale: the last one used knows most.
        pool_use_lifo=True,
    )

    def connect(connection: DBAPIConnection, _record: object) -> None:
        # Transactions begin where we say so, not where the driver guesses.
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout={int(busy_s * 1000)}",
            "foreign_keys=ON",
            f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
            f"journal_size_limit={_LOG_BYTES}",
            f"cache_size={_CACHE}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    event.listen(engine, "connect", connect)
    return engine


@contextmanager
def patience(connection: Connection, wait_s: float, busy_s: float) -> Iterator[None]:
    """Wait for others who write no longer than `wait_s` within the block, and `busy_s` after it as before."""
    set_patience = "PRAGMA busy_timeout={:d}".format
    driver(connection).execute(set_patience(int(wait_s * 1000)))
    try:
        yield
    finally:
        driver(connection).execute(set_patience(int(busy_s * 1000)))


@contextmanager
def begin(connection: Connection, how: tuple[str, ...]) -> Iterator[None]:
    """Open a transaction that begins with these statements; it is committed, or taken back after an error."""
    # Not by a listener to SQLAlchemy's own begin: an engine with listeners asks for more of them at every statement.
    with connection.begin():
        for statement in how:
            driver(connection).execute(statement)
        yield


def written(clause: ClauseElement, names: Collection[str]) -> tuple[str, dict[str, Any]]:
    """Return a statement as text with named parameters, and the values of those that are not among `names`."""
    compiled = clause.compile(dialect=_NAMED, column_keys=list(names))
    assert isinstance(compiled, SQLCompiler)
    if missing := {name for name, bind in compiled.binds.items() if bind.required} - set(names):
        raise ValueError(f"no value is given for {', '.join(sorted(missing))}")
    if unknown := set(names) - set(compiled.binds):
        raise ValueError(f"there is no place for {', '.join(sorted(unknown))}")
    defaults = {column.key: getattr(column.default, "arg", None) for column in compiled.insert_prefetch}
    fixed = {**compiled.params, **defaults}
    return str(compiled), {name: value for name, value in fixed.items() if name not in names}


def driver(connection: Connection) -> sqlite3.Connection:
    """Return the driver's own connection, in whatever transaction this one is."""
    found = connection.connection.driver_connection
    assert isinstance(found, sqlite3.Connection)
    return found


def prepare(connection: Connection) -> None:
    """Choose, outside of a transaction, what is written into the file for good.

    The log (WAL) lets readers read while somebody writes. Free pages can be given back to the disk step by step, which
    must be chosen before there is a table.
    """
    driver(connection).execute("PRAGMA auto_vacuum=INCREMENTAL")
    driver(connection).execute("PRAGMA journal_mode=WAL")


def moment(connection: Connection, now_sql: str) -> tuple[float, str]:
    """Return the database's time in Unix seconds, and the revision of its schema."""
    now_s, revision = driver(connection).execute(f"SELECT {now_sql}, version_num FROM alembic_version").fetchone()
    return float(now_s), str(revision)


def give_back(connection: Connection, pages: int) -> None:
    """Give up to so many free pages back to the disk, outside of a transaction."""
    # Each step of the statement frees one page; of a statement without columns, `execute` takes one step only.
    driver(connection).executescript(f"PRAGMA incremental_vacuum({int(pages)})")


def is_busy(error: Exception) -> bool:
    """Whether the database was locked by others, or every connection was in use."""
    return isinstance(error, PoolTimeout) or _name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def translated(error: Exception) -> TightshipError | None:
    """Return what the database's error means to a caller; None when it is a fault of ours."""
    if is_busy(error):
        return StoreBusy("the database was in use by others for too long")
    if _name(error) in _FULL:
        return DiskFull("the disk that holds the database is full")
    return None


def _name(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(cause, "sqlite_errorname", ""))
