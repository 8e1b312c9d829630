"""Run one job from its options to its result: probe, set the limits, work, account."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from tightship.core.receipt import Receipt
from tightship.errors import Cancelled, ConversionFailed, ExceedsBudget, InvalidOptions, TightshipError
from tightship.media.limits import Limits
from tightship.operations.operation import Operation
from tightship.operations.registry import operation_named
from tightship.operations.validation import check, require, validate
from tightship.pool.content import Content
from tightship.pool.deadline import Deadline
from tightship.pool.delivery import check_destination
from tightship.pool.pool import Pool
from tightship.pool.task import Outcome, Task
from tightship.pool.vigil import Event
from tightship.recall import Question, Recall
from tightship.store.entry import Entry
from tightship.units import format_bytes

Status = Literal["succeeded", "failed", "cancelled"]
#: The operation that every other one begins with.
PROBE = "info"


@dataclass(frozen=True)
class RunnerConfig:
    """Limits on a job's time and input.

    Args:
        probe_s: Seconds that looking at a file may take before it is worked on.
        min_work_s: No job gets less than this, in seconds, however short its media.
        max_work_s: No job gets more than this, in seconds, however long its media.
        no_progress_s: A job that gets no further for so long is killed.
        limits: What is accepted as input.
    """

    probe_s: float = 10.0
    min_work_s: float = 60.0
    max_work_s: float = 6 * 3600.0
    no_progress_s: float = 60.0
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for name in ("probe_s", "min_work_s", "max_work_s", "no_progress_s"):
            if not 0 < getattr(self, name) < math.inf:
                raise InvalidOptions(f"{name} must be more than 0 s, not {getattr(self, name)}", option=name)
        if self.min_work_s > self.max_work_s:
            raise InvalidOptions(
                f"min_work_s ({self.min_work_s:g}) must not be more than max_work_s ({self.max_work_s:g})",
                option="min_work_s",
            )


@dataclass(frozen=True)
class Job:
    """A job that has ended.

    Args:
        operation: What was done.
        status: How it ended.
        result: What came of it; None unless it succeeded.
        warnings: Where the result is less than what was asked for: `code` and `message` each.
        receipt: What it cost and what is left; None when no slot was used.
        error: Why it did not succeed.
    """

    operation: str
    status: Status
    result: Mapping[str, Any] | None
    warnings: tuple[Mapping[str, str], ...]
    receipt: Receipt | None
    error: TightshipError | None

    def to_dict(self) -> dict[str, Any]:
        """Return the job as plain JSON."""
        return {
            "status": self.status,
            "operation": self.operation,
            "result": None if self.result is None else dict(self.result),
            "warnings": [dict(warning) for warning in self.warnings],
            "receipt": None if self.receipt is None else self.receipt.to_dict(),
            "error": None if self.error is None else self.error.to_dict(),
        }


class Runner:
    """Run operations in the slots of a pool.

    Args:
        pool: Where the work is done.
        config: Limits on a job's time and input.
        folders: Whether options may name folders of this machine; not where they come from strangers.
        recall: Where results are remembered; None has each job done.
    """

    def __init__(
        self, pool: Pool, config: RunnerConfig | None = None, *, folders: bool = True, recall: Recall | None = None
    ) -> None:
        self.pool = pool
        self.config = config or RunnerConfig()
        self.recall = recall
        self._folders = folders

    def run(
        self,
        name: str,
        source: Path,
        output: Path | None = None,
        options: Mapping[str, Any] | None = None,
        *,
        anew: bool = False,
        on_event: Callable[[Event], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> Job:
        """Do `name` to `source` and return how it ended; what goes wrong is in the job, never raised.

        Args:
            name: The operation.
            source: The file to work on.
            output: Where the resulting file goes; not needed when the result is data alone.
            options: What the operation's options class takes.
            anew: Do it also where the result is remembered, and remember what comes of it instead.
            on_event: Called with progress and partial results, in this thread.
            cancel: Set it, from any thread, to cancel.
        """
        try:
            operation = operation_named(name)
            check(operation, options or {}, folders=self._folders)
            if output is not None:
                check_destination(output)
                _refuse_same(source, output)
            remembered = self.recall is not None and operation.basis is not None
            limit_s = self.config.min_work_s  # what takes longer to read than any job gets is not remembered
            content = Content.of(source, self.config.limits.max_file_bytes, cancel, limit_s) if remembered else None
            if anew:
                self.forget(name, options, content, cancel)
            elif (known := self.known(name, options, content, output, cancel)) is not None:
                return known
            media: Mapping[str, Any] = {}
            if name != PROBE:  # its length sets the deadline, its pictures the memory
                probed = self.probe(source, cancel)
                if probed.error is not None:
                    return _job(name, probed, None, {})
                media = probed.result or {}
            return self.work(name, source, output, options, media, content, on_event=on_event, cancel=cancel)
        except TightshipError as error:
            return _refused(name, error)

    def probe(self, source: Path, cancel: threading.Event | None = None) -> Outcome:
        """Look at an input, in a slot and under a short deadline; the outcome's result is `MediaInfo` as plain JSON.

        Raises:
            TightshipError: No attempt could be made.
        """
        probe = operation_named(PROBE)
        return self.pool.run(self._task(probe, validate(probe, {}), {}, source, None), cancel=cancel)

    def known(
        self,
        name: str,
        options: Mapping[str, Any] | None,
        content: Content | None,
        output: Path | None,
        cancel: threading.Event | None = None,
    ) -> Job | None:
        """Return the job as it was done before for the same content; None where it has to be done.

        Raises:
            TightshipError: The model is not to be had, or the file cannot be put to `output`.
        """
        question = self._question(operation_named(name), options, content, cancel)
        entry = question.answer(output) if question else None
        return None if entry is None else _known(name, entry, output)

    def forget(
        self,
        name: str,
        options: Mapping[str, Any] | None,
        content: Content | None,
        cancel: threading.Event | None = None,
    ) -> None:
        """Have a job done again, in whichever process on this home folder, though its result is remembered.

        Raises:
            TightshipError: The options are wrong, or it was cancelled.
        """
        question = self._question(operation_named(name), options, content, cancel)
        if question is not None:
            question.forget()

    def answer(self, name: str, probed: Outcome) -> Job | None:
        """Return the job that the look at its input has done already; None where there is work to do.

        Raises:
            TightshipError: The look did not succeed.
        """
        if not operation_named(name).answered_by_probe:
            return None
        return _job(name, probed, None, probed.unwrap())

    def work(
        self,
        name: str,
        source: Path | None,
        output: Path | None,
        options: Mapping[str, Any] | None,
        media: Mapping[str, Any],
        content: Content | None = None,
        *,
        on_event: Callable[[Event], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> Job:
        """Do what `run` does after its look at the input, which told `media`; a `content` has the result remembered."""
        try:
            operation = operation_named(name)
            require(operation)
            question = self._question(operation, options, content, cancel)
            if question and (entry := question.answer(output, again=True)) is not None:
                return _known(name, entry, output)
            chosen = validate(operation, options or {})
            try:
                task = self._task(operation, chosen, media, source, output)
                declared_bytes = operation.reservation_bytes(chosen, media)
            except (AttributeError, KeyError, TypeError, ValueError) as nonsense:  # the probe's slot is not trusted
                raise ConversionFailed(f"the look at the input gave nonsense: {nonsense}") from None
            outcome = self.pool.run(task, on_event=on_event, cancel=cancel)
            job = _job(name, outcome, output, media, declared_bytes)
            if question and job.result is not None:
                question.keep(job.result, job.warnings, output)
            return job
        except TightshipError as error:
            return _refused(name, error)

    def reservation_bytes(self, name: str, options: Mapping[str, Any], media: Mapping[str, Any]) -> int:
        """Return the memory that the operation declares for this input.

        Raises:
            InvalidOptions: The operation does not exist or does not take these options.
            ConversionFailed: `media` is not what a probe tells.
        """
        operation = operation_named(name)
        chosen = validate(operation, options)
        try:
            return int(operation.reservation_bytes(chosen, media))
        except (AttributeError, KeyError, TypeError, ValueError) as nonsense:
            raise ConversionFailed(f"the look at the input gave nonsense: {nonsense}") from None

    def suffix(self, name: str, options: Mapping[str, Any], media: Mapping[str, Any]) -> str | None:
        """Return the ending of the resulting file's name; None when the result is data alone."""
        operation = operation_named(name)
        return operation.suffix(validate(operation, options), media)

    def key(self, name: str, options: Mapping[str, Any]) -> tuple[str, ...] | None:
        """Return what the slot of such a job is kept warm for; see `Task.key`.

        Raises:
            TightshipError: What it needs is not to be had.
        """
        operation = operation_named(name)
        chosen = validate(operation, options)
        session = self._session(operation, chosen)
        return Task(name, operation.module, {}, Deadline(1, 1, 1), **session).key

    def _task(
        self, operation: Operation, options: Any, media: Mapping[str, Any], source: Path | None, output: Path | None
    ) -> Task:
        session = self._session(operation, options)
        reserved_bytes = operation.reservation_bytes(options, media)
        if reserved_bytes > self.pool.ceiling_bytes:
            raise ExceedsBudget(
                f"{operation.name} of this file needs {format_bytes(reserved_bytes)} of memory; "
                f"a slot may have {format_bytes(self.pool.ceiling_bytes)}",
                needed_bytes=reserved_bytes,
                limit_bytes=self.pool.ceiling_bytes,
            )
        return Task(
            name=operation.name,
            module=operation.module,
            options={**asdict(options), "limits": self.config.limits.to_dict()},
            deadline=self._deadline(operation, options, media),
            source=source,
            deliver=output,
            **session,
        )

    def _question(
        self,
        operation: Operation,
        options: Mapping[str, Any] | None,
        content: Content | None,
        cancel: threading.Event | None,
    ) -> Question | None:
        """Return what to ask of the results that are remembered; None where such a result is not."""
        if self.recall is None or operation.basis is None or content is None:
            return None
        chosen, basis = validate(operation, options or {}), operation.basis
        return self.recall.question(
            operation.name, lambda: basis(chosen, self._folders), self.config.limits, content, cancel
        )

    def _session(self, operation: Operation, options: Any) -> dict[str, Any]:
        """Return what a task says of its session."""
        if operation.session is None:
            return {}
        session = operation.session(options, self._folders)
        return {"session": session.key, "session_name": session.name, "readable": session.readable}

    def _deadline(self, operation: Operation, options: Any, media: Mapping[str, Any]) -> Deadline:
        if operation.name == PROBE:
            return Deadline(self.config.probe_s, self.config.probe_s, self.config.probe_s)
        wanted_s = operation.limit_s(options, media)
        limit_s = min(max(wanted_s, self.config.min_work_s), self.config.max_work_s)
        quiet_s = operation.no_progress_s(options) if operation.no_progress_s else 0.0
        deadline = Deadline.within(limit_s, max(self.config.no_progress_s, quiet_s))
        if operation.pace_s is None:
            return deadline
        return replace(deadline, pace_s=operation.pace_s(options), most_s=self.config.max_work_s)


def _refuse_same(source: Path, output: Path) -> None:
    try:
        same = source.samefile(output)
    except (OSError, ValueError):
        return  # one of them is not there, or is no name: they differ, or the attempt says what is wrong
    if same:
        raise InvalidOptions(f"the input and the output are the same file, {str(output)!r}; choose another output")


def _job(
    name: str, outcome: Outcome, output: Path | None, media: Mapping[str, Any], declared_bytes: int | None = None
) -> Job:
    status: Status = "succeeded"
    if outcome.error is not None:
        status = "cancelled" if isinstance(outcome.error, Cancelled) else "failed"
    result = outcome.result
    if result is not None and output is not None:
        result = {**result, "output": str(output)}
    about_input = (result if name == PROBE else media) or {}
    warnings = [{"code": "input", "message": text} for text in about_input.get("warnings", ())]
    receipt = replace(outcome.receipt, name=name, declared_bytes=declared_bytes)
    return Job(name, status, result, (*warnings, *outcome.warnings), receipt, outcome.error)


def _known(name: str, entry: Entry, output: Path | None) -> Job:
    result = {**entry.result, "cached": True} | ({} if output is None else {"output": str(output)})
    return Job(name, "succeeded", result, entry.warnings, None, None)


def _refused(name: str, error: TightshipError) -> Job:
    return Job(name, "cancelled" if isinstance(error, Cancelled) else "failed", None, (), None, error)
