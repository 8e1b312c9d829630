"""How much memory there really is: the container's limit, or the machine's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

#: Version 1 says "no limit" with the largest multiple of a page; nothing real comes near this.
_UNLIMITED_BYTES = 2**60
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class MemoryLimit:
    """The memory that may be used, and who says so."""

    limit_bytes: int
    source: str


@dataclass(frozen=True)
class _Mount:
    """Where a cgroup hierarchy with memory limits is mounted, and which cgroup that folder is."""

    version: int
    root: PurePosixPath
    point: PurePosixPath


def memory_limit(root: Path = Path("/")) -> MemoryLimit:
    """Return the lowest of the limits that hold for this process: cgroups v1 and v2, physical memory.

    Resource limits (`ulimit`) are left out: they bound address space, of which a model maps far more than it uses.

    Args:
        root: Stands for the file system's root; tests put a machine of their own below it.
    """
    return min([_physical(root), *_cgroup_limits(root)], key=lambda limit: limit.limit_bytes)


def own_cgroup(root: Path = Path("/")) -> Path | None:
    """Return the folder of this process's cgroup v2, or None where no such hierarchy is mounted."""
    own = _own_cgroups(_text(root / "proc/self/cgroup")).get(2)
    for mount in _mounts(_text(root / "proc/self/mountinfo")):
        if mount.version == 2:
            return _own_folder(root / mount.point.relative_to("/"), mount, own)
    return None


def _physical(root: Path) -> MemoryLimit:
    match = re.search(r"^MemTotal:\s*(\d+) kB", _text(root / "proc/meminfo"), re.MULTILINE)
    if match:
        return MemoryLimit(int(match[1]) * 1024, "physical memory")
    import psutil  # only where there is no /proc

    return MemoryLimit(int(psutil.virtual_memory().total), "physical memory")


def _cgroup_limits(root: Path) -> Iterator[MemoryLimit]:
    own = _own_cgroups(_text(root / "proc/self/cgroup"))
    for mount in _mounts(_text(root / "proc/self/mountinfo")):
        file = "memory.max" if mount.version == 2 else "memory.limit_in_bytes"
        top = root / mount.point.relative_to("/")
        folder = _own_folder(top, mount, own.get(mount.version))
        for level in [folder, *folder.parents]:
            text = _text(level / file).strip()
            if text.isdecimal() and int(text) < _UNLIMITED_BYTES:
                name = PurePosixPath("/") / level.relative_to(top)
                yield MemoryLimit(int(text), f"cgroup v{mount.version} {file} of {name}")
            if level == top:
                break


def _own_folder(top: Path, mount: _Mount, own: PurePosixPath | None) -> Path:
    """Return the folder of the own cgroup; a container whose cgroup is not below the mount sees it *as* the mount."""
    if own is None or ".." in own.parts or not own.is_relative_to(mount.root):
        return top
    folder = top / own.relative_to(mount.root)
    return folder if folder.is_dir() else top


def _own_cgroups(text: str) -> dict[int, PurePosixPath]:
    """Read `/proc/self/cgroup`: lines of `id:controllers:path`, where version 2 names no controllers."""
    found: dict[int, PurePosixPath] = {}
    for line in text.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            found[2] = PurePosixPath(path)
        elif "memory" in controllers.split(","):
            found[1] = PurePosixPath(path)
    return found


def _mounts(text: str) -> Iterator[_Mount]:
    """Read `/proc/self/mountinfo`: the fields before ` - ` place a mount, those after it say what is mounted."""
    for line in text.splitlines():
        place, _, what = line.partition(" - ")
        fields, kind = place.split(), what.split()
        if len(fields) < 5 or len(kind) < 3:
            continue
        root, point = (PurePosixPath(_unescaped(field)) for field in fields[3:5])
        if kind[0] == "cgroup2":
            yield _Mount(2, root, point)
        elif kind[0] == "cgroup" and "memory" in kind[2].split(","):
            yield _Mount(1, root, point)


def _unescaped(field: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), field)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
