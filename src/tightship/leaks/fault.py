"""What can go wrong with a trial, beside finding a leak."""

from __future__ import annotations

from tightship.errors import InvalidOptions, TightshipError


class StepNotFound(InvalidOptions):
    """There is no such module, function, test or process."""

    code, http_status = "step_not_found", 404


class StepFailed(TightshipError):
    """The step, its setup or its teardown raised an error, exited with another status than 0, or hung."""

    code = "step_failed"
