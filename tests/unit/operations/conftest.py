"""The real model is shared with the tests of inference."""

from tests.unit.inference.conftest import tiny

__all__ = ["tiny"]
