"""The words that parent, warden and worker exchange."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from tightship.core.opening import Opening
from tightship.core.plain import build

# --- parent -> worker -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """Begin an attempt; the input's descriptor travels with the message when there is an input.

    Args:
        name: What the receipt calls the attempt.
        module: Import path of the module whose `run(attempt, options)` does the work.
        session: Key of the session that the module's `open_session` opens once per slot, or None.
        options: What `run` gets.
        folder: The attempt's own folder, which exists.
        has_input: Whether a descriptor travels along.
        began_s: `CLOCK_MONOTONIC` time from which the deadline counts.
        deadline: The fields of a `Deadline`.
    """

    name: str
    module: str
    session: str | None
    options: dict[str, Any]
    folder: str
    has_input: bool
    began_s: float
    deadline: dict[str, float]


@dataclass(frozen=True)
class Cancel:
    """Ask the running attempt to stop at its next checkpoint."""


# --- worker -> parent -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Ready:
    """The worker is confined and waits for its first attempt."""

    confined_by: tuple[str, ...]


@dataclass(frozen=True)
class Started:
    """The attempt has been taken on: from here on its end counts."""

    base_bytes: int
    cpu_s: float


@dataclass(frozen=True)
class Opened(Opening):
    """The session has been opened, which this took."""


@dataclass(frozen=True)
class Progress:
    """Work done so far, in `unit`."""

    done: float
    total: float | None
    unit: str


@dataclass(frozen=True)
class Partial:
    """A piece of the result."""

    payload: dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """The attempt has ended, its scope is closed and settled."""

    result: dict[str, Any] | None
    error: dict[str, Any] | None
    warnings: list[dict[str, str]]
    receipt: dict[str, Any]


# --- parent <-> warden ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Spawn:
    """Start a worker; its channel, the slot's line to the warden and its stderr travel along, in this order."""

    argv: list[str]
    env: dict[str, str]


@dataclass(frozen=True)
class Watch:
    """Enforce limits on a slot from now on; each Watch replaces the one before it.

    Args:
        ceiling_bytes: Kill when the slot's process tree holds more; None sets no ceiling.
        kill_at_s: `CLOCK_MONOTONIC` time to kill at; None sets no deadline, for a slot that is idle.
        cause: What a kill at `kill_at_s` is called: `deadline` or `no_progress`.
        fresh: Forget the peak seen so far.
    """

    ceiling_bytes: int | None = None
    kill_at_s: float | None = None
    cause: str = "deadline"
    fresh: bool = False


@dataclass(frozen=True)
class Kill:
    """Kill the slot now."""

    cause: str


@dataclass(frozen=True)
class Spawned:
    """The worker process exists."""

    pid: int


@dataclass(frozen=True)
class Exited:
    """The worker is dead, reaped, and so are all that descended from it.

    Args:
        cause: Why the warden killed it (`memory`, `deadline`, ...), else `signal 11`, `exit 3`.
        peak_bytes: The most memory its process tree was seen to hold since the last fresh Watch.
        cpu_s: CPU seconds of the worker and its reaped children over its whole life.
        orphans: How many descendants outlived it and were killed.
    """

    cause: str
    peak_bytes: int
    cpu_s: float
    orphans: int


Message = (
    Run | Cancel | Ready | Started | Opened | Progress | Partial | Finished | Spawn | Watch | Kill | Spawned | Exited
)
_KINDS: dict[str, type[Message]] = {kind.__name__: kind for kind in get_args(Message)}


def to_json(message: Message) -> dict[str, Any]:
    """Return the message as plain JSON, its kind under `is`."""
    return {"is": type(message).__name__, **vars(message)}


def from_json(data: object) -> Message:
    """Rebuild a message.

    Raises:
        ValueError: It is no message, or its fields do not fit; the sender is not to be trusted any more.
    """
    if not isinstance(data, dict):
        raise ValueError(f"{type(data).__name__} is no message")
    kind = _KINDS.get(str(data.get("is")))
    if kind is None:
        raise ValueError(f"unknown message {data.get('is')!r}")
    return build(kind, {name: value for name, value in data.items() if name != "is"})
