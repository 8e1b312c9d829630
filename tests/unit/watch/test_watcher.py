"""A watch from end to end, with jobs that are done at once."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest

from tightship.errors import Cancelled, CorruptMedia, DiskFull
from tightship.store.config import StoreConfig
from tightship.store.request import Request
from tightship.store.store import Store
from tightship.watch import work
from tightship.watch.choice import Choice
from tightship.watch.sighting import Settling, Sighting
from tightship.watch.submission import Submission
from tightship.watch.watcher import BATCH

from .conftest import Yard

BROKEN = CorruptMedia("it is broken")


def _bytes(count: int) -> str:
    return f'{{\n  "bytes": {count}\n}}\n'


def test_every_file_gets_its_result_once(yard: Yard) -> None:
    """In folders too; what has its result is left alone by the next run."""
    yard.write("talk.mp4", "talk")
    yard.write("deep/er/song.mp3", "a song")

    assert yard.watch().whole
    assert yard.results() == {"talk.json": _bytes(4), "deep/er/song.json": _bytes(6)}
    assert sorted(yard.how()) == [("song.mp3", "done"), ("talk.mp4", "done")]
    yard.watch()
    assert (yard.how(), len(yard.bench.worked)) == ([], 2)


def test_results_go_to_a_folder_like_that_of_the_files(yard: Yard) -> None:
    """The folder may lie in the watched one: nothing in it is taken for a source."""
    yard.write("deep/talk.mp4", "talk")
    place = yard.folder / "results"

    yard.watch(output_dir=place)
    (place / "stray.mp4").write_text("not a source")
    yard.watch(output_dir=place)

    assert yard.results() == {"results/deep/talk.json": _bytes(4)}


def test_copies_are_worked_on_once(yard: Yard) -> None:
    """Both get the result: the one that comes while the other is at work, and the one that comes days later."""
    yard.write("one.mp4", "the same")
    yard.write("two.mp4", "the same")

    yard.watch()
    yard.write("late.mp4", "the same")
    yard.watch()

    assert yard.bench.worked == [b"the same"]
    assert yard.results() == dict.fromkeys(("one.json", "two.json", "late.json"), _bytes(8))
    assert yard.how() == [("late.mp4", "copied")]


def test_copy_outlives_the_job(yard: Yard) -> None:
    """Long after the job is forgotten, a result that is still there is copied; one that was edited is not."""
    yard.write("one.mp4", "the same")
    yard.watch()
    (job,) = yard.store.newest()
    yard.store.delete(job.id)

    yard.write("two.mp4", "the same")
    yard.watch()
    assert (yard.how(), len(yard.bench.worked)) == ([("two.mp4", "copied")], 1)
    for name in ("one.json", "two.json"):
        yard.write(name, "edited")
    yard.write("three.mp4", "the same")
    yard.watch()
    assert (yard.how(), len(yard.bench.worked)) == ([("three.mp4", "done")], 2)


def test_renamed_and_touched_files_are_not_worked_on_again(yard: Yard) -> None:
    """A renamed one gets its result under the new name; the old result stays, as nobody asked for it to go."""
    path = yard.write("talk.mp4", "talk")
    yard.watch()

    path.rename(yard.folder / "speech.mp4")
    yard.watch()
    os.utime(yard.folder / "speech.mp4", (1, 1))
    yard.watch()

    assert len(yard.bench.worked) == 1
    assert yard.results() == {"talk.json": _bytes(4), "speech.json": _bytes(4)}
    assert yard.how() == []


def test_new_ending_keeps_the_result(yard: Yard) -> None:
    """`talk.mov` renamed to `talk.mp4` has the result it had."""
    path = yard.write("talk.mov", "talk")
    yard.watch()

    path.rename(yard.folder / "talk.mp4")

    assert yard.watch().whole
    assert (len(yard.bench.worked), yard.how()) == (1, [("talk.mp4", "copied")])


def test_changed_file_is_worked_on_again(yard: Yard) -> None:
    """Its result is replaced, as it is ours."""
    yard.write("talk.mp4", "talk")
    yard.watch()

    yard.write("talk.mp4", "longer talk")
    yard.watch()

    assert yard.results() == {"talk.json": _bytes(11)}


def test_what_is_not_ours_is_never_replaced(yard: Yard) -> None:
    """Neither what was there before, nor a result that somebody has edited; both are told of once."""
    yard.write("hand.mp4", "by hand")
    yard.write("hand.json", "written by hand")
    yard.write("talk.mp4", "talk")
    assert yard.watch().whole
    assert ("hand.mp4", "left") in yard.how()

    yard.write("talk.json", "edited")
    yard.write("talk.mp4", "longer talk")
    yard.watch()
    assert yard.how() == [("talk.mp4", "left")]
    yard.watch(force=True)

    assert yard.results() == {"hand.json": "written by hand", "talk.json": "edited"}


def test_result_that_is_missing_is_made_again(yard: Yard) -> None:
    """Removing it is how people ask for it."""
    yard.write("talk.mp4", "talk")
    yard.watch()
    (yard.folder / "talk.json").unlink()

    yard.watch()

    assert yard.results() == {"talk.json": _bytes(4)}


def test_two_files_of_one_name_do_not_take_turns(yard: Yard) -> None:
    """`talk.mp3` and `talk.mp4` want the same place: one has it, the other is told of."""
    yard.write("talk.mp3", "sound")
    yard.write("talk.mp4", "picture")

    yard.watch()
    assert Counter(told for _, told in yard.how()) == {"done": 1, "left": 1}
    before = yard.results()
    yard.watch()

    assert (yard.how(), yard.results()) == ([], before)


def test_failure_is_told_once_and_forgotten_with_the_content(yard: Yard) -> None:
    """It is not tried again, also under another name, before it changes; the exit code keeps telling."""
    yard.bench.errors[b"broken"] = BROKEN
    path = yard.write("bad.mp4", "broken")
    assert not yard.watch().whole
    assert [str(ending.error) for ending in yard.told] == ["it is broken"]

    again = yard.watch()
    assert (again.whole, again.given_up, yard.how()) == (False, 1, [])
    path.rename(yard.folder / "other.mp4")
    yard.watch()
    assert (yard.how(), len(yard.bench.worked)) == ([("other.mp4", "failed")], 1)
    yard.write("other.mp4", "mended")

    assert yard.watch().whole
    assert yard.results() == {"other.json": _bytes(6)}


def test_failure_of_a_changed_file_keeps_its_old_result_ours(yard: Yard) -> None:
    """When it is mended, the old result is replaced."""
    yard.bench.errors[b"broken"] = BROKEN
    for text in ("talk", "broken", "mended talk"):
        yard.write("talk.mp4", text)
        yard.watch()

    assert yard.results() == {"talk.json": _bytes(11)}


def test_force_does_everything_again_once(yard: Yard) -> None:
    """Also what has failed; within the run each content is still worked on once."""
    yard.bench.errors[b"broken"] = BROKEN
    for name, text in (("one.mp4", "talk"), ("two.mp4", "talk"), ("bad.mp4", "broken")):
        yard.write(name, text)
    yard.watch()

    yard.watch(force=True)

    assert sorted(yard.bench.worked) == [b"broken", b"broken", b"talk", b"talk"]
    assert len(yard.told) == 3
    # Whoever works on it, another program included, must not be answered with what is remembered.
    assert sorted(yard.forgotten) == sorted(("info", sha256(text).hexdigest()) for text in (b"broken", b"talk"))


def test_other_options_leave_good_results_alone(yard: Yard) -> None:
    """Two watches with different options would else replace each other's results for ever."""
    yard.write("talk.mp4", "talk")
    yard.watch()
    known = yard.store.fingerprints.of_places([str(yard.folder / "talk.json")], "info")

    assert [each.outcome for each in known[str(yard.folder / "talk.json")]] == ["done"]
    yard.watch(operation="transcribe", options={"format": "json"})

    assert yard.how() == [("talk.mp4", "left")]


def test_another_watch_of_the_same_folder_may_be_quicker(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it puts at the place just before we look is as much ours as its."""
    yard.write("talk.mp4", "talk")
    digest_at = work.digest_at
    runs = iter([True])

    def look(place: Path) -> str | None:
        if next(runs, False):
            told = list(yard.told)
            yard.watch()
            yard.told[:] = told
        return digest_at(place)

    monkeypatch.setattr(work, "digest_at", look)
    yard.watch()

    assert (yard.how(), len(yard.bench.worked), yard.results()) == ([], 1, {"talk.json": _bytes(4)})


def test_more_files_than_seats_wait_in_the_folder(yard: Yard) -> None:
    """No more jobs are in the store than run and are looked at; the rest of the line is for others."""
    for number in range(40):
        yard.write(f"{number}.mp4", f"talk {number:02}")

    yard.watch()

    assert len(yard.results()) == 40
    assert yard.bench.most_waiting == 2 * yard.store.config.max_running


def test_full_line_is_not_paid_for_by_reading(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was turned away is read again when there is room, not with every look at the line."""
    looks = iter(range(50))
    reads: list[Path] = []
    digest_of = Submission.digest_of

    def read(submission: Submission, sighting: Sighting) -> str:
        reads.append(sighting.source)
        return digest_of(submission, sighting)

    def rest(_pause_s: float) -> None:
        if next(looks, None) is None and others:
            yard.store.delete(others.pop().id)

    asked = [Request("gif", {"width": number}) for number in range(yard.store.config.max_pending)]
    others = [yard.store.submit(request, reservation_bytes=1) for request in asked]
    monkeypatch.setattr(Submission, "digest_of", read)
    monkeypatch.setattr(yard.stop, "wait", rest)
    yard.write("talk.mp4", "talk")

    yard.watch()

    assert yard.results() == {"talk.json": _bytes(4)}
    assert len(reads) == 2


def test_full_line_of_others_is_waited_for(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that finds no seat is not lost."""
    refusals = iter([True, True])
    reserve = yard.store.reserve_seat

    def crowded(request: object) -> object:
        from tightship.errors import QueueFull

        if next(refusals, False):
            raise QueueFull("the line is full")
        return reserve(request)  # type: ignore[arg-type]

    monkeypatch.setattr("tightship.watch.watcher.AGAIN_S", 0.01)
    monkeypatch.setattr(yard.store, "reserve_seat", crowded)
    yard.write("talk.mp4", "talk")

    yard.watch()

    assert yard.results() == {"talk.json": _bytes(4)}


def test_full_disk_is_told_and_not_held_against_the_file(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run tries again."""
    with monkeypatch.context() as patch:
        patch.setattr(yard.store, "reserve_seat", lambda _request: _raise(DiskFull("the disk is full")))
        yard.write("talk.mp4", "talk")
        assert not yard.watch().whole
    assert yard.how() == [("talk.mp4", "failed")]

    assert yard.watch().whole


def _raise(error: Exception) -> None:
    raise error


def test_folder_that_cannot_be_looked_into_is_told(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run was not whole, though no file has failed; a folder that has gone meanwhile is nothing to tell of."""
    scandir = os.scandir

    def shut(folder: Path) -> object:
        error = {"shut": PermissionError(13, "Permission denied"), "gone": FileNotFoundError(2, "No such file")}
        return _raise(error[folder.name]) if folder.name in error else scandir(folder)

    yard.write("talk.mp4", "talk")
    yard.write("gone/talk.mp4", "talk")
    with monkeypatch.context() as patch:
        patch.setattr("tightship.watch.scan.os.scandir", shut)
        assert yard.watch().whole
        yard.write("shut/talk.mp4", "another")
        tally = yard.watch()

    assert (tally.whole, tally.unseen, yard.how()) == (False, 1, [])
    assert yard.warned == [f"'{yard.folder / 'shut'}' cannot be looked into: Permission denied"]
    assert yard.watch().whole


def test_file_that_changes_while_it_is_worked_on_is_done_anew(yard: Yard) -> None:
    """The result of what it was goes nowhere."""
    yard.write("talk.mp4", "talk")
    changes = iter(["longer talk"])

    def change() -> None:
        if text := next(changes, None):
            yard.write("talk.mp4", text)
            yard.clock.advance(100)

    yard.bench.during = change
    yard.watch()

    assert yard.results() == {"talk.json": _bytes(11)}
    assert yard.how() == [("talk.mp4", "done")]


def test_file_that_is_renamed_while_it_is_worked_on_gets_its_result(yard: Yard) -> None:
    """Under its new name, and without being worked on again."""
    path = yard.write("talk.mp4", "talk")
    yard.bench.during = lambda: path.rename(yard.folder / "new.mp4")

    yard.watch()

    assert (yard.results(), len(yard.bench.worked)) == ({"new.json": _bytes(4)}, 1)


def test_file_that_is_being_written_is_left_for_later(yard: Yard) -> None:
    """A run that ends tells of it; it takes the file when it rests."""
    yard.clock.set_wall(0.0)  # nothing seems old
    path = yard.write("talk.mp4", "ta")

    class Writing(threading.Event):
        """Whenever the watch looks whether it is to stop, somebody has written on."""

        def is_set(self) -> bool:
            if not yard.told:
                with path.open("a") as file:
                    file.write("lk")
            return False

    yard.stop = Writing()
    assert yard.watch().whole
    assert (yard.how(), yard.results()) == ([("talk.mp4", "growing")], {})

    yard.stop = threading.Event()
    yard.watch()
    assert yard.how() == [("talk.mp4", "done")]


def test_stop_before_the_end_is_told(yard: Yard) -> None:
    """A run that was to do all and was stopped has not done it."""
    yard.write("talk.mp4", "talk")
    yard.stop.set()

    with pytest.raises(Cancelled):
        yard.watch()


def test_names_that_are_no_text_do_not_take_turns(yard: Yard) -> None:
    """The database cannot tell their names as they are; what another file has made is left alone all the same."""
    names = [os.fsdecode(b"caf\xe9.mp3"), os.fsdecode(b"caf\xe9.mp4")]
    for name in names:
        yard.write(name, name[-4:])
        yard.watch()

    assert yard.how() == [(names[1], "left")]


def test_a_folder_may_be_named_by_a_detour(yard: Yard) -> None:
    """What was made there is still known for ours."""
    path = yard.write("talk.mp4", "talk")
    yard.watch()
    yard.folder = yard.folder / ".." / yard.folder.name
    path.write_text("another talk")

    yard.watch()

    assert (yard.how(), yard.results()) == ([("talk.mp4", "done")], {"talk.json": _bytes(12)})


def test_many_files_from_the_future_are_done(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is ahead: only so many are waited for at a time, and of those none that is done."""
    monkeypatch.setattr("tightship.watch.watcher.Settling", lambda settle_s: Settling(settle_s, 3))
    late_s = time.time() + 10 * 86400
    for number in range(10):
        os.utime(yard.write(f"{number}.mp4", f"talk {number}"), (late_s, late_s))
    hurry = threading.Timer(30, yard.stop.set)
    hurry.start()

    yard.watch()
    hurry.cancel()

    assert len(yard.results()) == 10


def test_names_that_are_no_text_are_done(yard: Yard) -> None:
    """A file system takes any bytes for a name."""
    name = os.fsdecode(b"caf\xe9.mp4")
    yard.write(name, "talk")

    yard.watch()
    yard.watch()

    assert (len(yard.bench.worked), yard.how()) == (1, [])


def test_memory_of_what_waits_is_bounded(yard: Yard) -> None:
    """Of a folder with many files no more than a batch is looked at ahead."""
    for number in range(2 * BATCH):
        yard.write(f"{number}.mp4", f"{number}")
    longest = 0

    def look() -> None:
        nonlocal longest
        longest = max(longest, len(yard.results()))
        if len(yard.bench.worked) == 3:
            yard.stop.set()

    yard.bench.during = look
    with pytest.raises(Cancelled):
        yard.watch()

    assert len(yard.bench.worked) == 3
    assert sum(yard.store.counts().values()) <= 7


def test_included_and_excluded(yard: Yard) -> None:
    """Patterns choose; what is hidden is never taken."""
    for name in ("a.mp4", "b.bin", ".hidden.mp4", ".git/c.mp4", "drafts/d.mp4", "notes.txt"):
        yard.write(name, name)

    yard.watch(choice=Choice(include=("*.bin", "*.mp4"), exclude=("drafts",)))
    assert sorted(yard.results()) == ["a.json", "b.json"]
    yard.watch(choice=Choice(recursive=False))

    assert "drafts/d.json" not in yard.results()


def test_fingerprints_survive_a_restart(yard: Yard) -> None:
    """They are on the disk of the home folder."""
    yard.write("talk.mp4", "talk")
    yard.watch()
    yard.store.close()
    yard.store = Store.open(yard.home, StoreConfig(disk_reserve_bytes=0))
    yard.bench.__init__(yard.store)  # type: ignore[misc]

    yard.watch()

    assert (yard.how(), yard.bench.worked) == ([], [])


def test_more_files_than_are_remembered_are_not_told_of_again_and_again(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those that were forgotten the results are left alone without a word, and no other is forgotten for them."""
    monkeypatch.setattr("tightship.store.fingerprint.TRIM_EVERY", 1)
    monkeypatch.setattr(yard.store.fingerprints, "_max_rows", 4)
    for number in range(9):
        yard.write(f"{number}.mp4", f"film {number}")
    yard.watch()
    assert Counter(told for _, told in yard.how()) == {"done": 9}

    told = []
    for _ in range(3):
        yard.watch()
        told += yard.how()

    assert told == []
    assert len(yard.results()) == len(yard.bench.worked) == 9
