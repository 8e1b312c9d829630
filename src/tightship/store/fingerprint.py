"""What became of the files of watched folders: known for longer than their jobs, in a bounded number of rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select

from tightship.errors import TightshipError, from_dict
from tightship.store.database import Database
from tightship.store.document import encode_error
from tightship.store.schema import fingerprints

#: Notes between two looks at how many there are: counting takes longer than noting.
TRIM_EVERY = 100
#: Most results of the same content that are told of: any one of them will do.
ALIKE = 5


class Outcome(StrEnum):
    """What became of a file."""

    #: Its result is on the way to its place: there, or not yet.
    COMING = "coming"
    #: Its result is at its place.
    DONE = "done"
    #: It cannot be worked on, and will not be tried again as it is.
    FAILED = "failed"
    #: Something that is not ours is at the place, and was left alone.
    LEFT = "left"


@dataclass(frozen=True)
class Fingerprint:
    """What became of a file, as it was then.

    Args:
        source, place: The file, and where its result goes.
        request: Digest of operation and options.
        size_bytes, mtime_ns: The file's, as they were.
        digest: SHA-256 of its content; None when it was not read.
        result_digest: SHA-256 of what was put at the place.
        former_digest: Of what was put there before, until the new one is there for certain.
        noted_s: When this was noted, by the database's clock; set by the store.
    """

    source: str
    place: str
    request: str
    operation: str
    size_bytes: int
    mtime_ns: int
    digest: str | None
    outcome: Outcome
    result_digest: str | None = None
    former_digest: str | None = None
    error: TightshipError | None = None
    noted_s: float = 0.0


class Fingerprints:
    """The fingerprints of a store; when there are more than are kept, the oldest go."""

    def __init__(self, database: Database, max_rows: int) -> None:
        self._database = database
        self._max_rows = max_rows
        self._noted = 0
        #: Whether one has had to go since this was opened: what is unknown may have been known once.
        self.full = False

    def now_s(self) -> float:
        """Return the time by the database's clock."""
        with self._database.read() as connection:
            return self._database.now_s(connection)

    def of_places(self, places: Sequence[str], operation: str) -> dict[str, list[Fingerprint]]:
        """Return what is known of these places, some hundred at most, and of an operation's results there."""
        known: dict[str, list[Fingerprint]] = {place: [] for place in places}
        wanted = select(fingerprints).where(fingerprints.c.place.in_(known), fingerprints.c.operation == operation)
        with self._database.read() as connection:
            for row in connection.execute(wanted):
                known[row.place].append(_fingerprint(row))
        return known

    def of_content(self, digest: str, request: str) -> list[Fingerprint]:
        """Return what became of files with the same content, asked for the same; the newest first."""
        wanted = select(fingerprints).where(
            fingerprints.c.digest == digest,
            fingerprints.c.request == request,
            or_(fingerprints.c.outcome == Outcome.DONE, fingerprints.c.outcome == Outcome.FAILED),
        )
        with self._database.read() as connection:
            return list(
                map(_fingerprint, connection.execute(wanted.order_by(fingerprints.c.noted_s.desc()).limit(ALIKE)))
            )

    def note(self, fingerprint: Fingerprint) -> None:
        """Write down what became of a file, in place of what was known of it."""
        key = {name: getattr(fingerprint, name) for name in ("source", "place", "request")}
        error = None if fingerprint.error is None else encode_error(fingerprint.error)
        with self._database.write() as (connection, now_s):
            connection.execute(delete(fingerprints).filter_by(**key))
            values = {**vars(fingerprint), "outcome": str(fingerprint.outcome), "error": error, "noted_s": now_s}
            connection.execute(insert(fingerprints), values)
            if self._noted % TRIM_EVERY == 0:
                self.full |= _trim(connection, self._max_rows)
        self._noted += 1

    def __len__(self) -> int:
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(fingerprints)).scalar_one())

    def __repr__(self) -> str:
        return f"Fingerprints({self._database!r}, at most {self._max_rows})"


def _trim(connection: Connection, max_rows: int) -> bool:
    """Remove the oldest beyond a number; return whether there were any."""
    beyond = select(fingerprints.c.noted_s).order_by(fingerprints.c.noted_s.desc()).offset(max_rows).limit(1)
    limit_s = connection.execute(beyond).scalar_one_or_none()
    if limit_s is not None:
        connection.execute(delete(fingerprints).where(fingerprints.c.noted_s <= limit_s))
    return limit_s is not None


def _fingerprint(row: Row[Any]) -> Fingerprint:
    error = None if row.error is None else from_dict(json.loads(row.error))
    return Fingerprint(**{**row._mapping, "outcome": Outcome(row.outcome), "error": error})
