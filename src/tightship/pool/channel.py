"""A socket that carries messages and open files between two processes."""

from __future__ import annotations

import array
import fcntl
import json
import math
import os
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from tightship.pool.messages import Message, from_json, to_json

#: Largest message in bytes; a long transcript is about 1 MiB, more than this is a worker gone mad.
MAX_MESSAGE_BYTES = 32 * 2**20
#: Most values in one message: 32 MiB of empty lists would take 770 MiB of the reader's memory, and seconds to read.
MAX_VALUES = 1_000_000
#: Most descriptors in one message: a worker's channel, the line to the warden, its stderr.
MAX_FDS = 3

_LENGTH = struct.Struct("!I")


class ChannelClosed(ConnectionError):
    """The other side has closed the channel, died, or sent what is not a message."""


class Channel:
    """Length-prefixed JSON over a stream socket, with descriptors alongside.

    JSON and not pickle: what comes out of a worker that decodes hostile media must not run code in its parent.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._socket.setblocking(False)
        self._received = bytearray()
        self._fds: deque[int] = deque()

    @classmethod
    def pair(cls) -> tuple[Channel, socket.socket]:
        """Return a channel and the bare socket of its other end, to be handed to another process."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        return cls(ours), _above_stdio(theirs)

    def fileno(self) -> int:
        """Return the descriptor to poll; -1 once closed."""
        return self._socket.fileno()

    def send(self, message: Message, fds: Sequence[int] = (), timeout_s: float | None = 10.0) -> None:
        """Send a message whole.

        Raises:
            ChannelClosed: The other side is gone, or did not read for `timeout_s` (None waits for ever).
            ValueError: The message is not plain JSON, or too large; nothing was sent.
        """
        body = _encoded(message)
        if len(body) > MAX_MESSAGE_BYTES:
            raise ValueError(f"a message of {len(body)} bytes is over the limit of {MAX_MESSAGE_BYTES} bytes")
        _refuse_crowded(body)
        pending = memoryview(_LENGTH.pack(len(body)) + body)
        give_up_at_s = None if timeout_s is None else time.monotonic() + timeout_s
        # Without the flag, a program that has SIGPIPE at its default would die of a dead worker.
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        while pending:
            try:
                sent = self._socket.sendmsg([pending], ancillary, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                self._wait(select.POLLOUT, give_up_at_s)
                continue
            except OSError as fault:
                raise ChannelClosed(str(fault)) from None
            pending, ancillary = pending[sent:], []

    def receive(self, timeout_s: float | None = None) -> Message | None:
        """Return the next message, or None when none came within `timeout_s` (None waits for ever).

        Raises:
            ChannelClosed: The other side is gone or talks nonsense.
        """
        give_up_at_s = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            message = self._parse()
            if message is not None:
                return message
            if not self._fill():
                if give_up_at_s is not None and time.monotonic() >= give_up_at_s:
                    return None
                if not self._wait(select.POLLIN, give_up_at_s):
                    return None

    def take_fds(self, count: int) -> list[int]:
        """Return the next `count` descriptors that came with messages; they are the caller's to close.

        Raises:
            ChannelClosed: Fewer came.
        """
        if len(self._fds) < count:
            raise ChannelClosed(f"{count} descriptors were announced, {len(self._fds)} came")
        return [self._fds.popleft() for _ in range(count)]

    def close(self) -> None:
        """Close the socket, the copies that forked processes hold too, and every descriptor that nobody took."""
        with suppress(OSError):  # the other side was first
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        while self._fds:
            os.close(self._fds.popleft())

    def _wait(self, event: int, give_up_at_s: float | None) -> bool:
        poller = select.poll()
        poller.register(self._socket, event)
        left_ms = None if give_up_at_s is None else max(0.0, give_up_at_s - time.monotonic()) * 1000
        if poller.poll(left_ms):
            return True
        if event == select.POLLOUT:
            raise ChannelClosed("the other side does not read")
        return False

    def _fill(self) -> bool:
        try:
            data, fds, flags, _ = socket.recv_fds(self._socket, 1 << 16, MAX_FDS)
        except BlockingIOError:
            return False
        except OSError as fault:
            raise ChannelClosed(str(fault)) from None
        for fd in fds:
            os.set_inheritable(fd, False)
            self._fds.append(fd)
        if flags & socket.MSG_CTRUNC or len(self._fds) > MAX_FDS:
            raise ChannelClosed("more descriptors came than fit")
        if not data:
            raise ChannelClosed("end of file")
        self._received += data
        return True

    def _parse(self) -> Message | None:
        if len(self._received) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._received)
        if length > MAX_MESSAGE_BYTES:
            raise ChannelClosed(f"a message of {length} bytes was announced, the limit is {MAX_MESSAGE_BYTES}")
        end = _LENGTH.size + length
        if len(self._received) < end:
            return None
        body = bytes(self._received[_LENGTH.size : end])
        del self._received[:end]
        try:
            _refuse_crowded(body)
            return from_json(_STRICT.decode(body.decode("utf-8", "surrogatepass")))
        except (ValueError, RecursionError) as nonsense:
            raise ChannelClosed(f"not a message: {nonsense}") from None


def _finite(text: str) -> float:
    """Read a number; one that no JSON can hold would only blow up later, where the parent writes it down."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is not a finite number")
    return number


_STRICT = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)


def _above_stdio(sock: socket.socket) -> socket.socket:
    """Return the socket under a descriptor that no standard stream of a new process overwrites."""
    if sock.fileno() > 2:
        return sock
    with sock:  # a program whose standard streams are closed gets their numbers for its next files
        return socket.socket(fileno=fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD_CLOEXEC, 3))


def _encoded(message: Message) -> bytes:
    try:
        text = json.dumps(to_json(message), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as unfit:
        raise ValueError(f"not plain JSON: {unfit}") from None
    return text.encode("utf-8", "surrogatepass")


def _refuse_crowded(body: bytes) -> None:
    """Refuse a message that could hold more than `MAX_VALUES`, without reading it: marks in its texts count as well."""
    if sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise ValueError(f"a message of more than {MAX_VALUES} values is over the limit")
