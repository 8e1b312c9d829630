"""Fetching a model from a hub that works, breaks off, lies, refuses, or is not there."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tightship.core import procfs
from tightship.core.scratch import tree_bytes
from tightship.errors import DiskFull, ModelNotFound, ModelUnusable, OutputUnwritable
from tightship.inference import cache
from tightship.inference.hub import fetch
from tightship.inference.resolver import resolve

from .hub_host import COMMIT, REPOSITORY, Hub, open_hub
from .test_disk import small_disk as small_disk

pytest.importorskip("huggingface_hub", reason="the extra 'transcribe' is not installed")

#: More than the client reads at a time.
WEIGHTS = os.urandom(30 * 2**20)
FILES = {
    "model.bin": WEIGHTS,
    "config.json": b"{}",
    "tokenizer.json": b'{"version": "1.0"}',
    "vocabulary.txt": b"a\nb\n",
    "README.md": b"not asked for",
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub of our own, and an empty cache."""
    with open_hub(dict(FILES)) as opened:
        monkeypatch.setenv("HF_ENDPOINT", opened.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "HF_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        yield opened


def cached(repository: str = REPOSITORY) -> Path | None:
    return cache.snapshot(repository, os.environ)


def unfinished() -> list[Path]:
    return list(cache.folder(os.environ).rglob("*.incomplete"))


def test_a_model_is_fetched_and_found(hub: Hub) -> None:
    """Its files and no others come; progress counts the bytes of the weights once; then nobody is asked any more."""
    told: list[tuple[int, int]] = []

    model = resolve(REPOSITORY, fetch=lambda name: fetch(name, lambda done, total: told.append((done, total))))

    assert model.source == "hub"
    assert (model.folder / "model.bin").read_bytes() == WEIGHTS
    assert sorted(path.name for path in model.folder.iterdir()) == sorted(set(FILES) - {"README.md"})
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {total for _, total in told} == {len(WEIGHTS)}
    assert (told[-1][0], len(told) > 1) == (len(WEIGHTS), True)
    assert hub.sent[-1] == "model.bin"
    assert resolve(REPOSITORY).source == "cache"


def test_a_fetch_goes_on_where_the_connection_broke(hub: Hub) -> None:
    """The rest is asked for by its range, and what has come is not sent again."""
    hub.cut_after = 20 * 2**20

    folder = fetch(REPOSITORY)

    assert (folder / "model.bin").read_bytes() == WEIGHTS
    (wanted,) = hub.ranges
    assert 0 < int(wanted.removeprefix("bytes=").removesuffix("-")) <= 20 * 2**20


@pytest.mark.parametrize("name", ["model.bin", "tokenizer.json"])
def test_what_comes_damaged_is_not_used(hub: Hub, name: str) -> None:
    """It is removed, told of by its name, and fetched anew the next time."""
    hub.damaged = {name}

    with pytest.raises(ModelUnusable, match=name):
        fetch(REPOSITORY)

    with pytest.raises(ModelNotFound):
        resolve(REPOSITORY)
    hub.damaged = set()
    assert (fetch(REPOSITORY) / name).read_bytes() == FILES[name]


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ((404, "RepoNotFound"), "none of that name"),
        ((401, "RepoNotFound"), "HF_TOKEN"),
        ((403, "GatedRepo"), "only to those who have asked for it"),
        ((503, ""), "did not answer as it should"),
    ],
)
def test_a_refusal_says_why(hub: Hub, refusal: tuple[int, str], words: str) -> None:
    """The message names the model, the reason, and what else will do."""
    hub.refusal = refusal

    with pytest.raises(ModelNotFound, match=words) as refused:
        fetch(REPOSITORY)

    assert REPOSITORY in refused.value.public_message
    assert "A folder that holds it" in refused.value.public_message
    assert cached() is None


def test_a_repository_of_another_kind_is_refused(hub: Hub) -> None:
    """A model that was not converted has no weights of that name; nothing large was fetched to find that out."""
    del hub.files["model.bin"]

    with pytest.raises(ModelNotFound, match=r"no model\.bin"):
        fetch(REPOSITORY)


def test_without_a_hub_it_says_so(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a hub that is gone nor the client's own switch keeps anybody waiting."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelNotFound, match="the hub cannot be reached: ConnectionRefusedError"):
        fetch(REPOSITORY)

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelNotFound, match="while HF_HUB_OFFLINE is set"):
        fetch(REPOSITORY)


def test_a_cache_that_cannot_be_written_is_named(hub: Hub, monkeypatch: pytest.MonkeyPatch, small_disk: Path) -> None:
    """Whoever reads it knows which folder it is about."""
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    monkeypatch.setenv("HF_HUB_CACHE", str(small_disk / "hub"))

    with pytest.raises(OutputUnwritable, match=f"cannot be kept in {small_disk / 'hub'}: Read-only file system"):
        fetch(REPOSITORY)


def test_a_full_disk_is_told_and_cleared(hub: Hub, monkeypatch: pytest.MonkeyPatch, small_disk: Path) -> None:
    """What was half written is gone, and there is no model."""
    monkeypatch.setenv("HF_HUB_CACHE", str(small_disk / "hub"))

    with pytest.raises(DiskFull, match="no room for the model owner/whisper-nano"):
        fetch(REPOSITORY)

    assert unfinished() == []
    assert tree_bytes(small_disk) < 2**20
    with pytest.raises(ModelNotFound):
        resolve(REPOSITORY)


def test_who_stops_a_fetch_leaves_nothing_half_done(hub: Hub) -> None:
    """The process ends and takes what it has half written with it; the next fetch brings the model."""
    hub.gate.clear()

    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(REPOSITORY, stop)

    assert procfs.descendants(os.getpid()) == []
    assert unfinished() == []
    with pytest.raises(ModelNotFound):
        resolve(REPOSITORY)
    hub.gate.set()
    assert (fetch(REPOSITORY) / "model.bin").stat().st_size == len(WEIGHTS)


def test_leftovers_of_a_killed_fetch_are_removed(hub: Hub) -> None:
    """The old ones: what is new may belong to a fetch that runs."""
    blobs = cache.folder(os.environ) / f"models--{REPOSITORY.replace('/', '--')}" / "blobs"
    blobs.mkdir(parents=True)
    for name, age_s in (("old", 7200.0), ("new", 0.0)):
        path = blobs / f"{name}.incomplete"
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age_s, time.time() - age_s))

    assert fetch(REPOSITORY).name == COMMIT

    assert [path.name for path in unfinished()] == ["new.incomplete"]
