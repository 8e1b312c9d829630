"""Other threads of the traced program go on while the search looks: neither disturbs the other."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

import pytest

from tightship.leaks.where import trace
from tightship.leaks.where.birth import Nursery
from tightship.leaks.where.flow import Ledger
from tightship.leaks.where.stack import Stack
from tightship.leaks.where.table import TemporaryFiles

A, B, LATE = ((("/app/a.py", 1, "main"),), (("/app/b.py", 2, "work"),), (("/app/c.py", 3, "late"),))


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_thread_that_tells_too_long_hears_nothing_of_it(monkeypatch: pytest.MonkeyPatch, is_closed: bool) -> None:
    """It is not waited for without end: its gauge is closed then, and the program is not told; other errors it is."""
    monkeypatch.setattr(trace, "TELLING_S", 0.01)
    inside, closed = threading.Event(), threading.Event()
    heard: list[type[BaseException]] = []

    def ended(frame: FrameType, _: int) -> None:
        if frame.f_code.co_name == "work":
            inside.set()
            assert not is_closed or closed.wait(30)
            raise OSError("the gauge is closed")

    def work() -> None:
        len("a line")

    def stray() -> None:
        try:
            work()
        except OSError as error:
            heard.append(type(error))

    thread = threading.Thread(target=stray)
    with trace.tracing(ended, lambda: False):
        thread.start()
        assert inside.wait(30)
        if not is_closed:
            thread.join(30)
    closed.set()
    thread.join(30)

    assert heard == ([] if is_closed else [OSError])


class Busy(dict[Stack, int]):
    """Accounts that another thread adds to whenever one is set."""

    def __setitem__(self, stack: Stack, net: int) -> None:
        super().__setitem__(stack, net)
        super().setdefault(LATE, 7)


def test_accounts_are_cleared_while_another_thread_books() -> None:
    """What comes in meanwhile stays."""
    ledger = Ledger(lambda: 0)
    ledger.net = Busy({A: 1, B: 2})  # type: ignore[assignment]

    ledger.clear()

    assert ledger.net == {A: 0, B: 0, LATE: 7}


def test_a_file_that_is_told_of_late_does_not_disturb(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread makes one while those that are there are looked through."""
    nursery = Nursery(TemporaryFiles())
    told: Callable[[str], None] = lambda path: nursery.audited("os.mkdir", (path, 0, -1), sys._getframe())  # noqa: E731

    def identity(_: object) -> str:
        told(f"/tmp/late-{len(nursery._told)}")
        return ""

    told("/tmp/never-there")
    monkeypatch.setattr(nursery.table, "identity", identity)

    assert list(nursery.survivors()) == []
    assert len(nursery._told) == 2


class Open:
    """Keys that the test adds to."""

    def __init__(self) -> None:
        self.numbers: set[Hashable] = set()

    def mark(self) -> Hashable:
        return len(self.numbers)

    def keys(self) -> frozenset[Hashable]:
        return frozenset(self.numbers)

    def identity(self, key: Hashable) -> str:
        return str(key)

    describe = identity


def test_a_line_is_named_though_another_thread_looks_first() -> None:
    """Whatever line another thread ends meanwhile sees what it makes: the one that is there each time made it."""
    table, frame = Open(), sys._getframe()
    nursery = Nursery(table)
    with ThreadPoolExecutor(1) as worker:
        for number in range(6):
            worker.submit(nursery.line_ended, frame, 1).result()
            nursery.line_ended(frame, 100)
            table.numbers.add(number)
            nursery.line_ended(frame, 101 + number)
            worker.submit(nursery.line_ended, frame, 2).result()
            nursery.step_ended()

    assert {stack[-1][1] for _, stack in nursery.survivors()} == {2}


def test_a_line_after_a_birth_has_no_part_in_it() -> None:
    """Only lines that ran while it came up are asked: not the next one, nor one of a thread that begins later."""
    table, frame = Open(), sys._getframe()
    nursery = Nursery(table)
    for number in range(6):
        table.numbers.add(number)
        nursery.line_ended(frame, 101 + number)
        later = threading.Thread(target=nursery.line_ended, args=(frame, 1))
        later.start()
        later.join(30)
        nursery.line_ended(frame, 2)
        nursery.step_ended()

    assert sorted(stack[-1][1] for _, stack in nursery.survivors()) == [101, 102, 103, 104, 105]


def test_a_line_that_waits_is_not_named_though_it_once_looks_first() -> None:
    """A wait is there each time as well as the line that is waited for, which mostly looks first."""
    table, frame = Open(), sys._getframe()
    nursery = Nursery(table)
    with ThreadPoolExecutor(1) as worker:
        for number in range(6):
            worker.submit(nursery.line_ended, frame, 1).result()
            nursery.line_ended(frame, 2)
            table.numbers.add(number)
            tell_it = (
                lambda: worker.submit(nursery.line_ended, frame, 3).result(),
                lambda: nursery.line_ended(frame, 4),
            )
            for tell in tell_it if number else reversed(tell_it):
                tell()
            nursery.step_ended()

    assert {stack[-1][1] for _, stack in nursery.survivors()} == {3}


def test_a_line_is_named_though_the_step_ends_before_it_does() -> None:
    """Work that nobody waits for goes on in another thread; what no line was seen to make at all stays unnamed."""
    table, frame = Open(), sys._getframe()
    nursery = Nursery(table)
    with ThreadPoolExecutor(1) as worker:
        for number in range(0, 12, 2):
            worker.submit(nursery.line_ended, frame, 1).result()
            table.numbers.add(number)
            if number == 4:
                nursery.step_ended()
                worker.submit(nursery.line_ended, frame, 2).result()
            else:
                worker.submit(nursery.line_ended, frame, 2).result()
                nursery.step_ended()

    assert [stack[-1][1] for _, stack in nursery.survivors()] == [2] * 5


def test_two_lines_are_named_though_a_third_waits_for_both() -> None:
    """The wait is there for all that both make, and has run but once."""
    table, frame = Open(), sys._getframe()
    nursery = Nursery(table)
    with ThreadPoolExecutor(1) as worker:
        for number in range(6):
            nursery.line_ended(frame, 1)
            for line in (2, 3):
                table.numbers.add((number, line))
                worker.submit(nursery.line_ended, frame, line).result()
            nursery.line_ended(frame, 4)
            nursery.step_ended()

    assert {(key[1], stack[-1][1]) for key, stack in nursery.survivors()} == {(2, 2), (3, 3)}  # type: ignore[index]


@pytest.mark.parametrize(("lines_beside", "named"), [((1, 2), 2), ((), 90)])
def test_a_wait_of_the_threading_module_is_named_last(lines_beside: tuple[int, ...], named: int) -> None:
    """It makes nothing itself, though it looks first each time; without another line it is better than none."""
    names: dict[str, Callable[[], FrameType]] = {}
    exec(compile("import sys\ndef wait(): return sys._getframe()", threading.__file__, "exec"), names)
    table, frame, wait = Open(), sys._getframe(), names["wait"]()
    nursery = Nursery(table)
    with ThreadPoolExecutor(1) as worker:
        for number in range(6):
            for line in lines_beside[:1]:
                worker.submit(nursery.line_ended, frame, line).result()
            nursery.line_ended(frame, 3)
            table.numbers.add(number)
            nursery.line_ended(wait, 90)
            for line in lines_beside[1:]:
                worker.submit(nursery.line_ended, frame, line).result()
            nursery.step_ended()

    assert {stack[-1][1] for _, stack in nursery.survivors()} == {named}
