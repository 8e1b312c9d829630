"""What opening a session takes is measured."""

from __future__ import annotations

import pytest

from tightship.core import opening as module
from tightship.core.opening import measured

MIB = 2**20


def test_what_stays_and_what_was_needed_for_a_moment_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The level after is what the session keeps, the peak what opening it took; the GPU is asked before and after."""
    in_use = iter((1000, 1500))
    monkeypatch.setattr(module, "device_bytes", lambda: next(in_use))

    def load() -> bytearray:
        bytearray(b"x" * (64 * MIB))
        return bytearray(b"x" * (32 * MIB))

    model, opening = measured(load)

    assert len(model) == 32 * MIB
    assert 30 * MIB < opening.after_bytes - opening.before_bytes < 48 * MIB
    assert opening.peak_bytes >= opening.after_bytes
    assert opening.took_s > 0
    assert (opening.gpu_before_bytes, opening.gpu_after_bytes) == (1000, 1500)


def test_a_session_that_does_not_open_raises() -> None:
    """Its fault is that of the attempt; nothing is measured."""

    def broken() -> None:
        raise ValueError("no model")

    with pytest.raises(ValueError, match="no model"):
        measured(broken)
