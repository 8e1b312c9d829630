"""From an empty database to the newest schema."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tightship.errors import SchemaTooNew, StoreBusy
from tightship.store import dialect, migration
from tightship.store.schema import HEAD, metadata
from tightship.store.store import Store


def test_migrations_lead_to_the_schema_of_the_code(tmp_path: Path) -> None:
    """What the migrations make is what the code expects, to the last index."""
    engine = dialect.open_engine(tmp_path / "db", 1.0)
    migration.migrate(engine, 1.0)

    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert migration.revision(connection) == HEAD
    engine.dispose()


def test_newest_migration_is_the_one_the_code_names() -> None:
    """Otherwise every start would migrate, or none."""
    scripts = ScriptDirectory(str(Path(migration.__file__).parent / "migrations"))

    assert scripts.get_heads() == [HEAD]


def test_newer_schema_is_refused(tmp_path: Path) -> None:
    """The message names both, and the database stays as it is."""
    Store.open(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "tightship.sqlite")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(SchemaTooNew, match="schema 9999.*up to " + HEAD):
        Store.open(tmp_path)


def test_lock_of_another_is_waited_for_with_a_limit(tmp_path: Path) -> None:
    """A start does not hang for ever."""
    with closing(sqlite3.connect(tmp_path / "db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        engine = dialect.open_engine(tmp_path / "db", 0.05)

        with pytest.raises(StoreBusy):
            migration.migrate(engine, 0.2)
        other.execute("ROLLBACK")
        migration.migrate(engine, 0.2)
        engine.dispose()


def test_opening_what_is_up_to_date_loads_no_alembic(tmp_path: Path) -> None:
    """It takes longer to load than everything else a start does."""
    Store.open(tmp_path).close()
    script = "import sys, pathlib; from tightship.store.store import Store; Store.open(pathlib.Path(sys.argv[1]))"
    script += ".close(); print('alembic' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
