"""One attempt in a slot: what goes in, what comes out."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tightship.errors import (
    ConversionFailed,
    CorruptMedia,
    ExtraMissing,
    MediaNotFound,
    OutputTooLarge,
    OutputUnwritable,
    TightshipError,
    UnsupportedMedia,
)
from tightship.pool.confinement import Confinement
from tightship.pool.deadline import Deadline
from tightship.pool.messages import Partial, Progress
from tightship.pool.pool import Pool

from .conftest import MakeTask, OpenPool


def test_result_and_receipt_come_back(pool: Pool, misdeed: MakeTask) -> None:
    """A finished attempt gives its result and a receipt that says what it cost."""
    outcome = pool.run(misdeed("nothing", echo={"answer": 42}))

    assert outcome.error is None
    assert outcome.result is not None
    assert outcome.result["answer"] == 42
    assert outcome.result["pid"] not in (os.getpid(), pool.warden_pid)
    assert outcome.receipt.outcome == "ok"
    assert outcome.receipt.peak_bytes is not None
    assert outcome.receipt.peak_bytes > 2**20
    assert outcome.receipt.children == 0


def test_input_is_handed_over_as_a_descriptor(pool: Pool, misdeed: MakeTask, tmp_path: Path) -> None:
    """A slot reads the input it was given, though it may open no file of that folder."""
    source = tmp_path / "input.txt"
    source.write_text("hello")

    outcome = pool.run(misdeed("read", source=source))

    assert outcome.unwrap() == {"text": "hello"}
    assert outcome.receipt.fds == 0


@pytest.mark.parametrize("again", [1, 3])
def test_slot_stays_warm(pool: Pool, misdeed: MakeTask, again: int) -> None:
    """Attempts one after another run in the same process."""
    pids = {pool.run(misdeed("nothing")).unwrap()["pid"] for _ in range(again + 1)}

    assert len(pids) == 1


def test_session_opens_once_per_slot(pool: Pool, misdeed: MakeTask) -> None:
    """A session serves all attempts of its key, and another key gets another process."""
    first = [pool.run(misdeed("count", session="tiny")).unwrap() for _ in range(3)]
    other = pool.run(misdeed("count", session="base")).unwrap()

    assert [result["uses"] for result in first] == [1, 2, 3]
    assert other["uses"] == 1
    assert other["pid"] != first[0]["pid"]


def test_progress_and_partials_reach_the_caller(pool: Pool, misdeed: MakeTask) -> None:
    """What the operation reports is heard in order while it works."""
    heard: list[Progress | Partial] = []

    outcome = pool.run(misdeed("work_until_told", total=1000, deadline=Deadline(0.5, 30, 30)), on_event=heard.append)

    done = [event.done for event in heard if isinstance(event, Progress)]
    assert done == sorted(done)
    assert len(done) >= 2
    assert outcome.last_progress == (done[-1], 1000, "frames")


def test_soft_deadline_keeps_what_there_is(pool: Pool, misdeed: MakeTask) -> None:
    """At the soft deadline the operation ends with what it has, and says so."""
    outcome = pool.run(misdeed("work_until_told", deadline=Deadline(0.3, 30, 30)))

    assert outcome.unwrap()["done"] > 0
    assert outcome.warnings == ({"code": "partial", "message": "stopped at the soft deadline"},)


def test_known_error_crosses_with_its_details(pool: Pool, misdeed: MakeTask) -> None:
    """An error of ours raised in a slot is raised again in the caller, whole."""
    outcome = pool.run(misdeed("fail", known=True))

    with pytest.raises(CorruptMedia, match="nothing of it can be decoded") as caught:
        outcome.unwrap()
    assert caught.value.details == {"frames": 0}
    assert outcome.receipt.outcome == "failed"
    assert outcome.receipt.cause == "corrupt_media"


def test_unknown_error_is_named_and_frees_its_frames(pool: Pool, misdeed: MakeTask) -> None:
    """Any other exception is a failed conversion, and what its frames held is not counted as retained."""
    pool.run(misdeed("nothing"))
    outcome = pool.run(misdeed("fail"))

    assert isinstance(outcome.error, ConversionFailed)
    assert "RuntimeError: failed with 67108864 bytes" in outcome.error.public_message
    assert outcome.receipt.retained_bytes is not None
    assert outcome.receipt.retained_bytes < 2**20


def test_output_is_delivered_whole(pool: Pool, misdeed: MakeTask, tmp_path: Path) -> None:
    """The result file lands where it was asked for, with the permissions of any new file, replacing what was there."""
    target = tmp_path / "out.bin"
    target.write_text("old")

    pool.run(misdeed("write", mib=2, deliver=target)).unwrap()

    assert target.stat().st_size == 2 * 2**20
    (tmp_path / "new").touch()
    assert target.stat().st_mode == (tmp_path / "new").stat().st_mode


def test_too_large_output_is_refused(open_pool: OpenPool, misdeed: MakeTask, tmp_path: Path) -> None:
    """A result past the limit on files is a clear error and leaves no file."""
    pool = open_pool(confinement=Confinement(max_file_bytes=2**20))

    outcome = pool.run(misdeed("write", mib=3, deliver=tmp_path / "out.bin"))

    assert isinstance(outcome.error, OutputTooLarge)
    assert outcome.error.details == {"limit_bytes": 2**20}
    assert "1.0 MiB" in outcome.error.public_message
    assert not (tmp_path / "out.bin").exists()


@pytest.mark.parametrize("name", ["../worker.log", "/etc/hostname", "missing", "", None, 7])
def test_only_a_file_of_the_attempt_is_delivered(pool: Pool, misdeed: MakeTask, tmp_path: Path, name: object) -> None:
    """A worker cannot have another file delivered by naming it."""
    outcome = pool.run(misdeed("claim_output", name=name, deliver=tmp_path / "out"))

    assert isinstance(outcome.error, ConversionFailed)
    assert not (tmp_path / "out").exists()


def test_link_is_not_delivered(pool: Pool, misdeed: MakeTask, tmp_path: Path) -> None:
    """A worker cannot have another file delivered by linking to it."""
    outcome = pool.run(misdeed("claim_output", name="out", link_to="/etc/hostname", deliver=tmp_path / "out"))

    assert isinstance(outcome.error, ConversionFailed)


@pytest.mark.parametrize(
    ("name", "error"),
    [("missing", MediaNotFound), ("folder", UnsupportedMedia), ("pipe", UnsupportedMedia), ("a\0b", MediaNotFound)],
)
def test_bad_source_is_refused_before_a_slot_is_used(
    pool: Pool, misdeed: MakeTask, tmp_path: Path, name: str, error: type[TightshipError]
) -> None:
    """What is not a readable file is refused at once, and no process is started for it."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(error):
        pool.run(misdeed("read", source=tmp_path / name))
    assert pool.slots() == ()


@pytest.mark.parametrize("target", ["missing/out", "/dev/null"])
def test_unwritable_destination_is_a_clear_error(pool: Pool, misdeed: MakeTask, tmp_path: Path, target: str) -> None:
    """A result that cannot be put in its place is reported; a device is never replaced by a file."""
    outcome = pool.run(misdeed("write", mib=1, deliver=tmp_path / target))

    assert isinstance(outcome.error, OutputUnwritable)
    assert outcome.receipt.outcome == "failed"
    assert Path("/dev/null").is_char_device()


def test_cancel_is_heard_at_the_next_checkpoint(pool: Pool, misdeed: MakeTask) -> None:
    """A cancelled attempt ends in its slot, which stays."""
    cancel = threading.Event()

    outcome = pool.run(misdeed("work_until_told"), on_event=lambda _: cancel.set(), cancel=cancel)

    assert outcome.error is not None
    assert outcome.error.code == "cancelled"
    assert outcome.receipt.outcome == "cancelled"
    assert len(pool.slots()) == 1


def test_output_of_native_code_is_bounded(pool: Pool, misdeed: MakeTask, home: Path) -> None:
    """Megabytes on stdout and stderr block nobody and are dropped before the next attempt."""
    pool.run(misdeed("shout", bytes=4 * 2**20)).unwrap()
    pool.run(misdeed("nothing")).unwrap()

    assert sum(log.stat().st_size for log in home.rglob("worker.log")) == 0


def test_read_only_and_stray_files_go(pool: Pool, misdeed: MakeTask, home: Path) -> None:
    """Files that resist, and files outside the attempt's folder, are gone when the pool is closed."""
    pool.run(misdeed("leave_files")).unwrap()
    pool.close()

    assert list((home / "scratch").iterdir()) == []


def test_missing_extra_names_its_cure(pool: Pool, misdeed: MakeTask) -> None:
    """An optional library that the worker cannot import is named with the command that installs it."""
    outcome = pool.run(misdeed("import_media"))

    assert isinstance(outcome.error, ExtraMissing)
    assert "pip install 'tightship[media]'" in outcome.error.public_message
