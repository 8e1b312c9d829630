"""Word of how far a job has come, while others write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tightship import news as module
from tightship.news import News, progress_of
from tightship.pool.messages import Partial, Progress
from tightship.store.config import StoreConfig
from tightship.store.record import Claim, Renewal
from tightship.store.request import Request
from tightship.store.store import Store

#: Longer than any test: whoever waited for others to the end would be found out.
LONG_S = 600.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store that waits long for others, and keeps three events of a job."""
    with Store.open(tmp_path / "home", StoreConfig(lease_s=LONG_S, busy_s=LONG_S, max_events=3)) as opened:
        yield opened


@pytest.fixture
def claim(store: Store) -> Claim:
    """A job that is worked on."""
    store.submit(Request("gif", {}, 0), reservation_bytes=1)
    claimed = store.claim("me", 1)
    assert claimed is not None
    return claimed


@pytest.fixture
def other(store: Store) -> Iterator[sqlite3.Connection]:
    """Another process, which writes for as long as it likes."""
    with closing(sqlite3.connect(store._database.path, LONG_S, isolation_level=None)) as opened:
        yield opened


def told(store: Store, claim: Claim, kind: str) -> list[object]:
    """Return what those who watch were told."""
    return [event.data for event in store.events_since(claim.job.id) if event.kind == kind]


def test_parts_that_came_while_others_wrote_are_told_in_their_order(
    store: Store, claim: Claim, other: sqlite3.Connection
) -> None:
    """At the latest when the work is done, and the newest of them if they are more than are kept."""
    news = News(store, claim)
    other.execute("BEGIN IMMEDIATE")
    for number in range(5):
        news.tell(Partial({"part": number}))
    other.execute("ROLLBACK")

    news.tell_rest()

    assert told(store, claim, "partial") == [{"part": number} for number in (2, 3, 4)]


def test_parts_that_wait_come_with_other_news(
    store: Store, claim: Claim, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever watches need not wait for the end."""
    monkeypatch.setattr(module, "EVERY_S", 0.0)
    news = News(store, claim)
    other.execute("BEGIN IMMEDIATE")
    news.tell(Partial({"part": 0}))
    other.execute("ROLLBACK")

    news.tell(Progress(1, 2, "s"))

    assert told(store, claim, "partial") == [{"part": 0}]


def test_progress_that_came_while_others_wrote_is_left_to_the_next(
    store: Store, claim: Claim, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest is enough, and the claim is none the worse."""
    monkeypatch.setattr(module, "EVERY_S", 0.0)
    news = News(store, claim)
    other.execute("BEGIN IMMEDIATE")
    standing = [news.tell(Progress(1, 4, "s"))]
    other.execute("ROLLBACK")

    standing.append(news.tell(Progress(2, 4, "s")))

    assert standing == [Renewal.KEPT, Renewal.KEPT]
    assert (store.get(claim.job.id).progress or {})["done"] == 2


def test_progress_is_told_now_and_then(store: Store, claim: Claim, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes with each frame, and nobody reads so fast."""
    monkeypatch.setattr(module, "EVERY_S", LONG_S)
    news = News(store, claim)

    for done in range(3):
        news.tell(Progress(done, 4, "s"))

    assert (store.get(claim.job.id).progress or {})["done"] == 0


def test_news_tell_whether_the_job_is_to_stop(store: Store, claim: Claim) -> None:
    """Whoever works on it hears of it with the next progress."""
    store.cancel(claim.job.id)

    assert News(store, claim).tell(Progress(1, 4, "s")) is Renewal.CANCEL


def test_parts_of_a_job_that_is_lost_are_nobodys(store: Store, claim: Claim) -> None:
    """The one who has it now tells them."""
    store.hand_back(claim)
    news = News(store, claim)

    assert news.tell(Partial({"part": 0})) is Renewal.KEPT
    assert news.tell(Progress(1, 4, "s")) is Renewal.LOST
    assert told(store, claim, "partial") == []


@pytest.mark.parametrize(
    ("event", "fraction", "eta_s"),
    [
        (Progress(0, 60, "s"), 0.0, None),
        (Progress(15, 60, "s"), 0.25, 30.0),
        (Progress(90, 60, "s"), 1.0, 0.0),
        (Progress(7, None, "frames"), None, None),
        (Progress(7, 0, "frames"), None, None),
    ],
)
def test_progress_for_people(event: Progress, fraction: float | None, eta_s: float | None) -> None:
    """The rest is reckoned from the time the done part took; what is not known is not guessed."""
    told = progress_of(event, 10.0)

    assert (told["fraction"], told["eta_s"]) == (fraction, eta_s)
    assert (told["done"], told["total"], told["unit"]) == (event.done, event.total, event.unit)
