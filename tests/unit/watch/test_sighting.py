"""Whether a file is still being written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tightship.testing import FakeClock
from tightship.watch.sighting import Rest, Settling, Sighting

SEEN = Sighting(Path("/in/talk.mp4"), Path("/in"), size_bytes=10, mtime_ns=0, changed_ns=0)


def at(wall_s: float, file: Sighting = SEEN) -> Sighting:
    """Return the file as if it had last been changed at that time of day."""
    return replace(file, mtime_ns=round(wall_s * 1e9), changed_ns=round(wall_s * 1e9))


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still."""
    return FakeClock()


def look(settling: Settling, file: Sighting, clock: FakeClock) -> Rest:
    """See a file now."""
    return settling.see(file, clock.monotonic_s(), clock.wall_s())


def test_old_file_is_taken_at_once(clock: FakeClock) -> None:
    """It costs no memory, however many there are."""
    settling = Settling(5.0)

    assert look(settling, at(clock.wall_s() - 5), clock) is Rest.SETTLED
    assert len(settling) == 0


def test_time_that_was_set_back_does_not_count(clock: FakeClock) -> None:
    """A copy that keeps the old time of its content is new all the same."""
    settling = Settling(5.0)
    copied = replace(at(clock.wall_s()), mtime_ns=0)

    assert look(settling, copied, clock) is Rest.WAITING


def test_growing_file_is_taken_when_it_rests(clock: FakeClock) -> None:
    """Every change starts the wait anew."""
    settling = Settling(5.0)
    file = at(clock.wall_s())
    assert look(settling, file, clock) is Rest.WAITING
    for _ in range(3):
        clock.advance(4)
        file = replace(at(clock.wall_s()), size_bytes=file.size_bytes + 1)
        assert look(settling, file, clock) is Rest.GROWING

    clock.advance(4.9)
    assert (look(settling, file, clock), settling.due(clock.monotonic_s())) == (Rest.WAITING, [])
    clock.advance(0.2)

    assert settling.due(clock.monotonic_s()) == [file]
    assert look(settling, file, clock) is Rest.SETTLED
    assert settling.due(clock.monotonic_s()) == []


def test_file_from_the_future_settles(clock: FakeClock) -> None:
    """Its times are another machine's; that it stays as it is counts."""
    settling = Settling(5.0)
    file = at(clock.wall_s() + 1e6)
    assert look(settling, file, clock) is Rest.WAITING

    clock.advance(5)

    assert look(settling, file, clock) is Rest.SETTLED


def test_only_so_many_are_waited_for(clock: FakeClock) -> None:
    """The next has to be found again; one that is settled or forgotten makes room."""
    settling = Settling(5.0, limit=2)
    files = [at(clock.wall_s(), replace(SEEN, source=Path(f"/in/{number}.mp4"))) for number in range(3)]
    assert [look(settling, file, clock) for file in files] == [Rest.WAITING, Rest.WAITING, Rest.CROWDED]

    settling.forget(files[0].source)

    assert look(settling, files[2], clock) is Rest.WAITING
    assert len(settling) == 2
