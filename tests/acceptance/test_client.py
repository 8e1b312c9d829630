"""The client against a real server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tightship import Client
from tightship.client.retry import Retries
from tightship.errors import InvalidOptions, InvalidTransition, JobNotFound, TightshipError

from .served import Served, serving

KEY = "a-key-that-nobody-guesses"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for all of these, guarded by a key."""
    home = tmp_path_factory.mktemp("served") / "home"
    with serving({**os.environ, "TIGHTSHIP_HOME": str(home), "TIGHTSHIP_API_KEYS": KEY}) as served:
        yield served


@pytest.fixture
def client(server: Served) -> Iterator[Client]:
    """A client with the key."""
    with Client(server.url, KEY, retries=Retries(max_tries=2)) as client:
        yield client


def test_video_goes_there_and_a_gif_comes_back(client: Client, video: Path, tmp_path: Path) -> None:
    """Submit, wait, download: the job tells what it made and what that cost."""
    sent = client.submit("gif", video, width=160, fps=5)
    ended = client.wait(sent.id, timeout_s=60)
    path = client.download(sent.id, tmp_path / "out.gif")

    assert (ended.status, ended.source_name, ended.error) == ("succeeded", "in.mp4", None)
    assert ended.result is not None
    assert ended.result["width"] == 160
    assert path.stat().st_size == ended.result["size_bytes"]
    assert path.read_bytes()[:6] == b"GIF89a"
    assert ended.receipt is not None
    assert ended.receipt.outcome == "ok"


def test_events_tell_the_way_of_a_job(client: Client, video: Path) -> None:
    """From waiting to the end, with ids that grow."""
    events = list(client.events(client.submit("info", video).id))

    statuses = [event.data["status"] for event in events if event.kind == "status"]
    assert statuses[-1] == "succeeded"
    ids = [int(event.id) for event in events if event.id]
    assert ids == sorted(set(ids))


def test_running_job_is_cancelled_and_tried_anew(client: Client, long_video: Path) -> None:
    """Cancelling reaches the worker at once; a retry is the same job, and can be cancelled again."""
    sent = client.submit("gif", long_video, width=1920, quality="high")
    next(event for event in client.events(sent.id) if event.data.get("status") == "running")
    with pytest.raises(TimeoutError):
        client.wait(sent.id, timeout_s=0.1)

    client.cancel(sent.id)
    assert client.wait(sent.id, timeout_s=60).status == "cancelled"
    with pytest.raises(InvalidTransition):
        client.cancel(sent.id)

    assert client.retry(sent.id).status == "pending"
    client.cancel(sent.id)
    assert client.wait(sent.id, timeout_s=60).status == "cancelled"


def test_removed_job_is_gone(client: Client, video: Path) -> None:
    """Neither asked for nor listed it is found."""
    sent = client.submit("info", video)
    client.wait(sent.id, timeout_s=60)
    assert sent.id in [job.id for job in client.jobs("succeeded")]

    client.delete(sent.id)

    assert sent.id not in [job.id for job in client.jobs()]
    with pytest.raises(JobNotFound):
        client.job(sent.id)


def test_refusals_are_errors_of_ours(client: Client, server: Served, video: Path) -> None:
    """Before the job, in the job, and for want of a key."""
    with pytest.raises(InvalidOptions, match="no option 'wdith'"):
        client.submit("gif", video, wdith=1)
    with pytest.raises(TightshipError, match="fetch") as no_file:
        client.download(_ended(client, client.submit("info", video).id).id, video.with_name("never.gif"))
    assert no_file.value.code == "result_not_found"
    with Client(server.url) as stranger, pytest.raises(TightshipError) as refused:
        stranger.memory()
    assert (refused.value.code, refused.value.http_status) == ("unauthenticated", 401)


def test_memory_tells_budget_and_slots(client: Client) -> None:
    """For whoever watches the server."""
    memory = client.memory()

    assert 0 < memory["budget"]["soft_bytes"] < memory["budget"]["hard_bytes"]
    assert len(memory["slots"]) <= 3


def _ended(client: Client, job_id: str) -> Any:
    return client.wait(job_id, timeout_s=60)
