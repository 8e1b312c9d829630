"""What a scope writes when it closes: what was used, what is still there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

Kind = Literal["worker", "session", "attempt", "segment"]
Outcome = Literal["ok", "failed", "cancelled", "killed"]


@dataclass(frozen=True)
class Receipt:
    """The account of one closed scope. `None` means "not measured", never zero.

    Args:
        name: What ran in the scope: the operation, or the scope's own name.
        kind: Which lifetime it was.
        outcome: How it ended.
        cause: Why it did not end well: an error's code, or `deadline`, `no_progress`, `memory`, `signal 11`, `exit 3`,
            `parent gone`.
        wall_s: Seconds from opening to the end of the release.
        cpu_s: CPU seconds of the process and its children inside the scope.
        base_bytes: Memory (anonymous, shared and swapped) held when the scope opened.
        peak_bytes: The most memory held inside the scope, base included.
        retained_bytes: Memory still held after settling, over `base_bytes`; negative when settling returned more.
        fds, threads, children: How many more there are than when the scope opened.
        scratch_bytes: Bytes the scope left on disk.
        gpu_bytes: GPU memory still held, over what was held at opening.
        released: What was still open when the scope closed, and was released by it.
        left_behind: What could not be released.
    """

    name: str
    kind: Kind
    outcome: Outcome
    cause: str | None
    wall_s: float
    cpu_s: float | None = None
    base_bytes: int | None = None
    peak_bytes: int | None = None
    retained_bytes: int | None = None
    fds: int | None = None
    threads: int | None = None
    children: int | None = None
    scratch_bytes: int | None = None
    gpu_bytes: int | None = None
    released: tuple[str, ...] = ()
    left_behind: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the receipt as plain JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Receipt:
        """Rebuild a receipt that `to_dict` wrote; unknown keys of a newer version are left out."""
        known = {field.name: data[field.name] for field in fields(cls) if field.name in data}
        for name in ("released", "left_behind"):
            known[name] = tuple(known.get(name, ()))
        return cls(**known)
