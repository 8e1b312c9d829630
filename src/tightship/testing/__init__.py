"""What tightship's own tests use, for yours: a clock, an attempt and footprints under your control."""

from tightship.testing.attempt import Checkpoint, FakeAttempt
from tightship.testing.clock import FakeClock

__all__ = ["Checkpoint", "FakeAttempt", "FakeClock"]
