"""What the doctor makes of what it finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tightship.cli import checkup
from tightship.core.scratch import SweepReport
from tightship.errors import ExtraMissing

FOUND: dict[str, Any] = {
    "pyav": "18.1.0", "ffmpeg": "8.1", "libraries": {}, "decoders": {"h264": True, "gif": True, "av1": False},
    "encoders": {"gif": True, "libx264": True},
}  # fmt: skip


def test_complete_ffmpeg_is_fine_without_what_is_not_needed() -> None:
    """A missing AV1 decoder is left out of the list, and stops nothing."""
    check = checkup.ffmpeg(FOUND, None)

    assert check.state == "ok"
    assert "reads h264, gif; writes gif, libx264" in check.detail


def test_ffmpeg_without_an_encoder_of_ours_is_missing_something() -> None:
    """A build without libx264 cannot cut exactly; the cure says where a full one is."""
    check = checkup.ffmpeg({**FOUND, "encoders": {"gif": True, "libx264": False}}, None)

    assert check.state == "missing"
    assert "lacks libx264" in check.detail
    assert check.cure is not None


def test_absent_ffmpeg_names_the_extra() -> None:
    """Without PyAV the command that installs it is the cure."""
    check = checkup.ffmpeg(None, ExtraMissing.of("av"))

    assert (check.state, check.cure) == ("missing", "pip install 'tightship[media]'")


def test_machine_without_landlock_is_told_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """It works without, only weaker: no failure, but a cure."""
    monkeypatch.setattr(checkup.landlock, "abi_version", lambda: 0)

    check = checkup.landlock_version()

    assert (check.state, check.facts["version"]) == ("optional", 0)
    assert check.cure is not None


def test_kernel_without_pidfd_cannot_supervise(monkeypatch: pytest.MonkeyPatch) -> None:
    """A seccomp profile that forbids pidfd_open stops tightship."""

    def forbidden(pid: int) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(checkup.os, "pidfd_open", forbidden)

    assert checkup.pidfd().state == "missing"


def test_leftovers_that_stay_are_named() -> None:
    """What could not be swept is the user's to remove."""
    check = checkup.leftovers(SweepReport(("one",), ("/home/scratch/two",)))

    assert check.state == "optional"
    assert check.detail == "1 removed, 1 could not be removed"
    assert check.cure == "remove /home/scratch/two"


def test_home_is_made_and_measured(tmp_path: Path) -> None:
    """A home that is not there yet is made; the free disk is told."""
    check = checkup.folder(tmp_path / "new" / "home")

    assert check.state == "ok"
    assert check.facts["free_bytes"] > 0
    assert (tmp_path / "new" / "home").is_dir()


def test_memory_limit_names_its_source() -> None:
    """People learn which limit counts, and what slots get of it."""
    facts = checkup.memory().facts

    assert facts["source"]
    assert 0 < facts["soft_bytes"] < facts["hard_bytes"] < facts["limit_bytes"]
