"""From a form to a job: the seat first, then the file, straight to the disk.

A place in the line is for those who come, not for those who only began: the first bytes of a file are kept in memory,
and when there are enough of them, or the file has ended, the seat is taken and the disk written.

Fields and file come in any order. When the file comes first, the seat is taken without knowing what for; what the form
asks for is known when it ends. Then only is it known, too, whether it is the request that its idempotency key names: a
file whose key is known already is read to be compared, takes no seat, and is not written.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from tightship.core.clock import Clock, SystemClock
from tightship.errors import InvalidOptions, MediaTooLarge, SeatLost
from tightship.http.fault import MalformedRequest
from tightship.http.field import FILE, Fields, JobWording, Wording
from tightship.http.form import OVERHEAD_BYTES, FormEvent, FormParser, PartBegan, PartData
from tightship.http.signature import HEAD_BYTES, check_signature
from tightship.operations.registry import operation_named
from tightship.operations.validation import check
from tightship.store.record import JobRecord
from tightship.store.request import Request
from tightship.store.seat import Seat
from tightship.store.store import Store
from tightship.store.upload import Tally, Upload
from tightship.units import format_bytes

#: Bytes of all text fields together: the store keeps options of 64 KiB.
MAX_FIELDS_BYTES = 72 * 2**10


@dataclass(frozen=True)
class Announcement:
    """What the request's headers tell.

    Raises:
        MediaTooLarge: More is announced than is taken.
    """

    content_type: str | None
    content_bytes: int | None
    idempotency_key: str | None
    limit_bytes: int

    def __post_init__(self) -> None:
        if self.content_bytes is not None and self.content_bytes > self.limit_bytes + OVERHEAD_BYTES:
            raise MediaTooLarge(
                f"the upload has {format_bytes(self.content_bytes)}; at most {format_bytes(self.limit_bytes)} may come",
                size_bytes=self.content_bytes,
                limit_bytes=self.limit_bytes,
            )


class Reception:
    """One upload on its way in. It does not read the network, and each call may wait for the disk.

    `close` leaves nothing behind, unless it was finished.

    Args:
        seat_after_bytes: Bytes of the file that must have come before a seat is taken, unless it ends before.
        wording: How the form says what it wants.
    """

    def __init__(
        self,
        store: Store,
        announced: Announcement,
        seat_after_bytes: int = 0,
        clock: Clock | None = None,
        wording: Wording | None = None,
    ) -> None:
        self._store = store
        self._seat_after_bytes = max(seat_after_bytes, HEAD_BYTES)
        self._announced = announced
        self._clock = clock or SystemClock()
        self._form = FormParser(announced.content_type)
        self._open = ExitStack()
        self._wording = wording or JobWording()
        self._fields: dict[str, list[bytearray]] = {}
        self._fields_bytes = 0
        self._part: PartBegan | None = None
        #: The value of the field that comes, where it counts.
        self._value: bytearray | None = None
        self._source_name: str | None = None
        self._has_file = False
        #: What has come of the file while it has no seat.
        self._head: bytearray | None = None
        self._seat: Seat | None = None
        self._renewed_s = 0.0
        #: Where the file goes: to the disk, or where the idempotency key names a job already, nowhere.
        self._file: Upload | Tally | None = None

    def begin(self) -> None:
        """Refuse what could not be taken in now, before anything is read; raises `QueueFull` and `DiskFull`."""
        # A key may name a job that is there already, which needs no room.
        if self._announced.idempotency_key is None:
            self._store.check_room(self._announced.content_bytes)

    def feed(self, piece: bytes) -> None:
        """Take in the next piece of the form.

        Raises:
            QueueFull, DiskFull, IdempotencyConflict: The seat could not be taken.
            UnsupportedMedia, MediaTooLarge: The file is not taken.
            InvalidOptions, MalformedRequest: The fields are not right.
            ExtraMissing, ModelNotFound: What is asked for cannot be done here.
            SeatLost: The upload had stopped coming for too long.
        """
        for event in self._form.feed(piece):
            self._take(event)
        self._renew()

    def finish(self) -> JobRecord:
        """Return the job that the form asked for; raises what `feed` does."""
        if not self._form.ended:
            raise MalformedRequest("the form ends before its last boundary")
        request = self._request()
        if self._file is None:
            raise InvalidOptions("the form has no file", option=FILE)
        blob = self._file.commit()
        return self._store.named(request, blob) if self._seat is None else self._seat.commit(blob, request)

    def close(self) -> None:
        """Let go of the file and the seat; doing so again changes nothing."""
        self._open.close()

    def _take(self, event: FormEvent) -> None:
        if isinstance(event, PartBegan):
            self._begin(event)
        elif isinstance(event, PartData):
            assert self._part is not None
            if self._part.name == FILE:
                self._write(event.data)
            elif self._value is not None:
                self._add(self._part.name, event.data)
        elif self._head is not None:
            self._admit_file()

    def _begin(self, part: PartBegan) -> None:
        self._part = part
        if part.name != FILE:
            counts = self._wording.admits(part.name, len(self._fields.get(part.name, ())))
            self._value = bytearray() if counts else None
            if self._value is not None:
                self._fields.setdefault(part.name, []).append(self._value)
            return
        if self._has_file:
            raise InvalidOptions(f"the form has more than one {FILE}", option=FILE)
        self._source_name = part.filename or None
        self._has_file, self._head = True, bytearray()
        if self._wording.tells(self._told()):
            self._request()

    def _sit_down(self) -> None:
        told = self._wording.tells(self._told())
        announced = self._announced
        unknown = Request("", {}, announced.content_bytes, idempotency_key=announced.idempotency_key)
        taken = self._store.reserve_seat(self._request() if told else unknown)
        if isinstance(taken, JobRecord):
            return
        self._seat = self._open.enter_context(taken)
        self._renewed_s = self._clock.monotonic_s()

    def _write(self, data: bytes) -> None:
        if self._head is None:
            assert self._file is not None
            self._file.write(data)
            return
        self._head += data
        if len(self._head) >= HEAD_BYTES:
            check_signature(bytes(self._head[:HEAD_BYTES]))
        if len(self._head) >= self._seat_after_bytes:
            self._admit_file()

    def _admit_file(self) -> None:
        """Take a seat, and open the file on the disk; neither where the key is known already."""
        assert self._head is not None
        head, self._head = bytes(self._head), None
        check_signature(head[:HEAD_BYTES])
        self._sit_down()
        limit_bytes = self._announced.limit_bytes
        if self._seat is None:
            self._file = Tally(limit_bytes)
        else:
            self._file = self._open.enter_context(self._store.blobs.open_upload(limit_bytes))
        self._file.write(head)

    def _add(self, name: str, data: bytes) -> None:
        assert self._value is not None
        self._value += data
        self._fields_bytes += len(data)
        if self._fields_bytes > MAX_FIELDS_BYTES:
            raise InvalidOptions(f"the fields have more than {format_bytes(MAX_FIELDS_BYTES)}", option=name)

    def _renew(self) -> None:
        """Keep the seat as long as bytes come, however slowly."""
        if self._seat is None or self._clock.monotonic_s() - self._renewed_s < self._store.config.lease_s / 3:
            return
        self._renewed_s = self._clock.monotonic_s()
        if not self._seat.renew():
            raise SeatLost("the upload took longer than its place in the queue was kept; send it again")

    def _request(self) -> Request:
        """Return what the fields ask for; raises `InvalidOptions`."""
        order = self._wording.order(self._told())
        operation = operation_named(order.operation)
        check(operation, order.options, folders=False)
        return Request(
            operation.name,
            order.options,
            self._announced.content_bytes,
            self._source_name,
            self._announced.idempotency_key,
            attended=order.attended,
        )

    def _told(self) -> Fields:
        return {
            name: [bytes(value).decode("utf-8", "replace") for value in values] for name, values in self._fields.items()
        }
