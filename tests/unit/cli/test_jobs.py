"""What `tightship jobs` says when jobs go while it looks at them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tightship.cli import jobs
from tightship.cli.app import _invoke
from tightship.cli.settings import Settings
from tightship.errors import JobNotFound


class Vanishing:
    """Jobs of which some are gone when their turn comes."""

    def __init__(self, *listed: str) -> None:
        self._listed = listed

    def jobs(self, _status: str | None) -> list[dict[str, Any]]:
        """Return all of them as ended."""
        return [{"id": each, "finished_at": "2025-01-01T00:00:00.000Z"} for each in self._listed]

    def purge(self, job_id: str) -> None:
        """Find only what is there to stay."""
        if job_id.startswith("gone"):
            raise JobNotFound(f"there is no job {job_id!r}")


@pytest.mark.parametrize(("listed", "purged"), [(("gone",), []), (("gone", "kept", "gone-too"), ["kept"])])
def test_what_is_gone_already_is_no_fault_and_not_counted(
    listed: tuple[str, ...], purged: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their time may run out while all that has ended is removed; only what was removed here is told."""

    @contextmanager
    def open_backlog(*_: object) -> Iterator[Vanishing]:
        yield Vanishing(*listed)

    monkeypatch.setattr(jobs, "open_backlog", open_backlog)

    assert not _invoke(["jobs", "purge", "--ended", "--json"], Settings(threading.Event()))
    assert json.loads(capsys.readouterr().out) == {"purged": purged}
