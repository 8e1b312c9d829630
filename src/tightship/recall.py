"""Answer a job with what was worked out before for the same content, and remember what is worked out now."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tightship.errors import Cancelled, ExtraMissing, TightshipError
from tightship.media.limits import Limits
from tightship.operations.operation import Basis
from tightship.pool.content import Content, state_of
from tightship.pool.delivery import deliver_bytes
from tightship.store.config import CacheConfig
from tightship.store.entry import SCHEMA, Entry

if TYPE_CHECKING:
    from tightship.store.cache import CacheReport, ResultCache

#: Digests of weights, so that gigabytes are not read again for each run: few, and short.
_DIGESTS = CacheConfig(memory_bytes=64 * 2**10, disk_bytes=2**20, entry_bytes=4 * 2**10, reserve_bytes=0)
#: Packages of ours whose code makes results: a copy of tightship under work changes while its version does not.
_MAKERS = ("inference", "media", "operations")


class Question:
    """What one job asks of the results that are remembered; `Recall.question` makes it.

    Args:
        cache: Where they are.
        content: What the input holds.
        key: What this result is found under.
        key_now: Returns the same, unless something that the result follows from has changed since.
    """

    def __init__(self, cache: ResultCache, content: Content, key: str, key_now: Callable[[], str | None]) -> None:
        self._cache = cache
        self._content = content
        self._key = key
        self._key_now = key_now

    def answer(self, output: Path | None, *, again: bool = False) -> Entry | None:
        """Return what is remembered, after its file was put to `output`; None where there is nothing.

        Args:
            output: Where the file goes; None where none is wanted.
            again: The same job has asked before.

        Raises:
            DiskFull, OutputUnwritable: The file cannot be put there.
        """
        entry = self._cache.get(self._key, again=again)
        if entry is None or output is None:
            return entry
        if entry.content is None:
            return None
        deliver_bytes(entry.content, output)
        return entry

    def forget(self) -> None:
        """Have no answer, in whichever process the job is done."""
        self._cache.forget(self._key)

    def keep(self, result: Mapping[str, Any], warnings: Sequence[Mapping[str, str]], output: Path | None) -> bool:
        """Remember a result and its file; False where that is not to be, or cannot be, which harms nobody."""
        if result.get("complete") is False or not self._content.is_current() or not self._still_holds():
            return False
        told = {name: value for name, value in result.items() if name != "output"}
        try:
            if output is not None and output.stat().st_size > self._cache.config.entry_bytes:
                return False
            content = None if output is None else output.read_bytes()
        except OSError:
            return False
        return self._cache.put(self._key, Entry(told, tuple(warnings), content))

    def _still_holds(self) -> bool:
        try:
            return self._key_now() == self._key
        except Cancelled:  # too late: the result is there
            return False


class Recall:
    """Find and keep results in a home folder.

    Args:
        home: The home folder; all servers and command lines that share it share what they remember.
        config: How much is remembered.

    Raises:
        ExtraMissing: The extra `media` is not installed.
    """

    def __init__(self, home: Path, config: CacheConfig) -> None:
        try:
            from tightship.store.cache import ResultCache
        except ModuleNotFoundError as missing:  # the settings can be named without it
            raise ExtraMissing.of(missing.name) from None
        self._results = ResultCache(home / "cache" / "results", config)
        digests = replace(_DIGESTS, disk_bytes=min(_DIGESTS.disk_bytes, config.disk_bytes))
        self._digests = ResultCache(home / "cache" / "digests", digests)

    def question(
        self,
        operation: str,
        basis: Callable[[], Basis | None],
        limits: Limits,
        content: Content,
        cancel: threading.Event | None = None,
    ) -> Question | None:
        """Return what to ask for a job's result; None where it is not to be remembered.

        Args:
            operation: The job's.
            basis: What the result follows from, as it stands when it is called.
            limits: What is accepted as input.
            content: What the input holds.
            cancel: Set when the job is cancelled.

        Raises:
            Cancelled: The job was.
        """

        def key() -> str | None:
            try:
                found = basis()
                return None if found is None else self._key(operation, found, limits, content, cancel)
            except Cancelled:
                raise
            except TightshipError:
                return None  # what is missing for it shows when it is done

        first = key()
        return None if first is None else Question(self._results, content, first, key)

    def clear(self) -> int:
        """Forget everything, in all processes, and return how many results were on disk.

        Raises:
            OSError: One cannot be removed.
        """
        self._digests.clear()
        return self._results.clear()

    def expire(self) -> None:
        """Remove what has been kept for its time. It may be called often, and looks seldom."""
        self._results.expire()

    def report(self) -> CacheReport:
        """Return what is remembered, and how often that was of use."""
        return self._results.report()

    @property
    def config(self) -> CacheConfig:
        """How much is remembered."""
        return self._results.config

    @property
    def folder(self) -> Path:
        """Where results lie on disk."""
        return self._results.folder

    def _key(
        self, operation: str, basis: Basis, limits: Limits, content: Content, cancel: threading.Event | None
    ) -> str:
        """Return what two jobs share when they must have the same result."""
        return _digest_of(
            {
                "schema": SCHEMA,
                "operation": operation,
                "content": content.digest,
                "options": dict(basis.options),
                "facts": {**basis.facts, "machine": platform.machine()},
                "files": {path.name: self._file_digest(path, cancel) for path in basis.files},
                "limits": limits.to_dict(),
                "versions": {name: _version(name) for name in ("tightship", *basis.packages)},
                "code": _code_digest(),
            }
        )

    def _file_digest(self, path: Path, cancel: threading.Event | None) -> str:
        """Return the SHA-256 of a file, which is read again only when its place, size, inode or times have changed."""
        place = path.resolve()
        key = _digest_of({"path": str(place), "state": state_of(place)})
        known = self._digests.get(key)
        if known is not None:
            return str(known.result["sha256"])
        content = Content.of(place, sys.maxsize, cancel)
        assert content is not None
        if content.is_current():
            self._digests.put(key, Entry({"sha256": content.digest}))
        return content.digest


def open_recall(home: Path, config: CacheConfig) -> Recall | None:
    """Return what remembers results in a home folder, old ones gone; None where nothing is to be. See `Recall`."""
    if not config.enabled:
        return None
    recall = Recall(home, config)
    recall.expire()
    return recall


def _digest_of(facts: Mapping[str, Any]) -> str:
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def _code_digest() -> str:
    """Return what tells two copies of the code apart that makes results."""
    checksum = hashlib.sha256()
    for path in _modules():
        checksum.update(f"{path.parent.name}/{path.name}\n".encode())
        checksum.update(hashlib.sha256(path.read_bytes()).digest())
    return checksum.hexdigest()


def _modules() -> Iterator[Path]:
    here = Path(__file__).parent
    for package in _MAKERS:
        yield from sorted((here / package).glob("*.py"))
