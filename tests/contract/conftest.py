"""Stores to hold to the contract, each with a clock that a test can put forward."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tightship.store import dialect
from tightship.store.config import StoreConfig
from tightship.store.store import Store


class Shop:
    """A store's home, whose clock a test puts forward."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._stores: list[Store] = []

    def open(self, **settings: Any) -> Store:
        """Open the store, as one more process would."""
        now_sql = f"{dialect.NOW} + (SELECT shift_s FROM test_clock)"
        store = Store.open(self.home, StoreConfig(**settings), now_sql=now_sql)
        self._stores.append(store)
        self._execute("CREATE TABLE IF NOT EXISTS test_clock (shift_s REAL NOT NULL)")
        self._execute("INSERT INTO test_clock SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM test_clock)")
        return store

    def wait(self, seconds: float) -> None:
        """Put the database's clock forward."""
        self._execute(f"UPDATE test_clock SET shift_s = shift_s + {float(seconds)}")

    def close(self) -> None:
        """Close every store that was opened."""
        for store in self._stores:
            store.close()

    def _execute(self, statement: str) -> None:
        with closing(sqlite3.connect(self.home / "tightship.sqlite", timeout=30)) as database, database:
            database.execute(statement)


OPENERS: dict[str, Callable[[Path], Shop]] = {"sqlite": Shop}


@pytest.fixture(params=OPENERS)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """A home of each kind of store."""
    made = OPENERS[request.param](tmp_path / "home")
    yield made
    made.close()


@pytest.fixture
def store(shop: Shop) -> Store:
    """A store with its defaults."""
    return shop.open()
