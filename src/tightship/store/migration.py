"""Bring a database to the newest schema; any number of processes may try at once."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import DBAPIError

from tightship.errors import SchemaTooNew, StoreBusy
from tightship.store import dialect
from tightship.store.schema import HEAD

_SCRIPTS = Path(__file__).parent / "migrations"
#: Seconds between two tries to get the lock.
_POLL_S = 0.05


def migrate(engine: Engine, limit_s: float) -> None:
    """Bring the database to the newest schema, unless it is there.

    The lock is the database's own write lock, held by the transaction that migrates: it cannot outlive its process, and
    a migration that is cut off leaves nothing.

    Raises:
        StoreBusy: Others held the lock for longer than `limit_s`.
        SchemaTooNew: The schema is one that this version does not know.
    """
    give_up_at_s = time.monotonic() + limit_s
    pause = threading.Event()
    while True:
        try:
            _migrate_once(engine)
            return
        except (DBAPIError, dialect.DriverError) as error:
            if not dialect.is_busy(error):
                raise
            if time.monotonic() > give_up_at_s:
                raise StoreBusy(f"others kept the database locked for {limit_s:g} s") from error
        pause.wait(_POLL_S)


def _migrate_once(engine: Engine) -> None:
    with engine.connect() as connection:
        if revision(connection) == HEAD:
            return
        connection.rollback()
        dialect.prepare(connection)
    with engine.connect() as connection, dialect.begin(connection, dialect.PROMISE):
        found = revision(connection)
        if found != HEAD:
            _upgrade(connection, found)


def revision(connection: Connection) -> str | None:
    """Return the schema's revision; None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none()
    return None if found is None else str(found)


def too_new(found: str) -> SchemaTooNew:
    """Return the refusal of a schema that this version does not know."""
    return SchemaTooNew(
        f"the database has schema {found}; this version of tightship knows schemas up to {HEAD}: "
        "use the newer version that wrote it, or another home",
        found=found,
        known=HEAD,
    )


def _upgrade(connection: Connection, found: str | None) -> None:
    # Slow to import, and needed once in the life of a database.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise too_new(found)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
