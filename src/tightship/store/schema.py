"""The tables, as the newest migration leaves them. Times are Unix seconds by the database's clock."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, ForeignKey, Index, Integer, MetaData, Table, Text, text

#: The newest migration.
HEAD = "0006"

metadata = MetaData()

jobs = Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True),
    # The place in the line: oldest first. A job that is tried anew by request goes to the end.
    Column("position", BigInteger, nullable=False),
    Column("operation", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("max_attempts", Integer, nullable=False),
    Column("probes", Integer, nullable=False, default=0),
    Column("passes", Integer, nullable=False, default=0),
    # Grows with each claim; only who knows the present one may write.
    Column("fence", Integer, nullable=False, default=0),
    Column("owner", Text),
    Column("lease_expires_s", Double),
    Column("run_after_s", Double, nullable=False),
    Column("cancel_requested", Boolean, nullable=False, default=False),
    # Its row goes as soon as the attempt that still runs has ended.
    Column("removal_requested", Boolean, nullable=False, default=False),
    # Its files and events have been kept long enough, and are gone.
    Column("emptied", Boolean, nullable=False, default=False),
    # None until the input has been looked at: such a job cannot be claimed.
    Column("reservation_bytes", BigInteger),
    Column("source_digest", Text),
    Column("source_bytes", BigInteger),
    # For people to read; never part of a path.
    Column("source_name", Text),
    Column("media", Text),
    Column("progress", Text),
    Column("result", Text),
    Column("result_digest", Text),
    Column("result_bytes", BigInteger),
    Column("warnings", Text),
    Column("receipt", Text),
    Column("error", Text),
    Column("idempotency_key", Text, unique=True),
    # What two requests share that ask for the same of the same input.
    Column("request_hash", Text, nullable=False),
    Column("created_s", Double, nullable=False),
    Column("started_s", Double),
    Column("finished_s", Double),
    # It is of use only to one who waits for it, and goes when the time has passed that he was last known to.
    Column("attended", Boolean),
    Column("attended_until_s", Double),
    Index("jobs_in_line", "status", "position"),
    Index("jobs_by_position", "position"),
    # Of a new job none of these is known: what is not in an index is not written either.
    Index("jobs_by_end", "finished_s", sqlite_where=text("finished_s IS NOT NULL")),
    Index("jobs_to_empty", "finished_s", sqlite_where=text("emptied IS 0 AND finished_s IS NOT NULL")),
    Index("jobs_by_source", "source_digest", sqlite_where=text("source_digest IS NOT NULL")),
    Index("jobs_by_result", "result_digest", sqlite_where=text("result_digest IS NOT NULL")),
    Index("jobs_by_attendance", "attended_until_s", sqlite_where=text("attended_until_s IS NOT NULL")),
)

seats = Table(
    "seats",
    metadata,
    Column("id", Text, primary_key=True),
    Column("operation", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("source_name", Text),
    Column("content_bytes", BigInteger, nullable=False),
    Column("idempotency_key", Text, unique=True),
    Column("attended", Boolean),
    Column("lease_expires_s", Double, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("fence", Integer, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("operation", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("started_s", Double, nullable=False),
    Column("finished_s", Double),
    Column("outcome", Text),
    Column("cause", Text),
    Column("receipt", Text),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("data", Text, nullable=False),
    Index("events_of_job", "job_id", "id"),
    # An id that was given out is never given out again: whoever resumes after it misses nothing.
    sqlite_autoincrement=True,
)

# What became of a file of a watched folder: at one place, for one request (an operation and its options).
fingerprints = Table(
    "fingerprints",
    metadata,
    Column("source", Text, primary_key=True),
    Column("place", Text, primary_key=True),
    Column("request", Text, primary_key=True),
    Column("operation", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    # None for a file that nobody has read.
    Column("digest", Text),
    Column("outcome", Text, nullable=False),
    # What was put at the place, and what it was put in place of while it was not there yet.
    Column("result_digest", Text),
    Column("former_digest", Text),
    Column("error", Text),
    Column("noted_s", Double, nullable=False),
    Index("fingerprints_by_content", "digest", "request"),
    Index("fingerprints_by_place", "place"),
    Index("fingerprints_by_age", "noted_s"),
)
