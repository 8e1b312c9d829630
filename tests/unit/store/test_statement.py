"""Statements that the driver runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Boolean, Column, Connection, Integer, MetaData, Table, Text, bindparam, insert, select, update

from tightship.store import dialect
from tightship.store.statement import Statement

things = Table(
    "things",
    MetaData(),
    Column("id", Text, primary_key=True),
    Column("size", Integer, nullable=False, default=7),
    Column("kept", Boolean, nullable=False, default=True),
    Column("name", Text),
)
_ENTER = Statement(insert(things).returning(*things.c))
_FIND = Statement(select(things).where(things.c.id == bindparam("thing_id"), things.c.size > 1))


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A database with nothing but an empty table."""
    engine = dialect.open_engine(tmp_path / "db", 1.0)
    things.metadata.create_all(engine)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def test_columns_have_their_names_and_their_defaults(connection: Connection) -> None:
    """What is not given is what the table says."""
    [row] = _ENTER.rows(connection, id="a", name="A")

    assert (row.id, row.size, bool(row.kept), row.name) == ("a", 7, True, "A")
    assert _FIND.row(connection, thing_id="a") == row


def test_what_is_given_is_a_parameter_or_a_column_to_set(connection: Connection) -> None:
    """The same statement sets now these columns and now those; of no row comes none."""
    change = Statement(update(things).where(things.c.id == bindparam("thing_id")).returning(*things.c))
    _ENTER.rows(connection, id="a")

    renamed = change.row(connection, thing_id="a", name="B")
    smaller = change.row(connection, thing_id="a", size=2, kept=False)
    nobody = change.row(connection, thing_id="b", size=3)

    assert (renamed.name, renamed.size) == ("B", 7)
    assert (smaller.name, smaller.size, bool(smaller.kept)) == ("B", 2, False)
    assert nobody is None


def test_statement_that_tells_nothing_gives_no_rows(connection: Connection) -> None:
    """It is run all the same, and is part of the transaction, as SQLAlchemy's own are."""
    take = Statement(insert(things))

    with suppress(ZeroDivisionError), dialect.begin(connection, dialect.WRITE):
        assert take.rows(connection, id="a") == []
        assert len(connection.execute(select(things)).all()) == 1
        raise ZeroDivisionError

    assert connection.execute(select(things)).all() == []


@pytest.mark.parametrize("given", [{}, {"other": 1}])
def test_missing_value_is_a_mistake(connection: Connection, given: dict[str, int]) -> None:
    """The driver would take it for NULL, and find nothing."""
    with pytest.raises(ValueError, match="no value is given for thing_id"):
        _FIND.rows(connection, **given)


@pytest.mark.parametrize("statement", [_ENTER, _FIND], ids=["enter", "find"])
def test_value_that_has_no_place_is_a_mistake(connection: Connection, statement: Statement) -> None:
    """It would be passed over, and what it was meant for left as it is."""
    with pytest.raises(ValueError, match="there is no place for colour"):
        statement.rows(connection, **{"id": "a"} if statement is _ENTER else {"thing_id": "a"}, colour="red")


def test_text_is_made_once(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Making it takes longer than running it."""
    made = []
    written = dialect.written
    monkeypatch.setattr(dialect, "written", lambda *given: made.append(given) or written(*given))
    find = Statement(select(things.c.id).where(things.c.id == bindparam("thing_id")))

    assert [find.rows(connection, thing_id=name) for name in ("a", "b", "c")] == [[], [], []]
    assert len(made) == 1
