"""The folder in which the hub's client keeps what it has fetched, read without that client."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

#: Bytes read at a time while a checksum is computed.
_BLOCK_BYTES = 2**20
#: Seconds without a write after which a half written file is nobody's.
_STALE_S = 3600.0


def folder(environment: Mapping[str, str]) -> Path:
    """Return where the cache is, as the hub's client decides it."""
    if own := environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE"):
        return Path(own).expanduser()
    if home := environment.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    base = environment.get("XDG_CACHE_HOME") or os.path.join(environment.get("HOME") or "~", ".cache")  # noqa: PTH118
    return Path(base).expanduser() / "huggingface" / "hub"


def snapshot(repository: str, environment: Mapping[str, str], revision: str = "main") -> Path | None:
    """Return the folder of a fetched repository at a revision; None where it is not there."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository) or ".." in repository:
        return None
    home = folder(environment) / f"models--{repository.replace('/', '--')}"
    try:
        commit = (home / "refs" / revision).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    found = home / "snapshots" / commit
    return found if re.fullmatch(r"[0-9a-f]{7,64}", commit) and found.is_dir() else None


def repositories(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of all repositories of which something is in the cache."""
    try:
        entries = sorted(entry.name for entry in folder(environment).iterdir() if entry.name.startswith("models--"))
    except OSError:
        return ()
    return tuple(entry.removeprefix("models--").replace("--", "/", 1) for entry in entries)


def sweep(repository: str, environment: Mapping[str, str]) -> None:
    """Remove what fetches that were killed have left half written; one that still runs writes all the time."""
    blobs = folder(environment) / f"models--{repository.replace('/', '--')}" / "blobs"
    for path in blobs.glob("*.incomplete"):
        with suppress(OSError):  # another was first, or may do it
            if time.time() - path.stat().st_mtime > _STALE_S:
                path.unlink()


def damaged(snapshot_folder: Path) -> list[str]:
    """Return the files of a snapshot whose content is not what their names in the cache promise.

    The cache names each file by its checksum: SHA-256 for large ones, Git's SHA-1 for the others. That file may be a
    link itself, to a place that several repositories share.
    """
    return [
        path.name
        for path in sorted(snapshot_folder.iterdir())
        if path.is_symlink() and not _is_whole(snapshot_folder / path.readlink())
    ]


def _is_whole(blob: Path) -> bool:
    if not blob.is_file():
        return False
    if re.fullmatch(r"[0-9a-f]{64}", blob.name):
        return _digest(blob, hashlib.sha256()) == blob.name
    if re.fullmatch(r"[0-9a-f]{40}", blob.name):
        header = f"blob {blob.stat().st_size}\0".encode()
        return _digest(blob, hashlib.sha1(header, usedforsecurity=False)) == blob.name
    return True


def _digest(path: Path, checksum: hashlib._Hash) -> str:
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            checksum.update(block)
    return checksum.hexdigest()
