"""What a scope writes when it closes: what was used, what is still there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tightship.core.opening import Opening
from tightship.core.plain import build
from tightship.units import format_bytes, format_seconds

Kind = Literal["worker", "session", "attempt", "segment"]
Outcome = Literal["ok", "failed", "cancelled", "killed"]

_OUTCOMES = {
    "ok": "finished in",
    "failed": "failed after",
    "cancelled": "was cancelled after",
    "killed": "was killed after",
}
_CAUSES = {
    "deadline": "it ran past its deadline",
    "no_progress": "it made no progress for too long",
    "memory": "it grew past its memory ceiling",
    "parent gone": "the process that asked for it had ended",
}


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
        declared_bytes: Memory that the operation had declared for it.
        retained_bytes: Memory still held after settling, over `base_bytes`; negative when settling returned more.
        fds, threads, children: How many more there are than when the scope opened.
        scratch_bytes: Bytes the scope left on disk.
        gpu_bytes: GPU memory still held, over what was held at opening.
        slot: Number of the worker process, counted from the pool's opening; no two share one.
        size_bytes: Size of the job's input.
        opening: What loading its model took, where that had to be done first; the peak counts it in.
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
    slot: int | None = None
    size_bytes: int | None = None
    opening: Opening | None = None
    declared_bytes: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the receipt as plain JSON."""
        return {**vars(self), "opening": None if self.opening is None else asdict(self.opening)}

    def in_words(self) -> str:
        """Return the receipt as a few sentences for people."""
        sentences = (self._ending(), self._loading(), self._memory(), self._leftovers(), self._releases())
        return " ".join(sentence for sentence in sentences if sentence)

    def _ending(self) -> str:
        cpu = "CPU time not measured" if self.cpu_s is None else f"{format_seconds(self.cpu_s)} of CPU"
        cause = (
            ""
            if self.cause in (None, self.outcome)
            else f": {_CAUSES.get(str(self.cause), str(self.cause).replace('_', ' '))}"
        )
        return f"{self.name} {_OUTCOMES[self.outcome]} {format_seconds(self.wall_s)} ({cpu}){cause}."

    def _loading(self) -> str:
        return "" if self.opening is None else f"Its model was loaded first: {self.opening.in_words()}."

    def _memory(self) -> str:
        if self.peak_bytes is None and self.retained_bytes is None:
            return "Its memory was not measured."
        peak = "How much memory it used was not measured"
        if self.peak_bytes is not None:
            peak = f"It used at most {format_bytes(self.peak_bytes)} of memory"
        if self.retained_bytes is None:
            return f"{peak}; what it gave back was not measured."
        kept = f"all but {format_bytes(self.retained_bytes)}" if self.retained_bytes > 0 else "all of it"
        return f"{peak} and gave back {kept}."

    def _leftovers(self) -> str:
        """Say what is still there. Fewer than at the start counts as none; a GPU is named only where there is one."""
        amounts = (self.scratch_bytes, self.fds, self.threads, self.children, self.gpu_bytes)
        words = (
            _sized(self.scratch_bytes, "files"),
            _counted(self.fds, "descriptor", "descriptors"),
            _counted(self.threads, "thread", "threads"),
            _counted(self.children, "process", "processes"),
            _sized(self.gpu_bytes, "GPU memory"),
        )
        found = list(zip(amounts, words, strict=True))[: None if self.gpu_bytes is not None else -1]
        left = [*self.left_behind, *(text for amount, text in found if amount is not None and amount > 0)]
        if left:
            unknown = [text for amount, text in found if amount is None]
            return f"Left behind: {', '.join([*left, *unknown])}."
        if all(amount is None for amount in amounts):
            return "What it left behind was not measured."
        return f"Nothing was left behind: {', '.join(text for _, text in found)}."

    def _releases(self) -> str:
        return f"Still open at the end, and released: {', '.join(self.released)}." if self.released else ""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Receipt:
        """Rebuild a receipt that `to_dict` wrote; unknown keys of a newer version are left out.

        Raises:
            ValueError: A field is missing or of the wrong type.
        """
        known = _known(cls, data)
        if isinstance(opening := known.get("opening"), Mapping):
            known["opening"] = build(Opening, _known(Opening, opening))
        return build(cls, known)


def _known(kind: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: data[name] for name in kind.__dataclass_fields__ if name in data}


def _sized(size_bytes: int | None, what: str) -> str:
    return f"{what} not measured" if size_bytes is None else f"{format_bytes(max(0, size_bytes))} of {what}"


def _counted(count: int | None, one: str, many: str) -> str:
    if count is None:
        return f"{many} not measured"
    return f"1 {one}" if count == 1 else f"{max(0, count)} {many}"
