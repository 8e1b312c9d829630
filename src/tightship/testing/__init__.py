"""What tightship's own tests use, for yours: a clock, an attempt and a pool under your control."""

from tightship.testing.attempt import Checkpoint, FakeAttempt
from tightship.testing.clock import FakeClock
from tightship.testing.pool import StubPool

__all__ = ["Checkpoint", "FakeAttempt", "FakeClock", "StubPool"]
