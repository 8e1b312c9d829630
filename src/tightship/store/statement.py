"""Statements that every job needs: written as SQL once, and run by the driver."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeAlias

from sqlalchemy import Connection
from sqlalchemy.sql.selectable import ExecutableReturnsRows

from tightship.store import dialect

#: Columns under their names, of a `Statement` or of SQLAlchemy.
Row: TypeAlias = Any
_Make: TypeAlias = Callable[[Iterable[Any]], Row]


class Statement:
    """A statement whose text is made once for each set of values that it is given.

    SQLAlchemy looks for the text whenever a statement is run, and wraps what comes back: three quarters of a short
    transaction, and more where the process did something else in between. Here values and rows are the driver's: a
    boolean is 0 or 1.

    Args:
        clause: What it does; a value that is given is a parameter of it, or else the column to set, and a `ValueError`
            when it is neither.

    Source: the three transactions of a job, with a pause before each as in a server: 2.0 to 2.9 ms by SQLAlchemy, 0.6
        to 0.9 ms by the driver (medians of 250).
    """

    def __init__(self, clause: ExecutableReturnsRows) -> None:
        self._clause = clause
        self._written: dict[tuple[str, ...], tuple[str, dict[str, Any], _Make]] = {}

    def rows(self, connection: Connection, /, **values: Any) -> list[Row]:
        """Run it and return its rows."""
        names = tuple(values)
        text, fixed, make = self._written.get(names) or self._write(names)
        return [*map(make, dialect.driver(connection).execute(text, {**fixed, **values}).fetchall())]

    def row(self, connection: Connection, /, **values: Any) -> Row | None:
        """Run it and return its only row; None when there is none."""
        return next(iter(self.rows(connection, **values)), None)

    def _write(self, names: tuple[str, ...]) -> tuple[str, dict[str, Any], _Make]:
        written = (*dialect.written(self._clause, names), _maker(tuple(self._clause.exported_columns.keys())))
        self._written[names] = written
        return written

    def __repr__(self) -> str:
        return f"<Statement {self._clause}>"


@cache
def _maker(names: tuple[str, ...]) -> _Make:
    """Return what makes a row of its values: made once, as there are tables of many columns."""
    row: Any = namedtuple("Row", names)  # type: ignore[misc]  # not read by type checkers
    make: _Make = row._make
    return make
