"""A place in the line that is kept while the input is being received."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from tightship.store.record import JobRecord
from tightship.store.request import Request
from tightship.store.upload import Blob

if TYPE_CHECKING:
    from tightship.store.store import Store


class Seat:
    """A place in the line; leaving the block gives it up unless it was committed.

    It expires when it is not renewed for the length of a lease: a sender that has gone frees it.
    """

    def __init__(self, store: Store, seat_id: str) -> None:
        self.id = seat_id
        self._store = store
        self._taken = True

    def renew(self) -> bool:
        """Keep the seat for another lease, because the input is still coming; False when it is gone."""
        return self._store.renew_seat(self.id)

    def commit(self, blob: Blob | None, request: Request | None = None) -> JobRecord:
        """Turn the seat into a job, of the same id, that waits.

        Args:
            blob: The input; the block of its upload must not have ended yet.
            request: What is asked for, where that was not known when the seat was taken; the key is the seat's.

        Raises:
            SeatLost: It expired.
        """
        job = self._store.fill_seat(self.id, blob, request)
        self._taken = False
        return job

    def cancel(self) -> None:
        """Give the seat up; doing so again changes nothing."""
        if self._taken:
            self._taken = False
            self._store.leave_seat(self.id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def __repr__(self) -> str:
        return f"Seat({self.id!r}, {'taken' if self._taken else 'left'})"
