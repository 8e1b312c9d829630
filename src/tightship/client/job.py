"""What a server tells about a job."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from tightship.core.receipt import Receipt
from tightship.errors import TightshipError, from_dict

#: Statuses after which nothing more happens to a job unless somebody asks for it.
FINAL = frozenset({"succeeded", "failed", "cancelled", "quarantined"})


@dataclass(frozen=True)
class JobView:
    """A job as the server told of it.

    Args:
        progress: `fraction`, `done`, `total`, `unit` and `eta_s`; None before any is known.
        result: What came of it; None unless it succeeded.
        result_url: Where the resulting file is; None when there is none, or no longer.
        receipt: What its last attempt cost and left.
        receipt_text: The same in words.
        warnings: Where the result is less than what was asked for: `code` and `message` each.
        error: Why it did not succeed.
        created_at, started_at, finished_at: ISO 8601, UTC.
        data: The whole as the server sent it.
    """

    id: str
    operation: str
    options: Mapping[str, Any]
    status: str
    attempts: int
    max_attempts: int
    progress: Mapping[str, Any] | None
    result: Mapping[str, Any] | None
    result_url: str | None
    receipt: Receipt | None
    receipt_text: str | None
    warnings: tuple[Mapping[str, str], ...]
    error: TightshipError | None
    source_name: str | None
    source_bytes: int | None
    created_at: str | None
    started_at: str | None
    finished_at: str | None
    data: Mapping[str, Any]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Return the view of a job's JSON."""
        as_it_is = {name: data.get(name) for name in _AS_IT_IS}
        receipt, error = data.get("receipt"), data.get("error")
        return cls(
            **as_it_is,  # type: ignore[arg-type]  # the server keeps to its own schema
            options=data.get("options") or {},
            receipt=None if receipt is None else Receipt.from_dict(receipt),
            warnings=tuple(data.get("warnings") or ()),
            error=None if error is None else from_dict(error),
            data=data,
        )

    @property
    def final(self) -> bool:
        """Whether the job has ended."""
        return self.status in FINAL


_AS_IT_IS = (
    "id", "operation", "status", "attempts", "max_attempts", "progress", "result", "result_url", "receipt_text",
    "source_name", "source_bytes", "created_at", "started_at", "finished_at",
)  # fmt: skip


@dataclass(frozen=True)
class JobEvent:
    """Something that happened to a job.

    Args:
        id: To go on after; the ids of one job grow. None where the server gave none.
        kind: `status`, `progress` or `partial`.
        data: For `status` the whole job, for `progress` the progress.
    """

    id: str | None
    kind: str
    data: Mapping[str, Any]

    @property
    def job(self) -> JobView | None:
        """The job, in an event of kind `status`."""
        return JobView.of(self.data) if self.kind == "status" else None


def parse_events(lines: Iterable[str]) -> Iterator[JobEvent | None]:
    """Yield the events of an event stream, and None for a comment, which only tells that the server is there.

    An event whose data is not a JSON object is left out; so is one that the stream ends within.

    Source: HTML Living Standard, 9.2.6 "Interpreting an event stream".
    """
    event_id: str | None = None
    kind, data = "", list[str]()
    for line in lines:
        if not line:
            if (event := _event(event_id, kind, data)) is not None:
                yield event
            kind, data = "", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "":
                yield None
            case "event":
                kind = value
            case "data":
                data.append(value)
            case "id" if "\0" not in value:
                event_id = value


def _event(event_id: str | None, kind: str, data: list[str]) -> JobEvent | None:
    try:
        told = json.loads("\n".join(data))
    except ValueError:
        return None
    return JobEvent(event_id, kind or "message", told) if isinstance(told, dict) else None
