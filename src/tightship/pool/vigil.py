"""The parent's watch over one attempt: hear the worker, keep its limits current, see it end."""

from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from tightship.core.opening import Opening
from tightship.errors import InvalidOptions
from tightship.pool.channel import Channel, ChannelClosed
from tightship.pool.config import LONGEST_WAIT_S
from tightship.pool.messages import (
    Cancel,
    Exited,
    Finished,
    Kill,
    Message,
    Opened,
    Partial,
    Progress,
    Run,
    Started,
    Watch,
)
from tightship.pool.supervision import ANSWER_S, Lines
from tightship.pool.task import Task

Event: TypeAlias = Progress | Partial

#: How often a caller that may cancel is looked at while its attempt runs, in seconds.
CANCEL_POLL_S = 0.05
#: Smallest step by which the no-progress limit is moved forward, in seconds: one message a second is enough.
EXTEND_EVERY_S = 1.0
#: How long after the warden should have killed it a slot is given up, in seconds.
OVERDUE_S = 5.0
#: How long a worker that has closed its channel may take to be dead, in seconds; one that only fell silent is killed.
SILENCE_S = 0.5

_log = logging.getLogger("tightship")
_UNREPORTED = Exited("warden gone", 0, 0.0, 0)


class Vigil:
    """Watch one attempt in one slot, from the calling thread, without a thread of its own."""

    def __init__(
        self,
        lines: Lines,
        task: Task,
        ceiling_bytes: int,
        cancel_grace_s: float,
        on_event: Callable[[Event], None] | None,
        cancel: threading.Event | None,
    ) -> None:
        self.started: Started | None = None
        self.opening: Opening | None = None
        self.progress: Progress | None = None
        self.began_s = time.monotonic()
        self._lines = lines
        self._task = task
        self._ceiling_bytes = ceiling_bytes
        self._cancel_grace_s = cancel_grace_s
        self._on_event = on_event
        self._cancel = cancel
        self._cancelling = False
        self._kill_at_s = float("inf")
        self._report: Exited | None = None

    def keep(self, folder: Path, source_fd: int | None) -> Finished | Exited:
        """Begin the attempt and return how it ended: the worker's last message or the warden's report of its death."""
        try:
            self._begin(folder, source_fd)
            while True:
                self._interfere()
                for channel in self._ready():
                    ending = self._hear(channel)
                    if ending is not None:
                        return ending
        except ChannelClosed:
            return self._report or last_report(self._lines)
        except BaseException:
            end(self._lines, "cancelled")  # Ctrl-C, a failing callback: nobody listens, so it must not go on
            raise

    def release(self) -> None:
        """Lift the deadline once the attempt has ended; the ceiling stays, for what it left at work."""
        self._lines.warden.send(Watch(self._ceiling_bytes))

    def _begin(self, folder: Path, source_fd: int | None) -> None:
        self._limit(fresh=True)
        run = Run(
            name=self._task.name,
            module=self._task.module,
            session=self._task.session,
            options=dict(self._task.options),
            folder=str(folder),
            has_input=source_fd is not None,
            began_s=self.began_s,
            deadline=dict(vars(self._task.deadline)),
        )
        try:
            self._lines.work.send(run, fds=() if source_fd is None else (source_fd,))
        except ValueError as unfit:
            raise InvalidOptions(f"the options of {self._task.name} cannot be passed on: {unfit}") from None

    def _limit(self, *, fresh: bool = False) -> None:
        deadline = self._task.deadline.after(self.progress.done if self.progress else 0.0)
        kill_at_s, cause = deadline.next_kill(self.began_s, time.monotonic())
        if fresh or kill_at_s - self._kill_at_s >= EXTEND_EVERY_S:
            self._kill_at_s = kill_at_s
            self._lines.warden.send(Watch(self._ceiling_bytes, kill_at_s, cause, fresh))

    def _open(self, opening: Opening) -> None:
        self.opening = opening
        _log.info("The model %s is loaded: %s.", self._task.session_name, opening.in_words())

    def _interfere(self) -> None:
        """Cancel if asked to, and end what the warden should have ended; what the worker has said until then counts."""
        self._cancel_if_asked()
        if self._report is None and time.monotonic() > self._kill_at_s + OVERDUE_S:
            self._report = end(self._lines, "overdue")

    def _cancel_if_asked(self) -> None:
        if self._cancelling or self._cancel is None or not self._cancel.is_set():
            return
        self._cancelling = True
        self._kill_at_s = time.monotonic() + self._cancel_grace_s
        self._lines.warden.send(Watch(self._ceiling_bytes, self._kill_at_s, "cancelled"))
        self._lines.work.send(Cancel())

    def _ready(self) -> list[Channel]:
        poller = select.poll()
        by_fd = {channel.fileno(): channel for channel in (self._lines.work, self._lines.warden)}
        for fd in by_fd:
            poller.register(fd, select.POLLIN)
        wait_s = max(0.0, self._kill_at_s + OVERDUE_S - time.monotonic())
        if self._cancel is not None:
            wait_s = min(wait_s, CANCEL_POLL_S)
        return [by_fd[fd] for fd, _ in poller.poll(min(wait_s, LONGEST_WAIT_S) * 1000)]

    def _hear(self, channel: Channel) -> Finished | Exited | None:
        while (message := channel.receive(0)) is not None:
            if isinstance(message, Exited) and channel is self._lines.work:
                raise ChannelClosed("a worker cannot report its own death")
            ending = self._take(message)
            if ending is not None:
                return ending
            self._interfere()  # here as well: there may be no end of messages
        return None

    def _take(self, message: Message) -> Finished | Exited | None:
        match message:
            case Finished() | Exited():
                return message
            case Started():
                self.started = message
            case Opened() if self.opening is None:  # a worker that says so again and again would fill the log
                self._open(Opening(**vars(message)))
            case Progress():
                further = self.progress is None or message.done > self.progress.done
                self.progress = message
                if further and not self._cancelling:
                    self._limit()
        if self._on_event is not None and isinstance(message, Progress | Partial):
            self._on_event(message)
        return None


def end(lines: Lines, cause: str) -> Exited:
    """Kill the worker and return the report of its death."""
    with suppress(ChannelClosed):  # its death is being reported already
        lines.warden.send(Kill(cause))
    return last_report(lines)


def news_of(lines: Lines) -> Exited | None:
    """Return the report of the worker's death when it is there; None while it lives."""
    try:
        report = lines.warden.receive(0)
    except ChannelClosed:
        return _UNREPORTED
    return report if isinstance(report, Exited) else None


def last_report(lines: Lines) -> Exited:
    """Return the warden's report on a worker that is dead or dying; without a warden its workers are dead as well."""
    with suppress(ChannelClosed):
        report = lines.warden.receive(SILENCE_S)
        if report is None:
            lines.warden.send(Kill("channel lost"))
            report = lines.warden.receive(ANSWER_S)
        if isinstance(report, Exited):
            return report
        lines.end_warden()  # it has been stopped, and its workers go on unwatched
    return _UNREPORTED
