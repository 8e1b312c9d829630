"""From a file in a folder to a job in the store: read it, know it by its content, copy it in."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import BinaryIO

from tightship.errors import (
    Cancelled,
    DiskFull,
    ExtraMissing,
    JobNotFound,
    MediaNotFound,
    MediaTooLarge,
    ModelNotFound,
    ModelUnusable,
    OutputUnwritable,
    SeatLost,
    SlotsUnavailable,
    StoreBusy,
    UnsupportedMedia,
)
from tightship.pool.source import open_source
from tightship.store.document import TEXT_CHARS
from tightship.store.record import JobRecord
from tightship.store.request import Request
from tightship.store.seat import Seat
from tightship.store.states import Status
from tightship.store.store import Store
from tightship.store.upload import CHUNK_BYTES
from tightship.units import format_bytes
from tightship.watch.recipe import Recipe
from tightship.watch.sighting import Sighting

#: What is wrong with the surroundings and not with the file: it is told, and tried again.
PASSING = (
    DiskFull, ExtraMissing, MediaNotFound, ModelNotFound, ModelUnusable, OutputUnwritable, SlotsUnavailable, StoreBusy,
)  # fmt: skip


class Changed(Exception):
    """The file was written to while it was read, or is gone."""


class Submission:
    """The door to the store for files that lie in folders.

    Args:
        limit_bytes: Files with more are refused before they are read.
        stop: Set to give up in the middle of a file.
        anew_before_s: Jobs that were made before, by the database's clock, do not count.
    """

    def __init__(
        self, store: Store, recipe: Recipe, limit_bytes: int, stop: threading.Event, anew_before_s: float = 0.0
    ) -> None:
        self._store = store
        self._recipe = recipe
        self._limit_bytes = limit_bytes
        self._stop = stop
        self.anew_before_s = anew_before_s

    def check_line(self) -> None:
        """Refuse a file before it is read while as many jobs wait as may wait.

        Raises:
            QueueFull, StoreBusy: Not now.
        """
        with suppress(DiskFull):  # that is for `submit` to say: not every file needs a copy
            self._store.check_room(0)

    def digest_of(self, sighting: Sighting) -> str:
        """Return the SHA-256 of a file's content.

        Raises:
            MediaTooLarge: It has more bytes than the limit; it was not read.
            MediaNotFound: It may not be read.
            Changed: It is not as it was seen.
            Cancelled: The watch is to stop.
        """
        if sighting.size_bytes > self._limit_bytes:
            raise MediaTooLarge(
                f"the file has {format_bytes(sighting.size_bytes)}; the limit is {format_bytes(self._limit_bytes)}",
                size_bytes=sighting.size_bytes,
                limit_bytes=self._limit_bytes,
            )
        sha256 = hashlib.sha256()
        self._read(sighting, sha256.update)
        return sha256.hexdigest()

    def submit(self, sighting: Sighting, digest: str) -> JobRecord:
        """Return the job that works on this content; it may have ended.

        Raises:
            QueueFull, IdempotencyConflict, SeatLost, StoreBusy: Not now.
            DiskFull, MediaNotFound: There is no room for a copy; it may not be read.
            Changed, Cancelled: See `digest_of`.
        """
        name = os.fsencode(sighting.source.name).decode(errors="replace")[:TEXT_CHARS]
        request = Request(
            self._recipe.operation,
            self._recipe.options,
            content_bytes=sighting.size_bytes,
            source_name=name,
            idempotency_key=f"watch-{self._recipe.request}-{digest}",
        )
        held = self._store.reserve_seat(request)
        if isinstance(held, JobRecord):
            if self._counts(held):
                return held
            self._forget(held)
            held = self._store.reserve_seat(request)
            if isinstance(held, JobRecord):
                return held
        with held:
            return self._fill(held, sighting, digest)

    def open_result(self, job: JobRecord) -> tuple[BinaryIO, str]:
        """Open the result of a job that succeeded, and return it with its SHA-256.

        Raises:
            FileNotFoundError: It is no longer kept.
        """
        if not self._recipe.has_file:
            told = {name: value for name, value in (job.result or {}).items() if name != "cached"}
            data = (json.dumps(told, ensure_ascii=False, indent=2) + "\n").encode()
            return BytesIO(data), hashlib.sha256(data).hexdigest()
        if job.result_digest is None:
            raise FileNotFoundError("the result is no longer kept")
        return self._store.blobs.path(job.result_digest).open("rb"), job.result_digest

    def _counts(self, job: JobRecord) -> bool:
        """Whether a job that is known already says what there is to say."""
        if not job.status.final:
            return True
        if job.created_s < self.anew_before_s or isinstance(job.error, PASSING):
            return False
        return job.status is not Status.SUCCEEDED or not self._recipe.has_file or job.result_digest is not None

    def _forget(self, job: JobRecord) -> None:
        try:
            self._store.delete(job.id)
        except JobNotFound:  # its time ran out just now
            return

    def _fill(self, seat: Seat, sighting: Sighting, digest: str) -> JobRecord:
        renew_every_s = self._store.config.lease_s / 3
        renewed_s = time.monotonic()
        with self._store.blobs.open_upload(sighting.size_bytes) as upload:

            def take(chunk: bytes) -> None:
                nonlocal renewed_s
                upload.write(chunk)
                if time.monotonic() - renewed_s >= renew_every_s:
                    renewed_s = time.monotonic()
                    if not seat.renew():
                        raise SeatLost("the copy of the file took longer than its place in the queue was kept")

            self._read(sighting, take)
            blob = upload.commit()
            if blob.digest != digest:
                raise Changed(sighting.source)
            return seat.commit(blob)

    def _read(self, sighting: Sighting, take: Callable[[bytes], object]) -> None:
        """Give the file's content away piece by piece, and make sure that it was the same from end to end."""
        try:
            with open_source(sighting.source) as fd:
                assert fd is not None
                done_bytes = 0
                while chunk := os.read(fd, CHUNK_BYTES):
                    done_bytes += len(chunk)
                    if done_bytes > sighting.size_bytes:
                        break
                    take(chunk)
                    if self._stop.is_set():
                        raise Cancelled("the watch was stopped")
                found = os.fstat(fd)
        except (MediaNotFound, UnsupportedMedia):
            if not os.path.isfile(sighting.source):  # noqa: PTH113 - also where its folder has been shut
                raise Changed(sighting.source) from None
            raise
        except OSError as fault:
            raise MediaNotFound(f"{str(sighting.source)!r} cannot be read: {fault.strerror}") from None
        if (done_bytes, found.st_size, found.st_mtime_ns) != (
            sighting.size_bytes,
            sighting.size_bytes,
            sighting.mtime_ns,
        ):
            raise Changed(sighting.source)
