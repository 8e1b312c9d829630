"""Jobs that are never lost: the one door to the database and the files."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from tightship.core.receipt import Receipt
from tightship.errors import SeatLost, TightshipError
from tightship.store import claims, control, dialect, ending, intake, probing, queries, sweep
from tightship.store.blobs import BlobStore
from tightship.store.claims import Load
from tightship.store.config import StoreConfig
from tightship.store.database import Database
from tightship.store.fingerprint import Fingerprints
from tightship.store.owner import Owners, running_kernel
from tightship.store.record import AttemptRecord, Claim, EventRecord, JobRecord, Renewal
from tightship.store.request import Request
from tightship.store.seat import Seat
from tightship.store.states import Status
from tightship.store.sweep import BATCH, SweepReport
from tightship.store.transaction import Transaction
from tightship.store.upload import Blob, disk_faults

T = TypeVar("T")


class Store:
    """Jobs, their attempts and their files below one folder, for any number of threads and processes.

    Whatever a method returns has been written. What it raises beside its own errors: `StoreBusy` and `DiskFull`, and
    then nothing has been written.
    """

    def __init__(self, database: Database, blobs: BlobStore, owners: Owners, config: StoreConfig) -> None:
        self.blobs = blobs
        self.owners = owners
        self.config = config
        self.fingerprints = Fingerprints(database, config.max_fingerprints)
        self._database = database

    @classmethod
    def open(cls, home: Path, config: StoreConfig | None = None, *, now_sql: str = dialect.NOW) -> Self:
        """Open the store below `home`, which is made and brought to the newest schema when it is not.

        Args:
            now_sql: The clock: an expression of SQL for Unix seconds.

        Raises:
            SchemaTooNew: A newer version of tightship has written there.
        """
        config = config or StoreConfig()
        with disk_faults():
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
        blobs, owners = BlobStore(home / "blobs"), Owners(home / "owners", running_kernel())
        return cls(Database(home / "tightship.sqlite", config.busy_s, now_sql), blobs, owners, config)

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    # --- letting in ------------------------------------------------------------------------------

    def check_room(self, content_bytes: int | None) -> None:
        """Refuse an input that could not take a seat now, before anything of it is read; nothing is reserved yet.

        Raises:
            QueueFull: As many wait as may wait.
            DiskFull: The input would not fit.
        """
        free_bytes = self.blobs.free_bytes()
        with self._database.read() as connection:
            tx = Transaction(connection, self._database.now_s(connection), self.config)
            intake.check_room(tx, content_bytes, free_bytes)

    def reserve_seat(self, request: Request) -> Seat | JobRecord:
        """Keep a place in the line, and room on the disk, before a byte of the input is written.

        Returns:
            The seat; or the job that the request's idempotency key already names. Whether that is the same request
            shows when its input has been read: `named` tells.

        Raises:
            QueueFull: As many wait as may wait.
            DiskFull: The input would not fit.
            IdempotencyConflict: The first request with the key is still being received.
        """
        free_bytes = self.blobs.free_bytes()
        with self._write() as tx:
            known = intake.job_of_key(tx, request)
            return known or Seat(self, intake.take_seat(tx, request, free_bytes))

    def named(self, request: Request, blob: Blob | None) -> JobRecord:
        """Return the job that the request's idempotency key names, for an input that was read to be compared.

        Raises:
            IdempotencyConflict: The key was used for another request: operation, options or input.
            SeatLost: The job is gone since it was found.
        """
        with self._write() as tx:
            job = intake.same_job(tx, request, blob)
        if job is not None:
            return job
        raise SeatLost("the job of this idempotency key was removed meanwhile; send it again")

    def renew_seat(self, seat_id: str) -> bool:
        """Keep a seat for another lease; False when it is gone."""
        with self._write() as tx:
            return intake.renew_seat(tx, seat_id)

    def fill_seat(self, seat_id: str, blob: Blob | None, request: Request | None = None) -> JobRecord:
        """Turn a seat into a job that waits; see `Seat.commit`."""
        with self._write(promise=True) as tx:
            return intake.fill_seat(tx, seat_id, blob, request)

    def leave_seat(self, seat_id: str) -> None:
        """Give a seat up."""
        with self._write() as tx:
            intake.leave_seat(tx, seat_id)

    def submit(self, request: Request, blob: Blob | None = None, reservation_bytes: int | None = None) -> JobRecord:
        """Let in a job whose input, if any, is here; with a reservation it needs no look at its input.

        Raises:
            QueueFull: As many wait as may wait.
            IdempotencyConflict: The key was used for another request.
        """
        with self._write(promise=True) as tx:
            return intake.same_job(tx, request, blob) or intake.enter(tx, request, blob, reservation_bytes)

    # --- working ---------------------------------------------------------------------------------

    def claim_probe(self, owner: str, budget_bytes: int) -> Claim | None:
        """Claim the look at the oldest input that nobody has looked at; it costs no attempt."""
        with self._write() as tx:
            return probing.claim_probe(tx, owner, budget_bytes)

    def probed(self, claim: Claim, media: Mapping[str, Any], reservation_bytes: int) -> JobRecord:
        """Write down what the input is and what memory the job is admitted by; raises `StaleClaim`."""
        with self._write() as tx:
            return probing.probed(tx, claim, media, reservation_bytes)

    def answer(
        self,
        claim: Claim,
        result: Mapping[str, Any],
        receipt: Receipt,
        warnings: Sequence[Mapping[str, str]] = (),
        result_blob: Blob | None = None,
    ) -> JobRecord:
        """End a job of which the look at its input was all the work, or not even that was needed: it was the attempt.

        Raises:
            StaleClaim: The lease was lost; the result is thrown away.
            OutputTooLarge: The result's data is too long.
        """
        with self._write(promise=True) as tx:
            return probing.answer(tx, claim, result, receipt, warnings, result_blob)

    def refuse(self, claim: Claim, error: TightshipError, jitter: float | None = None) -> JobRecord:
        """Say that the look at the input went wrong; raises `StaleClaim`.

        Returns:
            The job: failed, or waiting again when a retry may cure the error, or quarantined after the last.
        """
        with self._write(promise=True) as tx:
            return probing.refuse(tx, claim, error, _drawn(jitter))

    def claim(self, owner: str, budget_bytes: int) -> Claim | None:
        """Claim the oldest job that may run and fits beside what runs; None when there is none."""
        with self._write() as tx:
            return claims.claim(tx, owner, budget_bytes)

    def renew(self, claim: Claim, progress: Mapping[str, Any] | None = None, *, wait_s: float | None = None) -> Renewal:
        """Let the claim's lease run anew, and tell how far the work has come.

        Args:
            wait_s: How long others who write are waited for, where that is less than usual.
        """
        with self._write(wait_s=wait_s) as tx:
            return claims.renew(tx, claim, progress)

    def append_partial(self, claim: Claim, *parts: Mapping[str, Any], wait_s: float | None = None) -> None:
        """Tell whoever watches parts of the result; raises `StaleClaim`. `wait_s` as in `renew`."""
        with self._write(wait_s=wait_s) as tx:
            claims.append_partial(tx, claim, *parts)

    def finish(
        self,
        claim: Claim,
        result: Mapping[str, Any],
        receipt: Receipt,
        *,
        result_blob: Blob | None = None,
        warnings: Sequence[Mapping[str, str]] = (),
    ) -> JobRecord:
        """End an attempt that succeeded.

        Args:
            result_blob: The resulting file; the block that put it must not have ended yet.

        Raises:
            StaleClaim: The lease was lost; the result is thrown away.
            OutputTooLarge: The result's data is too long.
        """
        with self._write(promise=True) as tx:
            return ending.finish(tx, claim, result, result_blob, warnings, receipt)

    def fail(self, claim: Claim, error: TightshipError, receipt: Receipt, jitter: float | None = None) -> JobRecord:
        """End an attempt that did not succeed; raises `StaleClaim`.

        Args:
            jitter: A number from 0 to 1 that scales the wait before the next attempt; drawn when not given.
        """
        with self._write(promise=True) as tx:
            return ending.fail(tx, claim, error, receipt, _drawn(jitter))

    def hand_back(self, claim: Claim) -> JobRecord:
        """Give up an attempt, or a look at an input, as if it had never been claimed; raises `StaleClaim`."""
        with self._write(promise=True) as tx:
            return ending.hand_back(tx, claim)

    # --- steering --------------------------------------------------------------------------------

    def cancel(self, job_id: str) -> JobRecord:
        """Cancel a job that waits, ask one that runs to stop; raises `JobNotFound`, `InvalidTransition`."""
        with self._write(promise=True) as tx:
            return control.cancel(tx, job_id)

    def retry(self, job_id: str) -> JobRecord:
        """Try a job anew that has ended without success; raises `JobNotFound`, `InvalidTransition`, `QueueFull`."""
        with self._write(promise=True) as tx:
            return control.retry(tx, job_id)

    def delete(self, job_id: str) -> bool:
        """Remove a job, or ask it to stop and remove it then; True when it is gone. Raises `JobNotFound`."""
        with self._write(promise=True) as tx:
            return control.delete(tx, job_id)

    def attend(self, job_id: str) -> None:
        """Say that somebody still waits for a job that was sent in as `attended`: it stays for another lease."""
        with self._write() as tx:
            control.attend(tx, job_id)

    def take_over(self) -> int:
        """Take the jobs of those who have died on this machine, without waiting for their leases.

        Returns:
            How many wait again.
        """
        taken: list[Status] = []
        for owner in self.owners.departed():
            taken += self._each(partial(sweep.take_over, owner=owner))
        return taken.count(Status.PENDING)

    def sweep(self) -> SweepReport:
        """Undo what time undoes; to be called every few seconds, by any number of processes."""
        uploads = self.blobs.sweep_uploads()
        blobs = self._remove_unreferred()
        taken: list[Status] = []
        while batch := self._each(sweep.expire_leases):
            taken += batch
        seats = self._each(sweep.expire_seats)
        abandoned = self._all(sweep.abandon)
        expired = self._all(sweep.expire_files)
        rows = self._all(sweep.expire_rows)
        self._database.give_back()
        return SweepReport(
            requeued=taken.count(Status.PENDING),
            quarantined=taken.count(Status.QUARANTINED),
            cancelled=taken.count(Status.CANCELLED),
            seats=seats,
            abandoned=abandoned,
            expired=expired,
            rows=rows,
            blobs=blobs,
            uploads=uploads,
        )

    # --- asking ----------------------------------------------------------------------------------

    def get(self, job_id: str) -> JobRecord:
        """Return a job; raises `JobNotFound`."""
        with self._database.read() as connection:
            return queries.get(connection, job_id)

    def newest(self, status: Status | None = None, limit: int = 50, after: str | None = None) -> list[JobRecord]:
        """Return jobs, the newest first, from the one after the id `after`."""
        with self._database.read() as connection:
            return queries.newest(connection, status, limit, after)

    def load(self) -> Load:
        """Return what is being worked on now, in all processes, and the memory it is admitted by."""
        with self._database.read() as connection:
            return claims.load(connection, self._database.now_s(connection), self.config)

    def wanted(self, owner: str) -> set[str]:
        """Return the jobs that an owner works on, and that nobody has asked to stop."""
        with self._database.read() as connection:
            return queries.wanted(connection, owner)

    def counts(self) -> dict[Status, int]:
        """Return how many jobs there are in each status."""
        with self._database.read() as connection:
            return queries.counts(connection)

    def seats(self) -> int:
        """Return how many uploads hold a place in the line."""
        with self._database.read() as connection:
            return intake.seats_taken(connection, self._database.now_s(connection))

    def events_since(self, job_id: str, after: int = 0, limit: int = 100) -> list[EventRecord]:
        """Return what happened to a job after the event of that id, the oldest first."""
        with self._database.read() as connection:
            return queries.events_since(connection, job_id, after, limit)

    def attempts_of(self, job_id: str) -> list[AttemptRecord]:
        """Return the attempts at a job, the oldest first."""
        with self._database.read() as connection:
            return queries.attempts_of(connection, job_id)

    # --- how -------------------------------------------------------------------------------------

    @contextmanager
    def _write(self, *, promise: bool = False, wait_s: float | None = None) -> Iterator[Transaction]:
        dropped: set[str] = set()
        with self._database.write(promise=promise, wait_s=wait_s) as (connection, now_s):
            yield Transaction(connection, now_s, self.config, dropped)
        # Only now: a file must outlive the row that refers to it, also when the commit fails. Whatever drops files is a
        # promise, so that a power cut does not bring the row back.
        for digest in dropped:
            self.blobs.discard(digest, self._refers_to)

    def _refers_to(self, digest: str) -> bool:
        with self._database.read() as connection:
            return queries.refers_to(connection, digest)

    def _remove_unreferred(self) -> int:
        """Remove files that a process brought, or let go of, just before it died."""
        present = list(self.blobs.digests())
        with self._database.read() as connection:
            referred = queries.referred_to(connection)
        return sum(self.blobs.discard(digest, self._refers_to) for digest in present if digest not in referred)

    def _each(self, step: Callable[[Transaction], T]) -> T:
        with self._write(promise=True) as tx:
            return step(tx)

    def _all(self, step: Callable[[Transaction], int]) -> int:
        """Repeat a step until it finds no full batch any more."""
        total = 0
        while True:
            done = self._each(step)
            total += done
            if done < BATCH:
                return total

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({self._database!r}, {self.blobs!r})"


def _drawn(jitter: float | None) -> float:
    return random.random() if jitter is None else jitter
