"""Every fault tightship reports: one root, a stable code, a public message, an HTTP status."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

#: What may travel with an error: plain JSON scalars, so that it can cross a process.
Detail = str | int | float | bool | None


#: Which extra installs which optional module.
EXTRAS = {
    **dict.fromkeys(("annotated_types", "av", "cachetools", "pydantic"), "media"),
    **dict.fromkeys(
        (
            *("alembic", "anyio", "fastapi", "httpx", "prometheus_client", "python_multipart", "sqlalchemy", "uvicorn"),
            "watchfiles",
        ),
        "server",
    ),
    **dict.fromkeys(("ctranslate2", "faster_whisper", "huggingface_hub", "onnxruntime", "tokenizers"), "transcribe"),
}


class TightshipError(Exception):
    """Root of every error of ours.

    Args:
        public_message: One sentence that may be shown to a stranger: it names the limit and the value.
        details: Figures behind the sentence, under keys that carry their unit (`limit_bytes`).
    """

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, public_message: str, **details: Detail) -> None:
        super().__init__(public_message)
        self.public_message = public_message
        self.details = details

    def __reduce__(self) -> tuple[object, ...]:
        return (from_dict, (self.to_dict(),))

    def to_dict(self) -> dict[str, object]:
        """Return the error as plain JSON: `code`, `message`, `retryable` and `details`."""
        return {
            "code": self.code,
            "message": self.public_message,
            "retryable": self.retryable,
            "details": dict(self.details),
        }


# --- what the caller gave us ---------------------------------------------------------------------


class InvalidOptions(TightshipError):
    """An option is unknown, of the wrong type, or out of range."""

    code, http_status = "invalid_options", 422


class InvalidQuantity(InvalidOptions, ValueError):
    """A size or a duration could not be read."""

    code = "invalid_quantity"


class MediaNotFound(TightshipError):
    """The input is not there or may not be read."""

    code, http_status = "media_not_found", 404


class UnsupportedMedia(TightshipError):
    """The content is not a media format, codec or kind of file that tightship works on."""

    code, http_status = "unsupported_media", 415


class StreamMissing(TightshipError):
    """The file is media, but has no stream of the kind that the operation needs."""

    code, http_status = "stream_missing", 422


class CorruptMedia(TightshipError):
    """The file is damaged so that nothing of it can be decoded."""

    code, http_status = "corrupt_media", 422


class MediaTooLarge(TightshipError):
    """The file has more bytes than the limit."""

    code, http_status = "media_too_large", 413


class VideoTooLong(TightshipError):
    """The media lasts longer, or has more frames, than the limit."""

    code, http_status = "video_too_long", 413


class FrameTooLarge(TightshipError):
    """A frame has more pixels than the limit."""

    code, http_status = "frame_too_large", 413


class TooManyStreams(TightshipError):
    """The file has more streams than the limit."""

    code, http_status = "too_many_streams", 413


class ExceedsBudget(TightshipError):
    """The job needs more memory than the whole budget; it can never be admitted."""

    code, http_status = "exceeds_budget", 413


# --- what went wrong while working ----------------------------------------------------------------


class ConversionFailed(TightshipError):
    """The operation failed for a reason that is not in the input's form."""

    code = "conversion_failed"


class OutputTooLarge(TightshipError):
    """The result grew past the limit on the size of files that a slot may write."""

    code, http_status = "output_too_large", 413


class OutputUnwritable(TightshipError):
    """The place for the result cannot be written."""

    code, http_status = "output_unwritable", 422


class DiskFull(TightshipError):
    """The disk ran out of space; nothing half written was left."""

    code, http_status, retryable = "disk_full", 507, True


class DeadlineExceeded(TightshipError):
    """The attempt ran past its deadline and was killed."""

    code, http_status, retryable = "deadline_exceeded", 504, True


class NoProgress(DeadlineExceeded):
    """The attempt reported no progress for the length of the no-progress limit and was killed."""

    code = "no_progress"


class MemoryExceeded(TightshipError):
    """The attempt grew past its memory ceiling and was killed."""

    code, http_status, retryable = "memory_exceeded", 503, True


class WorkerDied(TightshipError):
    """The worker process ended in the middle of the attempt: a signal, an exit."""

    code, retryable = "worker_died", True


class Cancelled(TightshipError):
    """The attempt was cancelled by whoever asked for it."""

    code, http_status = "cancelled", 499


# --- what the store answers -------------------------------------------------------------------------


class QueueFull(TightshipError):
    """As many jobs wait as may wait; `retry_after_s` among the details says when to come again."""

    code, http_status, retryable = "queue_full", 503, True


class JobNotFound(TightshipError):
    """There is no job of that id, or it has been removed."""

    code, http_status = "job_not_found", 404


class InvalidTransition(TightshipError):
    """The job's status does not allow what was asked for."""

    code, http_status = "invalid_transition", 409


class IdempotencyConflict(TightshipError):
    """The idempotency key belongs to another request, or to one whose upload has not ended."""

    code, http_status = "idempotency_conflict", 409


class SeatLost(TightshipError):
    """The upload took longer than its seat in the queue was kept."""

    code, http_status, retryable = "seat_lost", 408, True


class StaleClaim(TightshipError):
    """The attempt had lost its job to the sweeper or to a cancellation; what it brought was thrown away."""

    code, http_status = "stale_claim", 409


class StoreBusy(TightshipError):
    """The database was locked by others for longer than the limit."""

    code, http_status, retryable = "store_busy", 503, True


class SchemaTooNew(TightshipError):
    """The database was written by a newer version of tightship."""

    code, http_status = "schema_too_new", 503


# --- what is wrong with the surroundings ------------------------------------------------------------


class SlotsUnavailable(TightshipError):
    """Workers keep dying at start, so no new ones are started for a while."""

    code, http_status, retryable = "slots_unavailable", 503, True


class ServerUnreachable(TightshipError):
    """The server does not answer, or its answer broke off."""

    code, http_status, retryable = "server_unreachable", 503, True


class ModelNotFound(TightshipError):
    """The model is not on this machine, and could not be fetched."""

    code, http_status = "model_not_found", 404


class ModelUnusable(TightshipError):
    """The model's files are damaged, or are not of the kind that is needed."""

    code = "model_unusable"


class ModelBusy(TightshipError):
    """A job works with the model, so it stays loaded."""

    code, http_status, retryable = "model_busy", 409, True


class PlatformUnsupported(TightshipError):
    """The operating system lacks what supervision stands on."""

    code, http_status = "platform_unsupported", 501


class ExtraMissing(TightshipError, ImportError):
    """An optional dependency is not installed; the message holds the command that installs it."""

    code, http_status = "extra_missing", 501

    @classmethod
    def of(cls, module: str | None, extra: str | None = None) -> ExtraMissing:
        """Return the error for a module that could not be imported.

        Args:
            extra: What to install; by default the smallest extra that brings the module.
        """
        name = str(module).partition(".")[0]
        extra = extra or EXTRAS.get(name, "all")
        return cls(f"{name} is not installed; run: pip install 'tightship[{extra}]'", extra=extra, module=name)


class ScopeMisused(TightshipError, RuntimeError):
    """A scope was entered twice, or used before it was opened or after it was closed."""

    code = "scope_misused"


class ReleaseFailed(TightshipError):
    """Something a scope owned could not be released."""

    code = "release_failed"


def every_error() -> Iterator[type[TightshipError]]:
    """Yield the root and every error class below it, parents first."""
    pending: list[type[TightshipError]] = [TightshipError]
    while pending:
        kind = pending.pop(0)
        yield kind
        pending.extend(kind.__subclasses__())


def from_dict(data: Mapping[str, object]) -> TightshipError:
    """Rebuild the error that `TightshipError.to_dict` wrote; an unknown code gives the root."""
    # The first class with a code is the one that defines it; those below may inherit it.
    kind = next((kind for kind in every_error() if kind.code == data.get("code")), TightshipError)
    error = kind.__new__(kind)
    TightshipError.__init__(error, str(data.get("message", "")))
    details = data.get("details")
    if isinstance(details, Mapping):
        error.details.update({str(key): value for key, value in details.items()})
    return error
