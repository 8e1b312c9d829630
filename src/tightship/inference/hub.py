"""Fetch a model from the hub: in a process of its own, so that nobody else carries the hub's client or waits for it.

`python -m tightship.inference.hub OWNER/NAME` prints one line of JSON for each report of progress, then one with the
`folder` or the `error`. Where a connection breaks, the fetch goes on from there; one that is stopped begins again with
the file that it was at.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tightship.errors import (
    DiskFull,
    ExtraMissing,
    ModelNotFound,
    ModelUnusable,
    OutputUnwritable,
    TightshipError,
    from_dict,
)
from tightship.inference import cache, resolver

#: Told the bytes of the weights fetched, and all of them.
Progress = Callable[[int, int], None]

#: Seconds that the hub may take to answer what a file is; the files themselves take as long as they take.
_ANSWER_S = 10.0
#: Seconds that a fetch which is stopped gets to remove what it has half written.
_GRACE_S = 5.0
_WEIGHTS = resolver.FILES[0]


def fetch(repository: str, progress: Progress | None = None) -> Path:
    """Fetch a repository with a process of its own and return its folder.

    Raises:
        ModelNotFound: The hub cannot be reached, or does not have it.
        ModelUnusable: What came is not what the hub has promised.
        DiskFull, OutputUnwritable: The cache cannot take it.
    """
    command = [sys.executable, "-m", __name__, repository]
    # What the client would say on the terminal is told as progress or as the error.
    environment = {"HF_HUB_VERBOSITY": "error", **os.environ}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment
    ) as child:
        try:
            told = _listen(child, progress)
        except BaseException:
            _stop(child)
            raise
    if "folder" in told:
        return Path(told["folder"])
    if isinstance(told.get("error"), dict):
        raise from_dict(told["error"])
    raise ModelNotFound(f"The model {repository} could not be fetched: its process ended with {child.returncode}.")


def _stop(child: subprocess.Popen[str]) -> None:
    child.terminate()
    try:
        child.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()


def _listen(child: subprocess.Popen[str], progress: Progress | None) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for line in child.stdout or ():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if progress is not None and "done" in told:
            progress(told["done"], told["total"])
    return told


def download(repository: str, progress: Progress) -> Path:
    """Fetch a repository right here; see `fetch`.

    The weights come last: a folder that has them has all, whatever has stopped a fetch.
    """
    try:
        from huggingface_hub import hf_hub_download, snapshot_download
    except ImportError:
        raise ExtraMissing.of("huggingface_hub") from None
    cache.sweep(repository, os.environ)
    rest = list(resolver.FILES[1:])
    error: TightshipError | None = None
    try:
        folder = Path(snapshot_download(repository, allow_patterns=rest, etag_timeout=_ANSWER_S, tqdm_class=_bar(None)))
        _check(repository, folder)
        # In this very thread, so that stopping it removes what it has half written.
        hf_hub_download(repository, _WEIGHTS, revision=folder.name, etag_timeout=_ANSWER_S, tqdm_class=_bar(progress))
        _check(repository, folder)
    except TightshipError:
        raise
    except Exception as fault:  # noqa: BLE001 - the client's faults come from five libraries; all end as one of ours
        error = _as_error(repository, fault)
    if error is not None:
        raise error
    return folder


def _check(repository: str, folder: Path) -> None:
    """Compare what came with its checksums; what is damaged is removed, so that nobody uses it.

    Raises:
        ModelUnusable: Something is damaged.
    """
    if broken := cache.damaged(folder):
        for link in (folder / name for name in broken):
            for part in (link.resolve(), folder / link.readlink(), link):
                part.unlink(missing_ok=True)
        (folder / _WEIGHTS).unlink(missing_ok=True)  # without them a folder is no model
        raise ModelUnusable(f"What came of {repository} is damaged: {', '.join(broken)}.", model=repository)


def _as_error(repository: str, fault: Exception) -> TightshipError:
    """Return the error of ours for whatever the hub's client raised."""
    place = cache.folder(os.environ)
    of_system = next((each for each in _chain(fault) if isinstance(each, OSError) and each.errno), None)
    if of_system is not None and of_system.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"There is no room for the model {repository} in {place}.", model=repository)
    if of_system is not None and of_system.filename is not None:
        return OutputUnwritable(
            f"The model {repository} cannot be kept in {place}: {of_system.strerror}.", model=repository
        )
    kinds = {kind.__name__ for each in _chain(fault) for kind in type(each).__mro__}
    if "GatedRepoError" in kinds:
        why = "the hub gives it only to those who have asked for it there; HF_TOKEN says who you are"
    elif "RepositoryNotFoundError" in kinds:
        why = "the hub has none of that name, or keeps it private; HF_TOKEN says who you are"
    elif "EntryNotFoundError" in kinds and "LocalEntryNotFoundError" not in kinds:
        why = f"it has no {_WEIGHTS}, so it is none for CTranslate2"
    elif "OfflineModeIsEnabled" in kinds:
        why = "the hub is not asked while HF_HUB_OFFLINE is set"
    elif kinds & {"ConnectError", "ConnectionError", "TimeoutException"}:
        why = f"the hub cannot be reached: {_first_line(fault)}"
    else:
        why = f"the hub did not answer as it should: {_first_line(fault)}"
    return ModelNotFound(
        f"The model {repository} is not on this machine and could not be fetched: {why}. "
        "A folder that holds it, or a package that does, will do.",
        model=repository,
    )


def _chain(fault: BaseException) -> Iterator[BaseException]:
    """Yield a fault and those that it came from."""
    each: BaseException | None = fault
    while each is not None:
        yield each
        each = each.__cause__ or each.__context__


def _first_line(fault: Exception) -> str:
    root = list(_chain(fault))[-1]
    return f"{type(root).__name__}: {str(root).partition(chr(10))[0][:200]}".rstrip(": ")


def _bar(progress: Progress | None) -> type[Any]:
    """Return a class of bars that draws nothing and tells `progress` of bytes."""
    from tqdm.auto import tqdm

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            # The client counts bytes twice: as they come, and as they are written.
            self._told = options.get("unit") == "B" and not str(options.pop("name", "")).endswith(".transfer")
            self._done = int(options.get("initial") or 0)
            self._counting = threading.Lock()
            super().__init__(*args, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            with self._counting:
                self._done += int(n or 0)
                if self._told and progress is not None:
                    progress(self._done, max(int(self.total or 0), self._done))
            return bool(super().update(n))

    return Bar


def main() -> int:
    """Fetch what the command line names; tell it in lines of JSON."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    def tell(**told: object) -> None:
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()

    try:
        tell(folder=str(download(sys.argv[1], lambda done, total: tell(done=done, total=total))))
    except TightshipError as error:
        tell(error=error.to_dict())
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # who has started it hears of it, too
        sys.exit(1)
