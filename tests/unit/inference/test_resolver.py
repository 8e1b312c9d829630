"""Where a model is found, and what is said when it is not."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from tightship.errors import ModelNotFound, ModelUnusable
from tightship.inference import cache
from tightship.inference.resolver import resolve

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def make_model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"weights")
    (folder / "config.json").write_text("{}")
    return folder


def make_snapshot(hub: Path, repository: str) -> Path:
    """Lay a model out as the hub's client does: files named by their checksums, and links to them."""
    home = hub / f"models--{repository.replace('/', '--')}"
    snapshot = home / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (home / "blobs").mkdir()
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(COMMIT)
    content = b"weights"
    for name, digest in (
        ("model.bin", hashlib.sha256(content).hexdigest()),
        ("config.json", hashlib.sha1(b"blob 7\0" + content).hexdigest()),
    ):
        (home / "blobs" / digest).write_bytes(content)
        (snapshot / name).symlink_to(Path("../../blobs") / digest)
    return snapshot


def test_a_folder_is_a_model(tmp_path: Path) -> None:
    """What is named by its path is taken from there."""
    folder = make_model(tmp_path / "mine")

    model = resolve(str(folder))

    assert (model.folder, model.source, model.weights_bytes) == (folder, "path", 7)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    """The message names the files that are missing."""
    with pytest.raises(ModelUnusable, match=r"model\.bin"):
        resolve(str(tmp_path))


@pytest.mark.parametrize("package", ["my_whisper_nano", "nano"])
def test_an_installed_package_that_holds_the_model_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    """The name of the folder or of the package tells which model it is."""
    folder = make_model(tmp_path / "site-packages" / package / "model")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "site-packages")])

    model = resolve("nano", {"HF_HUB_CACHE": str(tmp_path)})

    assert (model.folder, model.source) == (folder, "package")


def test_another_model_of_the_same_ending_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`nano.en` does not stand for `en`'s, nor `picnano` for `nano`."""
    make_model(tmp_path / "site-packages" / "picnano" / "model")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "site-packages")])

    with pytest.raises(ModelNotFound):
        resolve("nano", {"HF_HUB_CACHE": str(tmp_path)})


def test_the_hubs_cache_is_read_and_its_links_are_told(tmp_path: Path) -> None:
    """A slot has to be able to read the files that the links lead to."""
    snapshot = make_snapshot(tmp_path, "Systran/faster-whisper-medium")

    model = resolve("medium", {"HF_HUB_CACHE": str(tmp_path)})

    assert (model.folder, model.source) == (snapshot, "cache")
    assert snapshot.parent.parent / "blobs" in model.readable


def test_the_hub_is_asked_last(tmp_path: Path) -> None:
    """What is nowhere else is fetched, by the name that the hub knows it by."""
    asked: list[str] = []

    def fetch(repository: str) -> Path:
        asked.append(repository)
        return make_model(tmp_path / "fetched")

    model = resolve("medium", {"HF_HUB_CACHE": str(tmp_path)}, fetch)

    assert (asked, model.source) == (["Systran/faster-whisper-medium"], "hub")


def test_offline_the_message_names_what_was_tried(tmp_path: Path) -> None:
    """Whoever reads it knows where to put the model."""
    for folders, first in ((True, "a folder of that name, "), (False, "")):
        with pytest.raises(ModelNotFound) as refusal:
            resolve("medium", {"HF_HUB_CACHE": str(tmp_path)}, folders=folders)
        tried = f"{first}an installed package, the local cache of Systran/faster-whisper-medium"
        assert refusal.value.public_message == f"There is no model 'medium'; tried: {tried}."


@pytest.mark.parametrize("name", ["../../nowhere", "a/../b", "/nowhere/at/all", "no such model", "x" * 5000])
def test_a_strange_name_leads_nowhere(tmp_path: Path, name: str) -> None:
    """Names come from strangers: none of them breaks out or breaks down."""
    with pytest.raises(ModelNotFound):
        resolve(name, {"HF_HUB_CACHE": str(tmp_path)})


def test_a_stranger_names_no_folder(tmp_path: Path) -> None:
    """Whoever may not name folders does not learn which there are."""
    folder = make_model(tmp_path / "mine")

    with pytest.raises(ModelNotFound) as refusal:
        resolve(str(folder), {"HF_HUB_CACHE": str(tmp_path)}, folders=False)
    assert "tried: an installed package." in refusal.value.public_message


@pytest.mark.parametrize("name", [None, "", "whisper-1"])
def test_an_alias_is_the_model_of_the_setting(tmp_path: Path, name: str | None) -> None:
    """Clients that ask for OpenAI's name get what the operator chose."""
    folder = make_model(tmp_path / "mine")

    assert resolve(name, {"TIGHTSHIP_TRANSCRIBE_MODEL": str(folder)}).folder == folder


def test_damage_in_the_cache_is_seen(tmp_path: Path) -> None:
    """Every file is compared with the checksum that it is named by."""
    snapshot = make_snapshot(tmp_path, "owner/name")
    assert cache.damaged(snapshot) == []

    for name in ("model.bin", "config.json"):
        (snapshot / name).resolve().write_bytes(b"weighty")

    assert cache.damaged(snapshot) == ["config.json", "model.bin"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"HF_HUB_CACHE": "/a"}, "/a"),
        ({"HF_HOME": "/b"}, "/b/hub"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/huggingface/hub"),
        ({"HOME": "/d"}, "/d/.cache/huggingface/hub"),
    ],
)
def test_the_cache_is_where_the_hubs_client_puts_it(environment: dict[str, str], expected: str) -> None:
    """Its settings are ours, in its order."""
    assert cache.folder(environment) == Path(expected)
