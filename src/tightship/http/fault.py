"""What can be wrong with a request, beside what its job may meet."""

from __future__ import annotations

from tightship.errors import TightshipError


class MalformedRequest(TightshipError):
    """The request is not of the form that it has to have."""

    code, http_status = "malformed_request", 400


class Unauthenticated(TightshipError):
    """No key was shown, or a wrong one."""

    code, http_status = "unauthenticated", 401


class ForeignRequest(TightshipError):
    """The request comes from another site, or calls this one by a name that is not its own."""

    code, http_status = "foreign_request", 403


class ResultNotFound(TightshipError):
    """The job has no file to fetch: none yet, none at all, or no longer."""

    code, http_status = "result_not_found", 404


class HeadersTooLarge(TightshipError):
    """The request's headers have more bytes than the limit."""

    code, http_status = "headers_too_large", 431


class RangeNotSatisfiable(TightshipError):
    """The file ends before the range that was asked for begins."""

    code, http_status = "range_not_satisfiable", 416


class UploadStalled(TightshipError):
    """The upload came too slowly, or took too long as a whole."""

    code, http_status, retryable = "upload_stalled", 408, True


class RequestStalled(TightshipError):
    """The request's body took too long to come."""

    code, http_status, retryable = "request_stalled", 408, True


class SyncTimeout(TightshipError):
    """The transcription took longer than a client is kept waiting for it; the work was given up."""

    code, http_status = "sync_timeout", 504


class StreamBroken(TightshipError):
    """Text had been sent already when another attempt wrote down another one."""

    code, retryable = "stream_broken", True


class AddressUnavailable(TightshipError):
    """The address cannot be listened on: another process does, or it is not this machine's."""

    code = "address_unavailable"
