"""What only the garbage collector gives back: a warning at most, never a leak."""

from __future__ import annotations

import functools
import os
import random
from pathlib import Path

from benchmarks.leaks.corpus import STEADY, case

clean = functools.partial(case, kind="garbage", expect=STEADY)


class Node:
    """It can point to itself."""

    other: object = None

    def __init__(self, payload: object = None) -> None:
        self.payload = payload


@clean()
def cycles():
    """Two objects point to each other and are dropped."""

    def step():
        one, two = Node(), Node()
        one.other, two.other = two, one

    yield step


@clean()
def cycles_with_big_buffers():
    """A cycle holds a buffer of 1 MB; few objects, so the collector sees no reason to run."""

    def step():
        node = Node(bytearray(1_000_000))
        node.other = node

    yield step


@clean()
def cycles_with_files():
    """A cycle holds an open file until the collector comes."""
    import warnings

    def step():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            node = Node(Path(os.devnull).open())  # noqa: SIM115
            node.other = node

    yield step


@clean()
def cycles_with_finalizers():
    """Objects in cycles have finalizers, which the collector runs."""
    ended = [0]

    class Session(Node):
        def __del__(self) -> None:
            ended[0] += 1

    def step():
        session = Session([random.random()])
        session.other = session

    yield step


@clean()
def errors_that_hold_their_frame():
    """An error is kept in a local name of the frame that its traceback holds."""

    def work() -> None:
        buffer = bytearray(50_000)
        try:
            raise ValueError(len(buffer))
        except ValueError as error:
            kept = error
        assert kept is not None

    yield work


@clean()
def classes_dropped():
    """A class is made with each call and dropped; a class is always a cycle."""

    def step():
        type("Model", (), {"__slots__": ("a", "b"), "total": lambda self: self.a + self.b})

    yield step


@clean()
def callbacks_that_know_their_owner():
    """A widget holds its callbacks, which hold the widget."""

    def step():
        widget = Node([])
        widget.payload.append(lambda: widget)

    yield step


@clean()
def large_graphs_now_and_then():
    """One call in 50 drops a graph of 2000 nodes in which all hang together."""

    def step():
        nodes = [Node() for _ in range(2000 if random.random() < 0.02 else 3)]
        for node in nodes:
            node.other = nodes

    yield step
