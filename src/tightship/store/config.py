"""Settings of the store and of its cache, each with its unit, default and effect."""

from __future__ import annotations

from dataclasses import dataclass, fields

from tightship.errors import InvalidOptions

#: Settings that may be zero: no waiting, no reserve, nobody passes the head of the queue.
_MAY_BE_ZERO = frozenset(
    {"backoff_base_s", "backoff_cap_s", "disk_reserve_bytes", "max_passes", "probe_reservation_bytes"}
)


@dataclass(frozen=True)
class StoreConfig:
    """How many jobs there may be, and how long things are kept.

    Args:
        max_pending: Most jobs that wait to be claimed, and uploads with a place; one more is refused (`queue_full`).
        max_running: Most jobs that run at a time, in all processes together.
        max_probing: Most jobs whose input is looked at at a time, in all processes together.
        max_attempts: Attempts after which a job is quarantined, unless the job says otherwise.
        max_passes: How often a job that fits in memory may go ahead of the oldest one, which does not; then all wait
            for the oldest.
        lease_s: Seconds a claim, or a seat, holds without being renewed; the claims of a server that died on this
            machine end at once.
        backoff_base_s: Longest wait in seconds before the second attempt, after an error that a retry may cure; it
            doubles with each attempt.
        backoff_cap_s: Longest wait in seconds before any attempt.
        retry_after_s: Seconds after which somebody who found the queue full is told to come again.
        probe_reservation_bytes: Memory that looking at an input takes, counted against the budget while it lasts.
        max_content_bytes: Disk reserved for an upload of unknown length, in bytes.
        disk_reserve_bytes: Bytes of free disk that uploads must leave: results and the database need them.
        result_ttl_s: Seconds after its end during which a job's files and events are kept.
        row_ttl_s: Seconds after its end during which a job's row, its receipts and its idempotency key are kept.
        max_rows: Most final jobs whose rows are kept; the oldest go first.
        max_events: Most events kept for one job; the oldest go first.
        max_attempt_rows: Most attempts of one job whose receipts are kept; the oldest go first.
        max_fingerprints: Most files of watched folders of which is known what became of them; the oldest go first.
        busy_s: Longest wait in seconds for the database while others write (`store_busy`).
    """

    max_pending: int = 10
    max_running: int = 2
    max_probing: int = 2
    max_attempts: int = 3
    max_passes: int = 8
    lease_s: float = 30.0
    backoff_base_s: float = 5.0
    backoff_cap_s: float = 600.0
    retry_after_s: float = 10.0
    probe_reservation_bytes: int = 192 * 2**20
    max_content_bytes: int = 2**31
    disk_reserve_bytes: int = 256 * 2**20
    result_ttl_s: float = 3600.0
    row_ttl_s: float = 7 * 86400.0
    max_rows: int = 10_000
    max_events: int = 100
    max_attempt_rows: int = 20
    max_fingerprints: int = 200_000
    busy_s: float = 10.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name in _MAY_BE_ZERO else 1 if isinstance(field.default, int) else 0.001
            if not least <= value < 10**15:
                raise InvalidOptions(f"{field.name} must be at least {least}, not {value}", option=field.name)


@dataclass(frozen=True)
class CacheConfig:
    """How much of what was worked out is remembered, for whoever asks for the same again.

    Args:
        memory_bytes: Bytes of results in the memory of each process; 0 remembers none there.
        disk_bytes: Bytes of results in the home folder, of all processes together; 0 remembers none there.
        entry_bytes: Longest result that is remembered, in bytes; it is read into memory whole.
        reserve_bytes: Bytes of free disk that remembered results leave to others.
        ttl_s: Seconds after which a result is forgotten, however often it was asked for; `none` lets it stay until it
            makes room for others. What nobody asks for is removed by the next program that uses the home folder, a
            server within a minute.
    """

    memory_bytes: int = 16 * 2**20
    disk_bytes: int = 256 * 2**20
    entry_bytes: int = 16 * 2**20
    reserve_bytes: int = 256 * 2**20
    ttl_s: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least = 1 if field.name == "ttl_s" else 0
            if value is not None and not least <= value < 10**15:
                raise InvalidOptions(f"{field.name} must be at least {least}, not {value}", option=field.name)

    @property
    def enabled(self) -> bool:
        """Whether anything is remembered at all."""
        return bool(self.memory_bytes or self.disk_bytes)


#: Nothing is remembered.
NO_CACHE = CacheConfig(memory_bytes=0, disk_bytes=0)
