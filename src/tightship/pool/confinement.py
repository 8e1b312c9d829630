"""What a worker may do: applied by the worker to itself before it touches anything hostile."""

from __future__ import annotations

import os
import resource
import site
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import tightship
from tightship.pool import landlock
from tightship.pool.privilege import drop_capabilities, renounce_new_privileges

#: Variables a worker inherits: where programs, libraries, zones and GPUs are. Keys and database URLs stay out.
_INHERITED = frozenset(
    ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
)
#: glibc settings that lower what a worker holds: 206 against 276 MB resident, 65 against 126 MB after freeing.
_MALLOC = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_MMAP_THRESHOLD_": "131072"}
#: NumPy's threads wait for each other longer than they compute on what a worker gives them: 6 % of the CPU seconds of a
#: transcription.
_THREADS = {"OPENBLAS_NUM_THREADS": "1"}
#: Kernel files that libraries read for the time zone, the linker's cache, the topology and randomness.
_SYSTEM_READ = (
    *("/usr", "/lib", "/lib64", "/bin", "/proc", "/sys/devices/system", "/sys/fs/cgroup"),
    *("/etc/ld.so.cache", "/etc/localtime", "/dev/zero", "/dev/random", "/dev/urandom"),
)
_SYSTEM_WRITE = ("/dev/null",)
_GPU_DEVICES = ("nvidia*", "nvidia-caps/*", "dri/*", "kfd")


@dataclass(frozen=True)
class Confinement:
    """The limits that a worker puts on itself.

    Args:
        max_file_bytes: Largest file it may write; a bigger one fails with EFBIG.
        oom_score_adj: Raised so that the kernel picks a worker, never the server, when the machine is out of memory.
        readable: Further files and folders it may read (models).
        network: Whether it may use TCP.
    """

    max_file_bytes: int = 8 * 2**30
    oom_score_adj: int = 800
    readable: tuple[str, ...] = ()
    network: bool = False


def scrubbed_environment(environment: Mapping[str, str], home: Path, import_path: Iterable[str]) -> dict[str, str]:
    """Return the environment of a worker that lives in `home` and imports from `import_path`."""
    kept = {name: value for name, value in environment.items() if name in _INHERITED}
    places = {"HOME": str(home), "TMPDIR": str(home), "PYTHONPATH": os.pathsep.join(import_path)}
    return {**kept, **_MALLOC, **_THREADS, **places, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONFAULTHANDLER": "1"}


def import_path(further: Iterable[str] = ()) -> list[str]:
    """Return where a worker finds tightship and the installed packages: never the caller's current folder."""
    own = str(Path(tightship.__file__).resolve().parent.parent)
    packages = [entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    return list(dict.fromkeys([own, *packages, *map(str, further)]))


def confine(confinement: Confinement, home: Path) -> tuple[str, ...]:
    """Confine this process, for ever: call it while there is one thread.

    Args:
        confinement: The limits.
        home: The slot's folder: all that it may write.

    Returns:
        What is in force, for `doctor` and the tests: `rlimits`, `oom_score_adj`, `no_new_privs`, and Landlock's.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = confinement.max_file_bytes if hard == resource.RLIM_INFINITY else min(confinement.max_file_bytes, hard)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    in_force = ["rlimits"]
    with suppress(OSError):  # an already higher score may not be lowered without privilege; it protects just as well
        Path("/proc/self/oom_score_adj").write_text(str(confinement.oom_score_adj), encoding="ascii")
        in_force.append("oom_score_adj")
    renounce_new_privileges()
    drop_capabilities()
    in_force += ["no_new_privs", "no_capabilities"]
    devices = [device for pattern in _GPU_DEVICES for device in Path("/dev").glob(pattern)]
    in_force += landlock.restrict(
        read=[*map(Path, _SYSTEM_READ), *_python_folders(), *map(Path, confinement.readable)],
        write=[home, *map(Path, _SYSTEM_WRITE), *devices],
        network=confinement.network,
    )
    return tuple(in_force)


def _python_folders() -> list[Path]:
    prefixes = [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix]
    if site.ENABLE_USER_SITE:
        prefixes.append(site.getusersitepackages())
    return [Path(entry) for entry in dict.fromkeys([*prefixes, *sys.path]) if entry]
