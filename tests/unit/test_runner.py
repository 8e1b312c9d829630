"""From a job's options to its tasks, and from their outcomes to the job."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tightship.errors import CorruptMedia, InvalidOptions, TightshipError
from tightship.operations import validation
from tightship.operations.gif import GifOptions
from tightship.pool.deadline import Deadline
from tightship.runner import Runner, RunnerConfig
from tightship.testing import StubPool

#: What the probe says of a minute of 720p.
MINUTE = {
    "duration_s": 60.0,
    "size_bytes": 10_000_000,
    "container": "mov,mp4,m4a,3gp,3g2,mj2",
    "streams": [{"type": "video", "codec": "h264", "coded_width": 1280, "coded_height": 720}],
    "warnings": [],
}
GIF = {"output": "out.gif", "frames": 600}


def run(pool: StubPool, name: str = "gif", output: Path | None = None, **options: Any) -> Any:
    """Run a job on a pool that only answers."""
    return Runner(pool).run(name, Path("in.mp4"), output, options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["probe_s", "min_work_s", "max_work_s", "no_progress_s"])
@pytest.mark.parametrize("value", [0, -1.0, float("nan")])
def test_a_limit_without_time_is_refused(name: str, value: float) -> None:
    """A limit on time is a positive number of seconds; the refusal names it."""
    with pytest.raises(InvalidOptions, match=f"{name} must be more than 0 s"):
        RunnerConfig(**{name: value})


def test_the_least_time_is_not_more_than_the_most() -> None:
    """Limits that contradict each other are refused."""
    with pytest.raises(InvalidOptions, match="min_work_s"):
        RunnerConfig(min_work_s=10, max_work_s=5)


def test_wrong_options_are_refused_before_any_task() -> None:
    """It takes no slot to know."""
    pool = StubPool({})

    job = run(pool, width=0)

    assert isinstance(job.error, InvalidOptions)
    assert pool.tasks == []


def test_input_is_not_replaced_by_its_result(tmp_path: Path) -> None:
    """An output that is the input, however it is written, is refused: the original would be gone."""
    pool = StubPool({"info": MINUTE, "gif": GIF})
    original, folder = tmp_path / "in.mp4", tmp_path / "folder"
    original.write_bytes(b"precious")
    folder.mkdir()

    job = Runner(pool).run("gif", original, folder / ".." / "in.mp4")  # type: ignore[arg-type]

    assert isinstance(job.error, InvalidOptions)
    assert pool.tasks == []


def test_sound_that_is_longer_than_its_header_says_gets_its_time(tmp_path: Path) -> None:
    """A transcription's deadline grows with the seconds that were heard, up to the longest that any job may take."""
    (tmp_path / "model.bin").write_bytes(b"0")
    (tmp_path / "config.json").write_text("{}")
    pool = StubPool({"info": {**MINUTE, "duration_s": 1.0}, "transcribe": {}})

    run(pool, "transcribe", model=str(tmp_path))

    deadline = pool.tasks[-1].deadline
    assert (deadline.soft_s, deadline.after(3600).soft_s, deadline.after(1e9).soft_s) == (120, 3600, 6 * 3600)


def test_unknown_operation_is_refused() -> None:
    """An operation that does not exist is named with those that do."""
    job = run(StubPool({}), "sharpen")

    assert job.status == "failed"
    assert "gif" in job.error.public_message


def test_input_is_probed_before_it_is_worked_on() -> None:
    """The probe comes first, under its own short deadline; what it tells sets the deadline of the work."""
    pool = StubPool({"info": MINUTE, "gif": GIF})

    job = run(pool, width=320)

    probe, work = pool.tasks
    assert (probe.name, probe.deadline) == ("info", Deadline(10, 10, 10))
    assert (work.name, work.module) == ("gif", "tightship.operations.gif")
    assert work.deadline == Deadline(1200, 1320, 60)
    assert {**asdict(GifOptions(width=320)), "limits": work.options["limits"]} == work.options
    assert job.status == "succeeded"
    assert job.result == GIF


@pytest.mark.parametrize(("end_s", "soft_s"), [(1.0, 60.0), (10.0, 200.0), (None, 300.0)])
def test_deadline_has_a_floor_and_a_cap(end_s: float | None, soft_s: float) -> None:
    """No job gets less than the floor, none more than the cap."""
    pool = StubPool({"info": MINUTE, "gif": GIF})
    config = RunnerConfig(max_work_s=300)

    Runner(pool, config).run("gif", Path("in.mp4"), None, {"end_s": end_s})  # type: ignore[arg-type]

    assert pool.tasks[1].deadline.soft_s == soft_s


def test_refused_input_is_not_worked_on() -> None:
    """When the probe fails, its error is the job's."""
    pool = StubPool({"info": CorruptMedia("cut off")})

    job = run(pool)

    assert (job.status, job.error.code) == ("failed", "corrupt_media")
    assert [task.name for task in pool.tasks] == ["info"]
    assert job.receipt.name == "gif"


def test_job_that_can_never_fit_is_refused() -> None:
    """A job that needs more than a slot may have is told so, with both figures."""
    pool = StubPool({"info": MINUTE}, ceiling_bytes=64 * 2**20)

    with_error = Runner(pool).run("info", Path("in.mp4"))  # type: ignore[arg-type]

    assert with_error.error is not None
    assert with_error.error.code == "exceeds_budget"
    assert "64.0 MiB" in with_error.error.public_message


def test_damage_the_probe_saw_is_a_warning_of_the_job() -> None:
    """What is wrong with the input is told with the result, beside the operation's own warnings."""
    pool = StubPool({"info": {**MINUTE, "warnings": ["The file is cut short."]}, "gif": GIF})

    assert run(pool).warnings == ({"code": "input", "message": "The file is cut short."},)


def test_result_names_the_delivered_file(tmp_path: Path) -> None:
    """The result says where the file went, not what the slot called it."""
    job = run(StubPool({"info": MINUTE, "gif": GIF}), output=tmp_path / "a.gif")

    assert job.result["output"] == str(tmp_path / "a.gif")


def test_impossible_destination_is_refused_first(tmp_path: Path) -> None:
    """Nothing is probed for a result that has no place."""
    pool = StubPool({})

    job = run(pool, output=tmp_path / "missing" / "a.gif")

    assert job.error.code == "output_unwritable"
    assert pool.tasks == []


def test_job_as_json() -> None:
    """The JSON of a job has the same keys, whether it succeeded or not."""
    good = run(StubPool({"info": MINUTE, "gif": GIF})).to_dict()
    bad = run(StubPool({"info": TightshipError("no")})).to_dict()

    assert set(good) == set(bad) == {"status", "operation", "result", "warnings", "receipt", "error"}
    assert good["error"] is None
    assert bad["error"]["code"] == "internal"


@pytest.mark.parametrize("forged", [{"duration_s": "x"}, {"streams": [3]}, {"streams": [{"coded_width": "w"}]}])
def test_forged_probe_is_an_error(forged: dict[str, Any]) -> None:
    """What a compromised slot says of the input cannot make the runner stumble."""
    job = run(StubPool({"info": {**MINUTE, **forged}, "gif": GIF}))

    assert job.error.code == "conversion_failed"


# --- operations with a session ---------------------------------------------------------------------------


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder that looks like a model of 1 GB."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    with (folder / "model.bin").open("wb") as weights:
        weights.truncate(1_000_000_000)
    return folder


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Modules that are not installed; none, whatever this machine has."""
    lacking: set[str] = set()
    monkeypatch.setattr(validation, "find_spec", lambda name: None if name in lacking else object())
    return lacking


def test_a_task_names_its_session_and_what_its_slot_must_read(model: Path) -> None:
    """The model is found in the parent; jobs that want the same one share a key, and the look at the input has none."""
    pool = StubPool({"info": MINUTE, "transcribe": {}}, ceiling_bytes=4 * 2**30)

    run(pool, "transcribe", model=str(model))
    run(pool, "transcribe", model=str(model), language="en")

    probe, work, _, again = pool.tasks
    assert probe.key is None
    assert json.loads(work.session or "")["folder"] == str(model)
    assert work.readable == (str(model),)
    assert work.key == again.key == Runner(pool).key("transcribe", {"model": str(model)})  # type: ignore[arg-type]


def test_a_large_model_may_be_quiet_for_longer(model: Path) -> None:
    """A window takes it longer than the settings allow without progress."""
    pool = StubPool({"info": MINUTE, "transcribe": {}}, ceiling_bytes=4 * 2**30)

    run(pool, "transcribe", model=str(model))

    assert pool.tasks[1].deadline.no_progress_s == 100


@pytest.mark.parametrize("folders", [True, False])
def test_a_model_that_is_not_there_is_refused_before_any_task(tmp_path: Path, folders: bool) -> None:
    """It takes no slot to know."""
    pool = StubPool({})

    job = Runner(pool, folders=folders).run("transcribe", Path("in.mp3"), None, {"model": "nobody/nowhere"})  # type: ignore[arg-type]

    assert job.error is not None
    assert (job.error.code, pool.tasks) == ("model_not_found", [])


def test_a_stranger_names_no_folder(model: Path) -> None:
    """Nobody learns from afar which folders there are."""
    pool = StubPool({})

    job = Runner(pool, folders=False).run("transcribe", Path("in.mp3"), None, {"model": str(model)})  # type: ignore[arg-type]

    assert job.error is not None
    assert (job.error.code, pool.tasks) == ("model_not_found", [])


def test_what_is_not_installed_is_named_with_its_cure(installed: set[str]) -> None:
    """Before any task."""
    installed.add("faster_whisper")
    pool = StubPool({})

    job = run(pool, "transcribe")

    assert (job.error.code, job.error.http_status, pool.tasks) == ("extra_missing", 501, [])
    assert "pip install 'tightship[transcribe]'" in job.error.public_message
