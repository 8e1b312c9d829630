"""What every store promises about who is let in, and about files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tightship.errors import (
    DiskFull,
    IdempotencyConflict,
    InvalidOptions,
    InvalidTransition,
    QueueFull,
    SeatLost,
    WorkerDied,
)
from tightship.store.request import Request
from tightship.store.seat import Seat
from tightship.store.store import Store
from tightship.store.upload import Blob, Tally

from .conftest import Shop
from .jobs import BROKEN, OK, claimed, probed, submit, upload


def seat_of(store: Store, content_bytes: int | None = 5) -> Seat:
    """Take a seat, which there must be."""
    seat = store.reserve_seat(Request("gif", {}, content_bytes))
    assert isinstance(seat, Seat)
    return seat


def input_of(content: bytes) -> Blob:
    """Return what an input is once it has been read."""
    tally = Tally(2**20)
    tally.write(content)
    return tally.commit()


def files(store: Store) -> list[Path]:
    """Return every file of the store but its lock."""
    return [path for path in store.blobs.root.rglob("*") if path.is_file() and path.name != ".lock"]


def test_queue_is_full_at_its_limit(shop: Shop) -> None:
    """Uploads under way count; the refusal says when to come again."""
    store = shop.open(max_pending=2)
    submit(store)
    seat_of(store)

    with pytest.raises(QueueFull) as refusal:
        seat_of(store)
    with pytest.raises(QueueFull):
        submit(store)
    assert refusal.value.retryable
    assert refusal.value.details["retry_after_s"] == 10


def test_ten_wait_unless_it_is_said_otherwise(store: Store) -> None:
    """The usual line is short: who waits long is better told so."""
    for _ in range(10):
        submit(store)

    with pytest.raises(QueueFull, match="10 jobs are waiting; at most 10 may"):
        seat_of(store)


def test_claimed_job_frees_its_place(shop: Shop) -> None:
    """The limit is on those that wait."""
    store = shop.open(max_pending=1)
    submit(store)
    claimed(store)

    assert submit(store).attempts == 0


def test_cancelled_seat_frees_its_place(shop: Shop) -> None:
    """An upload that was broken off is in nobody's way."""
    store = shop.open(max_pending=1)
    with seat_of(store):
        pass

    seat_of(store)


def test_seat_that_is_not_renewed_expires(shop: Shop) -> None:
    """Its place is free, and what comes too late is refused."""
    store = shop.open(max_pending=1)
    seat = seat_of(store)
    shop.wait(20)
    assert seat.renew()
    shop.wait(31)

    assert store.sweep().seats == 1

    assert not seat.renew()
    with pytest.raises(SeatLost):
        seat.commit(None)
    seat_of(store)


def test_seat_becomes_a_job_of_the_same_id(store: Store) -> None:
    """Whoever was given the id can ask for it."""
    seat = seat_of(store, 0)

    seat.commit(None)

    assert store.get(seat.id).id == seat.id


def test_disk_is_reserved_before_a_byte_is_read(shop: Shop) -> None:
    """Uploads that would not fit together are refused, one by one."""
    free_bytes = shop.open().blobs.free_bytes()
    store = shop.open(disk_reserve_bytes=2**20)
    first = seat_of(store, free_bytes * 6 // 10)

    with pytest.raises(DiskFull):
        seat_of(store, free_bytes * 6 // 10)
    first.cancel()
    seat_of(store, free_bytes * 6 // 10)


def test_upload_of_unknown_length_reserves_the_most(shop: Shop) -> None:
    """Where no length was announced, the largest is assumed."""
    store = shop.open(max_content_bytes=10**14)

    with pytest.raises(DiskFull):
        seat_of(store, None)


def test_same_key_and_request_is_the_same_job(store: Store) -> None:
    """Sent twice, done once; also after it has ended and its input is gone."""
    job = upload(store, b"a video", idempotency_key="k")
    request = Request("gif", {"width": 320}, None, "of another name", idempotency_key="k")

    assert store.reserve_seat(request) == job
    assert store.named(request, input_of(b"a video")) == job
    probed(store)
    store.finish(claimed(store), {}, OK)
    assert submit(store).id != job.id
    assert store.named(request, input_of(b"a video")).id == job.id


@pytest.mark.parametrize(
    ("operation", "options", "content"),
    [("clip", {"width": 320}, b"a video"), ("gif", {}, b"a video"), ("gif", {"width": 320}, b"another")],
)
def test_key_of_another_request_is_a_conflict(
    store: Store, operation: str, options: dict[str, int], content: bytes
) -> None:
    """Operation, options and content make the request; contents of one length are told apart."""
    upload(store, b"a video", idempotency_key="k")

    with pytest.raises(IdempotencyConflict):
        store.named(Request(operation, options, idempotency_key="k"), input_of(content))


def test_key_of_another_request_is_a_conflict_without_an_input(store: Store) -> None:
    """A job that was submitted whole is compared at once."""
    job = submit(store, idempotency_key="k")

    assert submit(store, idempotency_key="k") == job
    with pytest.raises(IdempotencyConflict):
        store.submit(Request("gif", {"width": 321}, idempotency_key="k"))


def test_key_is_taken_while_the_first_request_comes(store: Store) -> None:
    """Also when it has not been told yet what is asked for."""
    store.reserve_seat(Request("", {}, 7, idempotency_key="k"))

    with pytest.raises(IdempotencyConflict):
        store.reserve_seat(Request("gif", {}, 7, idempotency_key="k"))


def test_key_whose_job_was_removed_meanwhile_is_to_be_sent_again(store: Store) -> None:
    """Its second input was read to be compared and is not kept, so there is nothing to make a job of."""
    request = Request("gif", {}, 7, idempotency_key="k")

    with pytest.raises(SeatLost):
        store.named(request, input_of(b"a video"))


def test_key_of_an_expired_seat_is_free(shop: Shop, store: Store) -> None:
    """Who was cut off may send again at once, without waiting for a sweep."""
    request = Request("gif", {}, 7, idempotency_key="k")
    store.reserve_seat(request)
    shop.wait(31)

    assert isinstance(store.reserve_seat(request), Seat)


def test_key_of_a_removed_job_is_free(store: Store) -> None:
    """What is gone cannot be named."""
    job = submit(store, idempotency_key="k")
    store.delete(job.id)

    assert submit(store, idempotency_key="k").id != job.id


def test_options_that_are_too_long_are_refused(store: Store) -> None:
    """What people type fits; what does not is not kept."""
    with pytest.raises(InvalidOptions):
        store.reserve_seat(Request("gif", {"text": "x" * 100_000}, 0))


def test_input_goes_at_success(store: Store) -> None:
    """What is not needed any more is not kept."""
    upload(store)
    probed(store)
    assert len(files(store)) == 1

    store.finish(claimed(store), {}, OK)

    assert files(store) == []


def test_input_stays_for_a_retry(shop: Shop, store: Store) -> None:
    """Until its time is over; then there is nothing to retry with."""
    job = upload(store, max_attempts=1)
    probed(store)
    store.fail(claimed(store), WorkerDied("it died"), BROKEN)
    assert len(files(store)) == 1

    shop.wait(3601)
    report = store.sweep()

    assert (report.expired, files(store)) == (1, [])
    with pytest.raises(InvalidTransition):
        store.retry(job.id)


def test_result_is_kept_for_its_time(shop: Shop, store: Store, tmp_path: Path) -> None:
    """The file can be read until the time is over; the row tells of it for longer."""
    job = submit(store)
    (tmp_path / "out.gif").write_bytes(b"a gif")
    with store.blobs.put_file(tmp_path / "out.gif") as blob:
        store.finish(claimed(store), {}, OK, result_blob=blob)
    shop.wait(3500)
    store.sweep()
    assert store.blobs.path(blob.digest).read_bytes() == b"a gif"

    shop.wait(200)
    store.sweep()

    assert files(store) == []
    found = store.get(job.id)
    assert (found.result_digest, found.result_bytes) == (None, 5)


def test_file_of_two_jobs_goes_with_the_last(store: Store) -> None:
    """The same content is kept once, as long as somebody needs it."""
    jobs = [upload(store), upload(store)]
    assert len(files(store)) == 1

    store.delete(jobs[0].id)
    assert len(files(store)) == 1
    store.delete(jobs[1].id)
    assert files(store) == []


def test_file_nobody_refers_to_is_swept_once_it_is_let_go(store: Store) -> None:
    """Whoever has just brought it may still be about to refer to it."""
    with store.blobs.open_upload(10) as sent:
        sent.write(b"a video")
        sent.commit()
        assert store.sweep().blobs == 0

    assert store.sweep().blobs == 1
    assert files(store) == []


def test_sweep_leaves_an_upload_under_way_alone(store: Store) -> None:
    """A writer that lives is not disturbed."""
    with store.blobs.open_upload(10) as sent:
        sent.write(b"a ")
        assert store.sweep().uploads == 0
        sent.write(b"video")
        assert sent.commit().size_bytes == 7


def test_rows_are_bounded_by_number(shop: Shop) -> None:
    """The oldest go first, with their attempts; those that wait are never counted."""
    store = shop.open(max_rows=3)
    done = []
    for _ in range(5):
        done.append(submit(store))
        store.finish(claimed(store), {}, OK)
        shop.wait(1)
    waiting = submit(store)

    assert store.sweep().rows == 2

    assert sorted(job.id for job in store.newest()) == sorted(job.id for job in [*done[2:], waiting])
    assert [len(store.attempts_of(job.id)) for job in done] == [0, 0, 1, 1, 1]


def test_rows_are_bounded_by_age(shop: Shop) -> None:
    """What ended long ago is forgotten."""
    store = shop.open(row_ttl_s=100)
    submit(store)
    store.finish(claimed(store), {}, OK)
    shop.wait(101)

    assert store.sweep().rows == 1
    assert store.newest() == []


def test_two_openings_see_the_same_jobs(shop: Shop) -> None:
    """A store is shared by any number of processes."""
    one, two = shop.open(), shop.open()

    job = submit(one)

    assert two.get(job.id) == one.get(job.id)


def test_seat_taken_for_an_unknown_request_keeps_the_place(shop: Shop) -> None:
    """What is asked for may be told with the input, though the line is full by then."""
    store = shop.open(max_pending=1)
    seat = store.reserve_seat(Request("", {}, 0))
    assert isinstance(seat, Seat)
    with pytest.raises(QueueFull):
        store.submit(Request("info", {}, 0))

    job = seat.commit(None, Request("gif", {"width": 64}, 0, "in.mp4"))

    assert (job.id, job.operation, job.options, job.source_name) == (seat.id, "gif", {"width": 64}, "in.mp4")


def test_seat_keeps_its_key(store: Store) -> None:
    """What is asked for may be told with the input; the key under which it is done was shown before."""
    seat = store.reserve_seat(Request("", {}, idempotency_key="k"))
    assert isinstance(seat, Seat)
    request = Request("gif", {}, idempotency_key="k")

    job = seat.commit(None, request)

    assert store.named(request, None) == job
