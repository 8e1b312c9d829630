"""The program looks at the machine it is on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tightship import __version__
from tightship.pool import landlock

from .conftest import BARE, Cli, Ended


def checks(done: Ended) -> dict[str, dict[str, Any]]:
    """Return the checks by their names."""
    return {check["name"]: check for check in done.json()["checks"]}


def test_doctor_finds_what_is_needed(cli: Cli) -> None:
    """Where tests pass, everything needed works, and a person reads so."""
    done = cli("doctor")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"tightship {__version__}, Python ")
    assert done.out.endswith("Everything needed works.\n")


def test_quiet_doctor_has_nothing_to_say_when_all_is_well(cli: Cli) -> None:
    """A script only needs the exit code."""
    done = cli("-q", "doctor")

    assert (done.code, done.out, done.err) == (0, "", "")


def test_doctor_reports_a_real_slot(cli: Cli) -> None:
    """What confines slots and what FFmpeg can do comes from a slot that was started."""
    found = checks(cli("doctor", "--json"))

    confined_by = found["slot"]["facts"]["confined_by"]
    assert "no_new_privs" in confined_by
    assert ("files" in confined_by) == (landlock.abi_version() > 0)
    assert found["ffmpeg"]["facts"]["decoders"]["h264"] is True
    assert found["ffmpeg"]["facts"]["encoders"]["gif"] is True
    assert found["memory"]["facts"]["soft_bytes"] < found["memory"]["facts"]["limit_bytes"]


def test_doctor_names_the_cure_for_a_missing_extra(cli: Cli, tmp_path: Path) -> None:
    """What a slot cannot load makes the exit code 1 and comes with what to do; -q leaves out what works."""
    packages = tmp_path / "site-packages"
    packages.mkdir()
    (packages / "av.py").write_text("raise ImportError('not here')")
    script = f"import sys; sys.path.insert(0, {str(packages)!r})\nfrom tightship.cli import main; main()"

    done = cli("doctor", "-q", program=(sys.executable, "-c", script))

    assert done.code == 1
    shown = done.out.splitlines()
    assert shown[0].startswith("MISSING ffmpeg  av is not installed")
    assert "  ffmpeg: pip install 'tightship[media]'" in shown
    assert "memory" not in done.out


def test_doctor_works_without_any_extra(cli: Cli) -> None:
    """Who has installed tightship alone learns from it what is missing, and the command that cures it."""
    done = cli("doctor", program=BARE)

    assert (done.code, done.err) == (1, "")
    assert "MISSING packages   not installed: cachetools" in done.out
    assert "  packages: pip install 'tightship[media]'" in done.out


def test_doctor_tells_of_a_home_that_cannot_be_used(cli: Cli, tmp_path: Path) -> None:
    """Without a home no slot starts, and both are said."""
    (tmp_path / "file").touch()

    done = cli("--home", tmp_path / "file" / "home", "doctor", "--json")

    found = checks(done)
    assert done.code == 1
    assert (found["home"]["state"], found["slot"]["state"]) == ("missing", "missing")
    assert "--home" in found["home"]["cure"]


def test_doctor_sweeps_what_the_dead_left(cli: Cli, home: Path) -> None:
    """Folders of processes that are gone are removed and counted."""
    folder = home / "scratch" / f"{2**22 + 1}-1-pool-0123456789ab"
    folder.mkdir(parents=True)

    found = checks(cli("doctor", "--json"))

    assert found["leftovers"]["facts"]["removed"] == [folder.name]
    assert not folder.exists()
