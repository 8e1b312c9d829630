"""Hearing what Python tells of, by several at once."""

from __future__ import annotations

import sys
from contextlib import ExitStack

from tightship.leaks.audit import hearing


def test_blocks_may_end_in_the_order_in_which_they_began() -> None:
    """Two trials in two threads overlap: whoever ends first takes only its own listener off, and none stays."""
    first: list[object] = []
    second: list[object] = []
    one, two = ExitStack(), ExitStack()
    one.enter_context(hearing(["test.event", "test.once"], lambda _, arguments: first.extend(arguments)))
    two.enter_context(hearing(["test.event"], lambda _, arguments: second.extend(arguments)))

    sys.audit("test.event", "both")
    one.close()
    sys.audit("test.event", "second")
    sys.audit("test.once", "nobody")
    two.close()
    sys.audit("test.event", "nobody")

    assert (first, second) == (["both"], ["both", "second"])
