"""The real operation `transcribe` with a part that never returns, for jobs whose prompt names it; for slots only."""

from __future__ import annotations

import collections
import ctypes
import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tightship.core.attempt import Attempt
from tightship.operations import transcribe

#: Packets that are decoded, and windows that are heard, before it hangs.
PACKETS, WINDOWS = 300, 1


def run(attempt: Attempt, options: Mapping[str, Any]) -> dict[str, Any]:
    """Transcribe; with the prompt `decoder` the sound's decoder never comes back."""
    if options["prompt"] == "decoder":
        _stick_the_decoder()
    return transcribe.run(attempt, options)


@contextmanager
def open_session(key: str) -> Iterator[Any]:
    """Load the real model; with the prompt `model` it never comes back from its second window."""
    with transcribe.open_session(key) as recognizer:
        write, written = recognizer.write, itertools.count()

        def stuck(windows: Any, heard: Any, request: Any, language: str) -> Any:
            # Behind it stands what was written before.
            if (request.prompt or "").startswith("model") and next(written) >= WINDOWS:
                # In C and with the interpreter's lock: no Python runs in this process any more, no signal is handled.
                collections.deque(itertools.repeat(0), maxlen=0)
            return write(windows, heard, request, language)

        recognizer.write = stuck  # type: ignore[method-assign]
        yield recognizer


def _stick_the_decoder() -> None:
    from tightship.media.audio import Sound

    decode, packets = Sound._decode, itertools.count()

    def stuck(self: Sound, packet: Any) -> Any:
        if next(packets) >= PACKETS:
            ctypes.CDLL(None).pause()  # as a decoder does that waits for a thread of its own
        return decode(self, packet)

    Sound._decode = stuck  # type: ignore[method-assign]
