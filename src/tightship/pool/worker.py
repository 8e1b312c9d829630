"""The worker: the process of one slot. It runs attempts one after another and trusts nothing it is given."""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from tightship.core import peak, procfs
from tightship.core.opening import measured
from tightship.core.scope import Scope
from tightship.errors import ConversionFailed, TightshipError
from tightship.pool.assignment import Assignment, as_error, bare, conclude
from tightship.pool.channel import Channel, ChannelClosed
from tightship.pool.confinement import Confinement, confine
from tightship.pool.kinship import adopt_orphans, die_with_parent, outlive_signals
from tightship.pool.messages import Cancel, Finished, Message, Opened, Ready, Run, Started

#: Descriptor on which the warden hands a worker its channel.
CHANNEL_FD = 3
#: Memory over what was left after the first attempt from which settling is worth its milliseconds, in bytes.
SETTLE_SLACK_BYTES = 2**20


@dataclass(frozen=True)
class Birth:
    """What a worker is told on its command line.

    Args:
        warden_pid: Its parent; when that is gone, so is the worker.
        home: The slot's folder, the only place it may write.
        idle_s: It leaves by itself after this long without work; None stays.
        confinement: The limits it puts on itself.
    """

    warden_pid: int
    home: str
    idle_s: float | None
    confinement: Confinement

    def to_argument(self) -> str:
        """Return it as one command-line argument."""
        return json.dumps(asdict(self))

    @classmethod
    def from_argument(cls, text: str) -> Birth:
        """Rebuild what `to_argument` wrote."""
        data = json.loads(text)
        limits = data.pop("confinement")
        return cls(confinement=Confinement(**{**limits, "readable": tuple(limits["readable"])}), **data)


class Worker:
    """Listen in one thread, so that a cancel and the end of the parent are heard; work in the main one."""

    def __init__(self, channel: Channel, idle_s: float | None) -> None:
        self._channel = channel
        self._idle_s = idle_s
        self._queue: SimpleQueue[tuple[Run, int]] = SimpleQueue()
        self._running: Assignment | None = None
        self._sending = threading.Lock()
        self._session = ExitStack()
        self._opened: dict[tuple[str, str], object] = {}
        self._settled_bytes: int | None = None
        self._known: set[str] = set()

    def serve(self) -> None:
        """Run attempts until there is no work for `idle_s`; the end of the channel ends the process at once."""
        threading.Thread(target=self._listen, name="tightship-listen", daemon=True).start()
        while True:
            try:
                run, input_fd = self._queue.get(timeout=self._idle_s)
            except Empty:
                return
            os.ftruncate(sys.stderr.fileno(), 0)
            self._tell(self._attempt(run, input_fd))

    def _send(self, message: Message) -> None:
        with self._sending:  # an operation may report from threads of its own
            self._channel.send(message, timeout_s=None)  # a slow reader is not the attempt's fault; its deadline holds

    def _tell(self, finished: Finished) -> None:
        try:
            self._send(finished)
        except ValueError as unfit:
            error = ConversionFailed(f"the operation gave a result that cannot be passed on: {unfit}")
            receipt = {**finished.receipt, "outcome": "failed", "cause": error.code}
            self._send(Finished(None, error.to_dict(), [], receipt))

    def _listen(self) -> None:
        try:
            while True:
                order = self._channel.receive()
                if isinstance(order, Run):
                    self._queue.put((order, self._channel.take_fds(1)[0] if order.has_input else -1))
                elif isinstance(order, Cancel) and (running := self._running) is not None:
                    running.cancel()
        except ChannelClosed:
            os._exit(0)  # the parent is gone or has given this slot up: whatever runs is wanted by nobody
        except BaseException:  # noqa: BLE001 - whatever it is, the process ends here
            os._exit(1)  # a worker that no longer listens is of no use

    def _attempt(self, run: Run, input_fd: int) -> Finished:
        pid = os.getpid()
        self._send(Started(procfs.memory_bytes(pid), procfs.cpu_s(pid)))
        assignment = self._running = Assignment(run, input_fd, self._send)
        worth_settling_bytes = None if self._settled_bytes is None else self._settled_bytes + SETTLE_SLACK_BYTES
        fault = self._join_session(run, assignment)
        scope = Scope(run.name, kind="attempt", scratch=Path(run.folder), settle_over_bytes=worth_settling_bytes)

        def work(assignment: Assignment) -> dict[str, Any]:
            if fault is not None:
                raise fault
            operation = import_module(run.module)
            result = operation.run(assignment, run.options)
            if not isinstance(result, dict):
                raise TypeError(f"the result is {type(result).__name__}, not a dictionary")
            return result

        try:
            return conclude(assignment, work, scope)
        finally:
            self._running = None
            if input_fd >= 0:
                os.close(input_fd)
            if run.module not in self._known:
                self._known.add(run.module)
                self._freeze()

    def _freeze(self) -> None:
        """Take what a module's first attempt has loaded out of the collector's sight.

        It stays as long as the process does, and with it every collection costs 5 ms instead of 10 us. What is garbage
        by now is collected before, for nothing frozen is ever collected.
        """
        gc.collect()
        gc.freeze()
        self._settled_bytes = procfs.memory_bytes(os.getpid())

    def _join_session(self, run: Run, assignment: Assignment) -> TightshipError | None:
        """Open the session, or take the one that is open; return why it could not be.

        It outlives the attempt, and is opened before the attempt's scope: what a model keeps is no attempt's residue.
        """
        if run.session is None:
            return None
        try:
            assignment.join(self._session_of(import_module(run.module).open_session, run.module, run.session))
        except Exception as fault:  # noqa: BLE001 - the attempt fails with it
            return bare(as_error(fault))
        return None

    def _session_of(self, opener: Callable[[str], Any], module: str, key: str) -> object:
        if (module, key) not in self._opened:
            given, opening = measured(lambda: self._session.enter_context(opener(key)))
            self._opened[module, key] = given
            self._send(Opened(**vars(opening)))
        return self._opened[module, key]


def main() -> None:
    """Be born: bind this life to the warden's, confine it, then serve."""
    birth = Birth.from_argument(sys.argv[1])
    die_with_parent(signal.SIGKILL, birth.warden_pid)
    outlive_signals()
    adopt_orphans()
    os.set_inheritable(CHANNEL_FD, False)
    os.chdir(birth.home)
    peak.prepare()  # opens what confinement closes
    in_force = confine(birth.confinement, Path(birth.home))
    channel = Channel(socket.socket(fileno=CHANNEL_FD))
    channel.send(Ready(in_force))
    Worker(channel, birth.idle_s).serve()


if __name__ == "__main__":
    main()
