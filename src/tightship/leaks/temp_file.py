"""Files that this process made and that are still there, known by their paths."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tightship.leaks.audit import hearing

#: Room for the paths, taken once, so that noting one takes no memory that another gauge would see.
ROOM_BYTES = 1 << 20
#: Folders of the kernel: what is opened there is no file.
_KERNEL = (b"/dev/", b"/proc/", b"/sys/")
_SHARED_MEMORY = b"/dev/shm/"
#: Which argument of an audit event is the path that comes into being.
_PATH_ARGUMENT = {
    "open": 0, "os.mkdir": 0, "os.rename": 1, "os.link": 1, "os.symlink": 1, "os.truncate": 0,
    "sqlite3.connect": 0, "socket.bind": 1,
}  # fmt: skip


class TempFiles:
    """Count files and folders that this process has created and not removed.

    Python tells of each creation through an audit hook; native code, and other processes, do not. A path that is gone
    when it is looked for is forgotten.
    """

    names = ("temp_files",)

    def __init__(self) -> None:
        self._paths = bytearray(ROOM_BYTES)
        self._end = 0
        self._last = b""

    def read(self, _settled: bool, /) -> tuple[float, ...]:
        """Return the number of paths that are still there."""
        return (float(len(self.held())),)

    def held(self) -> list[bytes]:
        """Return the paths that are still there, in the order in which they were made."""
        if not self._end:
            return []
        end = self._end
        held = [path for path in dict.fromkeys(bytes(self._paths[:end]).split(b"\0")) if path and os.path.lexists(path)]
        kept = b"".join(path + b"\0" for path in held)
        # What another thread noted meanwhile stays behind it.
        late = bytes(self._paths[end : self._end])
        self._paths[: len(kept) + len(late)] = kept + late
        self._end = len(kept) + len(late)
        self._last = b""
        return held

    def note(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Remember the path that an audit event is about to create."""
        if event == "open" and not _creates(arguments):
            return
        path = _absolute(arguments[_PATH_ARGUMENT[event]])
        if path is None or path == self._last or _is_no_file(path):
            return
        # A file without a name is opened by the name of its folder.
        if event == "open" and os.path.isdir(path):  # noqa: PTH112 - inside an audit hook
            return
        self._last = path
        entry = path + b"\0"
        if self._end + len(entry) > ROOM_BYTES:
            self.held()
        if self._end + len(entry) <= ROOM_BYTES:
            self._paths[self._end : self._end + len(entry)] = entry
            self._end += len(entry)

    @contextmanager
    def watching(self) -> Iterator[TempFiles]:
        """Note what is created inside the block."""
        with hearing(_PATH_ARGUMENT, self.note):
            yield self


def _creates(arguments: tuple[Any, ...]) -> bool:
    flags = arguments[2] if len(arguments) > 2 else 0
    return isinstance(flags, int) and bool(flags & os.O_CREAT)


def _absolute(path: object) -> bytes | None:
    """Return the path, absolute; a descriptor's is what it was opened as."""
    try:
        if isinstance(path, int):
            return os.readlink(f"/proc/self/fd/{path}").encode()  # noqa: PTH115 - inside an audit hook
        if isinstance(path, str | bytes | os.PathLike):
            return os.path.abspath(os.fsencode(path))  # noqa: PTH100 - inside an audit hook
    except (OSError, ValueError, TypeError):
        return None
    return None


def _is_no_file(path: bytes) -> bool:
    if path.startswith(_KERNEL) and not path.startswith(_SHARED_MEMORY):
        return True
    return b"\0" in path or b"/__pycache__/" in path
