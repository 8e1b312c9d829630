"""From a form to a job, on a real store without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.http.test_form import KIND
from tightship.errors import (
    ExtraMissing,
    IdempotencyConflict,
    MediaTooLarge,
    ModelNotFound,
    QueueFull,
    SeatLost,
    UnsupportedMedia,
)
from tightship.http.fault import MalformedRequest
from tightship.http.reception import Announcement, Reception
from tightship.operations import validation
from tightship.store.config import StoreConfig
from tightship.store.record import JobRecord
from tightship.store.request import Request
from tightship.store.seat import Seat
from tightship.store.store import Store
from tightship.testing import FakeClock

MEDIA = b"\x00\x00\x00\x18ftypmp42" + bytes(range(256)) * 8
FILE = b'--x\r\nContent-Disposition: form-data; name="file"; filename="v.mp4"\r\n\r\n'
OPERATION = b'--x\r\nContent-Disposition: form-data; name="operation"\r\n\r\ninfo\r\n'
OPTIONS = b'--x\r\nContent-Disposition: form-data; name="options"\r\n\r\n{"fps": 5}\r\n'
GIF = OPERATION.replace(b"info", b"gif")
END = b"--x--\r\n"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with one place in its line."""
    with Store.open(tmp_path, StoreConfig(max_pending=1)) as opened:
        yield opened


def reception(
    store: Store, key: str | None = None, clock: FakeClock | None = None, seat_after_bytes: int = 0
) -> Reception:
    """Begin to receive."""
    return Reception(store, Announcement(KIND, 5000, key, 10_000), seat_after_bytes, clock or FakeClock())


def files(store: Store) -> list[Path]:
    """Return every file in the store."""
    return [path for path in store.blobs.root.rglob("*") if path.is_file() and path.name != ".lock"]


def seat_is_free(store: Store) -> bool:
    """Whether somebody else would find room."""
    taken = store.reserve_seat(Request("info", {}))
    assert isinstance(taken, Seat)
    taken.cancel()
    return True


@pytest.mark.parametrize(
    "form",
    [
        GIF + OPTIONS + FILE + MEDIA + b"\r\n" + END,
        FILE + MEDIA + b"\r\n" + GIF + OPTIONS + END,
        GIF + FILE + MEDIA + b"\r\n" + OPTIONS + END,
    ],
)
def test_the_order_of_the_parts_changes_nothing(store: Store, form: bytes) -> None:
    """The job has the operation, the options and the file, wherever they stood."""
    receiving = reception(store)
    for at in range(0, len(form), 100):
        receiving.feed(form[at : at + 100])
    job = receiving.finish()
    receiving.close()
    assert (job.operation, job.options, job.source_name) == ("gif", {"fps": 5}, "v.mp4")
    assert store.blobs.path(str(job.source_digest)).read_bytes() == MEDIA
    assert store.get(job.id) == job


@pytest.mark.parametrize("form", [GIF + FILE + MEDIA, FILE + MEDIA, GIF + OPTIONS + FILE, FILE + MEDIA + b"\r\n" + END])
def test_what_is_not_finished_leaves_nothing(store: Store, form: bytes) -> None:
    """A form that ends early, wherever it does, leaves neither file nor seat nor job."""
    receiving = reception(store)
    receiving.feed(form)
    receiving.close()
    assert files(store) == []
    assert store.newest() == []
    assert seat_is_free(store)


def test_a_form_without_its_end_makes_no_job(store: Store) -> None:
    """What was cut off is not taken for the whole."""
    receiving = reception(store)
    receiving.feed(OPERATION + FILE + MEDIA)
    with pytest.raises(MalformedRequest):
        receiving.finish()
    receiving.close()


def test_the_seat_is_taken_before_the_file(store: Store) -> None:
    """With the line full, not a byte of the file is kept."""
    first = reception(store)
    first.feed(OPERATION + FILE + MEDIA)
    second = reception(store)
    with pytest.raises(QueueFull):
        second.feed(OPERATION + FILE + MEDIA)
    second.close()
    assert len(files(store)) == 1
    first.close()


def test_whoever_only_began_has_no_seat(store: Store) -> None:
    """The seat is taken when enough of the file has come, and before any of it is on the disk."""
    slow = reception(store, seat_after_bytes=1500)
    slow.feed(OPERATION + FILE + MEDIA[:1499])
    assert seat_is_free(store)
    assert files(store) == []
    slow.feed(MEDIA[1499:1500])
    assert store.seats() == 1
    assert [path.stat().st_size for path in files(store)] == [1500]
    slow.close()
    assert store.seats() == 0


def test_a_short_file_takes_its_seat_at_its_end(store: Store) -> None:
    """What is shorter than what a seat is given for is a job all the same."""
    receiving = reception(store, seat_after_bytes=10**6)
    receiving.feed(OPERATION + FILE + MEDIA + b"\r\n" + END)
    job = receiving.finish()
    receiving.close()
    assert job.source_bytes == len(MEDIA)


def test_what_is_no_media_needs_no_seat_to_be_refused(store: Store) -> None:
    """The first bytes are looked at as soon as they are there."""
    receiving = reception(store, seat_after_bytes=10**6)
    with pytest.raises(UnsupportedMedia):
        receiving.feed(OPERATION + FILE + bytes(600))


def test_more_than_the_limit_is_not_kept(store: Store) -> None:
    """What was announced too small is counted all the same."""
    receiving = reception(store)
    with pytest.raises(MediaTooLarge):
        receiving.feed(OPERATION + FILE + MEDIA * 10)
    receiving.close()
    assert files(store) == []
    with pytest.raises(MediaTooLarge):
        Announcement(KIND, 10**9, None, 10_000)


FORMS = {
    "fields first": GIF + OPTIONS + FILE + MEDIA + b"\r\n" + END,
    "file first": FILE + MEDIA + b"\r\n" + GIF + OPTIONS + END,
    "file between": GIF + FILE + MEDIA + b"\r\n" + OPTIONS + END,
}


def received(store: Store, form: bytes, content_bytes: int | None, boundary: bytes = b"x") -> JobRecord:
    """Receive a whole form with the key "key"."""
    kind = f"multipart/form-data; boundary={boundary.decode()}"
    receiving = Reception(store, Announcement(kind, content_bytes, "key", 10_000))
    try:
        receiving.begin()
        receiving.feed(form.replace(b"--x", b"--" + boundary))
        return receiving.finish()
    finally:
        receiving.close()


@pytest.mark.parametrize("first", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("again", FORMS.values(), ids=FORMS.keys())
def test_a_known_key_needs_no_room(store: Store, first: bytes, again: bytes) -> None:
    """The same request is the same job however its form was put together; of the second nothing is kept."""
    job = received(store, first, len(first))
    kept = files(store)

    assert received(store, again, None, b"another-boundary").id == job.id
    with pytest.raises(QueueFull):
        store.reserve_seat(Request("info", {}))
    assert files(store) == kept


@pytest.mark.parametrize(
    "other",
    [
        form.replace(*change)
        for form in FORMS.values()
        for change in [(b"5}", b"6}"), (MEDIA, MEDIA[:-1] + b"!"), (MEDIA, MEDIA + b"more")]
    ],
)
def test_a_known_key_with_another_request_is_a_conflict(store: Store, other: bytes) -> None:
    """Also where only the last of the content differs, or what stands behind it."""
    received(store, FORMS["file between"], 5000)

    with pytest.raises(IdempotencyConflict):
        received(store, other, 5000)


def test_a_known_key_takes_no_more_than_the_limit(store: Store) -> None:
    """What is only read to be compared is counted, too."""
    received(store, FORMS["fields first"], 5000)

    with pytest.raises(MediaTooLarge):
        received(store, FORMS["fields first"].replace(MEDIA, MEDIA * 10), None)


def test_a_lost_seat_ends_the_upload(store: Store) -> None:
    """Whoever comes back after the seat was given away is told so."""
    clock = FakeClock()
    receiving = reception(store, clock=clock)
    receiving.feed(OPERATION + FILE + MEDIA)
    assert receiving._seat is not None
    store.leave_seat(receiving._seat.id)
    clock.advance(store.config.lease_s)
    with pytest.raises(SeatLost):
        receiving.feed(MEDIA)
    receiving.close()
    assert files(store) == []


@pytest.mark.parametrize("model", ["nobody/nowhere", "/", "../models", "~"])
def test_a_model_that_is_not_there_is_refused_before_the_file(store: Store, model: str) -> None:
    """No seat is taken, nothing is kept; a folder is as little told of as a name that nobody knows."""
    pytest.importorskip("faster_whisper", reason="the extra 'transcribe' is not installed")
    field = b'--x\r\nContent-Disposition: form-data; name="options"\r\n\r\n{"model": "%s"}\r\n' % model.encode()
    receiving = reception(store)

    with pytest.raises(ModelNotFound, match="There is no model"):
        receiving.feed(OPERATION.replace(b"info", b"transcribe") + field + FILE + MEDIA)

    receiving.close()
    assert files(store) == []
    assert seat_is_free(store)


def test_an_operation_that_is_not_installed_is_refused_before_the_file(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sends it learns what the server lacks."""
    monkeypatch.setattr(validation, "find_spec", lambda _name: None)
    receiving = reception(store)

    with pytest.raises(ExtraMissing, match=r"tightship\[transcribe\]"):
        receiving.feed(OPERATION.replace(b"info", b"transcribe") + FILE + MEDIA)

    receiving.close()
    assert files(store) == []
