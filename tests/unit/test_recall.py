"""What makes two jobs the same, and what becomes of a result that is remembered."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tightship import recall as module
from tightship import runner as runner_module
from tightship.errors import OutputUnwritable
from tightship.inference.resolver import DEFAULT_SETTING
from tightship.media.limits import Limits
from tightship.operations import validation
from tightship.operations.operation import Basis
from tightship.operations.transcribe import OPERATION, TranscribeOptions
from tightship.pool.content import Content
from tightship.pool.task import Outcome, Task
from tightship.recall import Recall, open_recall
from tightship.runner import Runner, RunnerConfig
from tightship.store.config import NO_CACHE, CacheConfig
from tightship.testing import StubPool

CONFIG = CacheConfig(reserve_bytes=0)
RESULT = {"text": "So it goes", "complete": True, "output": "transcript.srt"}
MEDIA = {"duration_s": 3.0, "streams": [], "warnings": ["it is short"]}
#: For each option another value than its default.
OTHERS: dict[str, Any] = {
    "language": "de", "task": "translate", "format": "srt", "prompt": "Sir", "hotwords": "Krel", "beam_size": 4,
    "batch_size": 2, "words": True, "track": 0, "vad_filter": False, "segments": False,
}  # fmt: skip


class Slots(StubPool):
    """A pool that leaves a file, as a slot does."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        super().__init__(answers)
        self.on_work: Callable[[], None] = lambda: None

    def run(self, task: Task, **rest: Any) -> Outcome:
        """Write the file and answer."""
        if task.name != "info":
            self.on_work()
            if task.deliver is not None:
                task.deliver.write_bytes(b"1\nSo it goes\n")
        return super().run(task, **rest)

    def works(self) -> int:
        """Return how often work was done."""
        return sum(task.name != "info" for task in self.tasks)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default model: a folder that looks like one."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.bin").write_text("weights")
    (folder / "config.json").write_text("{}")
    monkeypatch.setattr(validation, "find_spec", lambda _name: object())
    monkeypatch.setenv(DEFAULT_SETTING, str(folder))
    return folder


@pytest.fixture
def recall(tmp_path: Path) -> Recall:
    """Nothing is remembered yet."""
    return Recall(tmp_path / "home", CONFIG)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file to work on."""
    path = tmp_path / "in.mp3"
    path.write_bytes(b"a sound")
    return path


@pytest.fixture
def pool() -> Slots:
    """What slots answer."""
    return Slots({"info": MEDIA, "transcribe": RESULT, "gif": {"output": "out.gif"}})


@pytest.fixture
def runner(pool: Slots, recall: Recall, model: Path) -> Runner:
    """What remembers."""
    return Runner(pool, recall=recall)  # type: ignore[arg-type]


def key_of(recall: Recall, digest: str = "0", limits: Limits | None = None, **options: Any) -> str | None:
    """Return the key of a transcription."""
    assert OPERATION.basis is not None
    basis, chosen = OPERATION.basis, TranscribeOptions(**options)
    question = recall.question("transcribe", lambda: basis(chosen, True), limits or Limits(), Content(digest))
    return None if question is None else question._key


# --- what makes two jobs the same ------------------------------------------------------------------


def test_every_option_counts(recall: Recall, model: Path) -> None:
    """All but the model's name and chance have another value here, and each gives another key."""
    assert OTHERS.keys() | {"model", "temperature"} == asdict(TranscribeOptions()).keys()
    keys = [key_of(recall, **{name: value}) for name, value in OTHERS.items()]

    assert None not in keys
    assert len({key_of(recall), *keys}) == len(OTHERS) + 1


def test_a_default_is_the_same_said_or_not(recall: Recall, model: Path) -> None:
    """What counts is what is done."""
    assert key_of(recall, beam_size=5, task="transcribe", vad_filter=True) == key_of(recall)


@pytest.mark.parametrize("name", [None, "whisper-1", "default", "folder"])
def test_a_model_is_its_files_and_not_its_name(recall: Recall, model: Path, tmp_path: Path, name: str | None) -> None:
    """An alias is resolved before, and a copy is the same model."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in model.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())

    assert key_of(recall, model=str(model) if name == "folder" else name) == key_of(recall, model=str(copy))


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json", "vocabulary.txt"])
def test_other_files_are_another_model(recall: Recall, model: Path, name: str) -> None:
    """Also of the same name and length in the same folder, changed back to the same time."""
    before = key_of(recall)
    path = model / name
    stamp = path.stat() if path.exists() else None
    content = path.read_bytes() if stamp else b""
    path.write_bytes(content[:-1] + b"!")
    if stamp:
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))

    assert key_of(recall) not in (None, before)


def test_weights_are_read_once(recall: Recall, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also by the next process: gigabytes are not read again to find a result of a few lines."""
    before = key_of(recall)
    read: list[Path] = []

    def of(path: Path, *rest: Any) -> Any:
        read.append(path)
        raise AssertionError

    monkeypatch.setattr(module.Content, "of", of)

    assert key_of(recall) == key_of(Recall(tmp_path / "home", CONFIG)) == before
    assert read == []


def test_content_limits_and_versions_count(recall: Recall, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read, how much of it may be read, and by which code."""
    keys = {key_of(recall), key_of(recall, "1"), key_of(recall, limits=Limits(max_duration_s=1))}
    for change in (
        lambda: monkeypatch.setattr(module, "_version", lambda name: "2" if name == "tightship" else "1"),
        lambda: monkeypatch.setattr(module, "_version", lambda name: "2" if name == "ctranslate2" else "1"),
        lambda: monkeypatch.setattr(module, "_version", lambda name: "2" if name == "faster-whisper" else "1"),
        lambda: monkeypatch.setattr(module, "_version", lambda name: "2" if name == "av" else "1"),
        lambda: monkeypatch.setattr(module, "_code_digest", lambda: "changed"),
        lambda: monkeypatch.setattr(module, "SCHEMA", 2),
        lambda: monkeypatch.setattr(module.platform, "machine", lambda: "another"),
        lambda: monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1"),
    ):
        change()
        keys.add(key_of(recall))

    assert len(keys) == 11


def test_what_is_drawn_by_chance_is_not_remembered(recall: Recall, model: Path) -> None:
    """Who asks for it wants another text each time."""
    assert key_of(recall, temperature=0.4) is None


def test_a_model_that_is_not_there_is_no_question(recall: Recall, model: Path) -> None:
    """The job itself says what is wrong."""
    assert key_of(recall, model="nobody/nowhere") is None


def test_nothing_is_opened_where_nothing_is_to_be_remembered(tmp_path: Path) -> None:
    """Both tiers at zero."""
    assert open_recall(tmp_path, NO_CACHE) is None
    assert open_recall(tmp_path, CONFIG) is not None


def test_what_is_old_goes_when_a_cache_is_opened(recall: Recall, model: Path, tmp_path: Path) -> None:
    """So that nothing outlives its time by more than the pause between two uses of the home folder."""
    question = recall.question("transcribe", lambda: Basis({}), Limits(), Content("0"))
    assert question is not None
    assert question.keep(RESULT, (), None)
    (entry,) = recall.folder.iterdir()
    os.utime(entry, (time.time(), time.time() - 100))

    open_recall(tmp_path / "home", replace(CONFIG, ttl_s=200))
    assert entry.exists()
    open_recall(tmp_path / "home", replace(CONFIG, ttl_s=50))
    assert not entry.exists()


# --- a job that is run -----------------------------------------------------------------------------


def test_the_second_run_needs_no_slot(runner: Runner, pool: Slots, source: Path, tmp_path: Path) -> None:
    """Not even to look at the input; result, warnings and file are those of the first."""
    first = runner.run("transcribe", source, tmp_path / "a.srt", {"format": "srt"})
    tasks = len(pool.tasks)
    copy = tmp_path / "copy.mp3"
    copy.write_bytes(source.read_bytes())
    again = runner.run("transcribe", copy, tmp_path / "b.srt", {"format": "srt", "model": "whisper-1"})

    assert (len(pool.tasks), pool.works()) == (tasks, 1)
    assert (first.status, again.status, again.receipt) == ("succeeded", "succeeded", None)
    assert first.result is not None
    assert again.result == {**first.result, "output": str(tmp_path / "b.srt"), "cached": True}
    assert first.warnings == again.warnings == ({"code": "input", "message": "it is short"},)
    assert (tmp_path / "b.srt").read_bytes() == (tmp_path / "a.srt").read_bytes() == b"1\nSo it goes\n"


def test_whoever_wants_it_anew_gets_it_anew(
    pool: Slots, runner: Runner, source: Path, tmp_path: Path, model: Path
) -> None:
    """And what came of it is remembered in place of the old, also by whoever had that in memory."""
    options = {"format": "text"}
    runner.run("transcribe", source, tmp_path / "a.txt", options)
    pool._answers["transcribe"] = {**RESULT, "text": "And so on"}
    other = Runner(pool, recall=open_recall(tmp_path / "home", CONFIG))  # type: ignore[arg-type]
    other.run("transcribe", source, tmp_path / "b.txt", options, anew=True)
    known = runner.run("transcribe", source, tmp_path / "c.txt", options)

    assert pool.works() == 2
    assert known.result is not None
    assert known.result["text"] == "And so on"


def test_other_content_and_other_options_are_done(runner: Runner, pool: Slots, source: Path, tmp_path: Path) -> None:
    """Each for itself."""
    out = tmp_path / "out"
    runner.run("transcribe", source, out)
    runner.run("transcribe", source, out, {"beam_size": 1})
    source.write_bytes(b"another sound")
    runner.run("transcribe", source, out)

    assert pool.works() == 3


def test_a_result_without_its_file_does_not_answer_who_wants_one(
    runner: Runner, pool: Slots, source: Path, tmp_path: Path
) -> None:
    """It is done once more, and then both are answered."""
    runner.run("transcribe", source)
    runner.run("transcribe", source, tmp_path / "out")
    assert pool.works() == 2

    assert runner.run("transcribe", source).status == "succeeded"
    assert runner.run("transcribe", source, tmp_path / "out2").status == "succeeded"
    assert pool.works() == 2


@pytest.mark.parametrize("what", ["incomplete", "failed", "source changed", "model changed"])
def test_what_is_not_the_whole_truth_is_not_remembered(
    pool: Slots, runner: Runner, source: Path, model: Path, tmp_path: Path, what: str
) -> None:
    """Cut off by a deadline, gone wrong, or worked out while something changed that it follows from."""
    if what == "incomplete":
        pool._answers["transcribe"] = {**RESULT, "complete": False}
    elif what == "failed":
        pool._answers["transcribe"] = OutputUnwritable("no")
    else:
        path = source if what == "source changed" else model / "model.bin"
        content = path.read_bytes()

        def change() -> None:
            path.write_bytes(b"x" * len(content))

        pool.on_work = change

    runner.run("transcribe", source, tmp_path / "out")

    assert pool.works() == 1
    assert runner.recall is not None
    assert runner.recall.report().disk_entries == 0


def test_a_damaged_entry_is_done_anew_once(runner: Runner, pool: Slots, source: Path, tmp_path: Path) -> None:
    """And found again afterwards."""
    out = tmp_path / "out"
    runner.run("transcribe", source, out)
    assert runner.recall is not None
    (kept,) = (path for path in runner.recall.folder.iterdir() if len(path.name) == 64)
    kept.write_bytes(kept.read_bytes()[:-1])
    later = Runner(pool, recall=Recall(tmp_path / "home", CONFIG))  # type: ignore[arg-type]

    for _ in range(3):
        assert later.run("transcribe", source, out).status == "succeeded"

    assert pool.works() == 2
    assert later.recall is not None
    report = later.recall.report()
    assert (report.corrupt, report.misses, report.memory_hits) == (1, 1, 2)


def test_a_place_that_cannot_be_written_is_the_jobs_fault(
    runner: Runner, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no reason to do the work again."""
    runner.run("transcribe", source, tmp_path / "out")
    monkeypatch.setattr(runner_module, "check_destination", lambda _path: None)

    job = runner.run("transcribe", source, tmp_path / "nowhere" / "out")

    assert isinstance(job.error, OutputUnwritable)


def test_a_file_that_is_too_long_is_looked_at_by_the_slot_only(
    pool: Slots, recall: Recall, model: Path, source: Path
) -> None:
    """It is not read to be remembered."""
    limits = replace(RunnerConfig(), limits=Limits(max_file_bytes=3))
    runner = Runner(pool, limits, recall=recall)  # type: ignore[arg-type]

    runner.run("transcribe", source)

    assert pool.works() == 1
    assert recall.report().misses == 0


def test_a_file_that_is_read_too_slowly_is_worked_on_all_the_same(
    pool: Slots, recall: Recall, model: Path, source: Path, tmp_path: Path
) -> None:
    """As off a slow network: what it holds is not known in time, so it is not remembered."""
    runner = Runner(pool, RunnerConfig(min_work_s=1e-9), recall=recall)  # type: ignore[arg-type]

    for _ in range(2):
        assert runner.run("transcribe", source, tmp_path / "out.srt").status == "succeeded"

    assert pool.works() == 2


def test_other_operations_pay_nothing(
    runner: Runner, pool: Slots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their input is not read, and nothing is asked."""
    monkeypatch.setattr(Content, "of", _never)
    monkeypatch.setattr(Recall, "question", _never)

    assert runner.run("gif", Path("nowhere.mp4"), tmp_path / "out.gif").status == "succeeded"
    assert pool.works() == 1


def test_without_a_memory_each_job_is_done(pool: Slots, model: Path, source: Path, tmp_path: Path) -> None:
    """As programs with a pool of their own have it."""
    runner = Runner(pool)  # type: ignore[arg-type]
    for _ in range(2):
        result = runner.run("transcribe", source, tmp_path / "out").result
        assert result is not None
        assert "cached" not in result

    assert pool.works() == 2


def _never(*_: object, **__: object) -> Any:
    raise AssertionError("not to be called")
