"""Which models are on a machine, and by which names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.unit.inference.test_resolver import make_model, make_snapshot
from tightship.inference.inventory import inventory

#: How weights of a Whisper model begin.
WHISPER = b"\x06\x00\x00\x00\x0c\x00WhisperSpec\x00\x03\x00\x00\x00"


def make_whisper(folder: Path) -> Path:
    """Lay out what looks like a Whisper model."""
    (make_model(folder) / "model.bin").write_bytes(WHISPER)
    return folder


def make_cached(hub: Path, repository: str) -> Path:
    """Lay a Whisper model out as the hub's client does."""
    snapshot = make_snapshot(hub, repository)
    (snapshot / "model.bin").resolve().write_bytes(WHISPER)
    return snapshot


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of installed packages."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder)])
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """Settings with an empty cache."""
    return {"HF_HUB_CACHE": str(tmp_path / "hub")}


def listed(settings: dict[str, str]) -> list[tuple[str, Path, str]]:
    return [(model.name, model.folder, model.source) for model in inventory(settings)]


def test_models_of_packages_and_of_the_cache_are_told(packages: Path, settings: dict[str, str]) -> None:
    """Each goes by its best-known name, or by what its package or repository is called."""
    folders = [
        make_whisper(packages / "faster_whisper_small" / "model"),
        make_whisper(packages / "our_ears"),
        make_cached(Path(settings["HF_HUB_CACHE"]), "Systran/faster-whisper-large-v3"),
        make_cached(Path(settings["HF_HUB_CACHE"]), "owner/name"),
    ]

    found = listed(settings)

    assert found == [
        ("small", folders[0], "package"),
        ("large-v3", folders[2], "cache"),
        ("our-ears", folders[1], "package"),
        ("owner/name", folders[3], "cache"),
    ]


def test_a_model_that_is_here_twice_is_told_by_two_names(packages: Path, settings: dict[str, str]) -> None:
    """The package goes first, as it does when the name is resolved; the copy in the cache can still be named."""
    here = make_whisper(packages / "whisper_small")
    there = make_cached(Path(settings["HF_HUB_CACHE"]), "Systran/faster-whisper-small")

    assert listed(settings) == [("small", here, "package"), ("Systran/faster-whisper-small", there, "cache")]


def test_other_models_are_left_out(packages: Path, settings: dict[str, str]) -> None:
    """A translator's weights lie in the same places and bear the same file names."""
    make_model(packages / "some_translator")

    assert listed(settings) == []


def test_the_default_model_comes_first_and_its_folder_has_no_name(
    packages: Path, settings: dict[str, str], tmp_path: Path
) -> None:
    """Strangers who are told the names learn of no folder."""
    make_whisper(packages / "whisper_small")
    folder = make_whisper(tmp_path / "mine")

    found = listed({**settings, "TIGHTSHIP_TRANSCRIBE_MODEL": str(folder)})

    assert found == [("default", folder, "path"), ("small", packages / "whisper_small", "package")]


def test_a_default_that_is_not_here_harms_nothing(packages: Path, settings: dict[str, str]) -> None:
    """The others are told all the same."""
    make_whisper(packages / "whisper_small")

    assert [name for name, _, _ in listed({**settings, "TIGHTSHIP_TRANSCRIBE_MODEL": "/nowhere"})] == ["small"]
