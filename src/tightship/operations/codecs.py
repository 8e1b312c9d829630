"""What FFmpeg can do here. It is asked in a slot, like everything of FFmpeg's; it is no operation on a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tightship.core.attempt import Attempt
from tightship.errors import ExtraMissing


def run(attempt: Attempt, options: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG001 - it has none
    """Return `Codecs` as plain JSON.

    Raises:
        ExtraMissing: PyAV is not installed, or cannot be loaded.
    """
    try:
        from tightship.media.codecs import codecs
    except ImportError:
        raise ExtraMissing.of("av") from None
    attempt.checkpoint(0, 1, "libraries")
    return codecs().to_dict()
