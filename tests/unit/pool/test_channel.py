"""Messages and descriptors between two processes."""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from tightship.pool import channel as channel_module
from tightship.pool.channel import Channel, ChannelClosed
from tightship.pool.messages import Cancel, Kill, Partial, Progress


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    """Both ends of a channel."""
    ours, bare = Channel.pair()
    theirs = Channel(bare)
    yield ours, theirs
    ours.close()
    theirs.close()


def test_messages_arrive_in_order(ends: tuple[Channel, Channel]) -> None:
    """What is sent comes out equal, one by one."""
    ours, theirs = ends
    sent = [Cancel(), Progress(1.5, None, "s"), Kill("memory"), Partial({"text": "für \udc80 alle"})]
    for message in sent:
        ours.send(message)

    assert [theirs.receive(1) for _ in sent] == sent


def test_nothing_in_time_is_none(ends: tuple[Channel, Channel]) -> None:
    """Waiting ends with None when nothing comes."""
    assert ends[0].receive(0) is None
    assert ends[0].receive(0.01) is None


def test_large_message_arrives_whole(ends: tuple[Channel, Channel]) -> None:
    """A message far larger than the socket's buffer is sent in pieces and received whole."""
    ours, theirs = ends
    payload = {"text": "x" * 4 * 2**20}
    sender = threading.Thread(target=ours.send, args=(Partial(payload),))
    sender.start()

    assert theirs.receive(10) == Partial(payload)
    sender.join()


def test_message_of_too_many_values_is_neither_sent_nor_read(ends: tuple[Channel, Channel]) -> None:
    """A few bytes a value would cost the reader twenty times as much memory."""
    ours, theirs = ends
    crowded = Partial({"all": [[]] * 600_000})
    with pytest.raises(ValueError, match="1000000 values"):
        ours.send(crowded)

    body = json.dumps({"is": "Partial", **vars(crowded)}).encode()
    sender = threading.Thread(target=ours._socket.sendall, args=(struct.pack("!I", len(body)) + body,))
    ours._socket.setblocking(True)
    sender.start()
    with pytest.raises(ChannelClosed, match="1000000 values"):
        theirs.receive(10)
    sender.join()


def test_too_large_message_is_not_sent(ends: tuple[Channel, Channel], monkeypatch: pytest.MonkeyPatch) -> None:
    """A message over the limit is refused where it is made."""
    monkeypatch.setattr(channel_module, "MAX_MESSAGE_BYTES", 100)

    with pytest.raises(ValueError, match="over the limit of 100 bytes"):
        ends[0].send(Partial({"text": "x" * 100}))


def test_descriptors_travel_and_are_not_inherited(ends: tuple[Channel, Channel]) -> None:
    """A descriptor arrives open, as a new one, closed in programs that are started."""
    ours, theirs = ends
    read_fd, write_fd = os.pipe()
    ours.send(Cancel(), fds=(write_fd,))
    os.close(write_fd)

    assert theirs.receive(1) == Cancel()
    (received,) = theirs.take_fds(1)
    os.write(received, b"hello")
    os.close(received)

    assert os.read(read_fd, 10) == b"hello"
    assert not os.get_inheritable(read_fd)
    os.close(read_fd)


def test_missing_descriptor_closes_the_channel(ends: tuple[Channel, Channel]) -> None:
    """A descriptor that was announced and did not come is a broken promise."""
    with pytest.raises(ChannelClosed, match="1 descriptors were announced, 0 came"):
        ends[0].take_fds(1)


def test_untaken_descriptors_are_closed(ends: tuple[Channel, Channel]) -> None:
    """Descriptors that nobody takes do not outlive the channel."""
    ours, theirs = ends
    read_fd, write_fd = os.pipe()
    ours.send(Cancel(), fds=(write_fd,))
    os.close(write_fd)
    theirs.receive(1)
    theirs.close()

    assert os.read(read_fd, 1) == b""
    os.close(read_fd)


def test_end_of_file_is_told(ends: tuple[Channel, Channel]) -> None:
    """Once the other side is closed, what it had sent is still received, then the end."""
    ours, theirs = ends
    ours.send(Cancel())
    ours.close()

    assert theirs.receive(1) == Cancel()
    with pytest.raises(ChannelClosed):
        theirs.receive(1)
    with pytest.raises(ChannelClosed):
        theirs.send(Cancel())


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"[]",
        b'{"is": "Unknown"}',
        b'{"is": "Kill"}',
        b'{"is": "Kill", "cause": "x", "more": 1}',
        b"[" * 9999,
        b'{"is": "Partial", "payload": {"x": NaN}}',
        b'{"is": "Partial", "payload": {"x": [-1e999]}}',
        b'{"is": "Kill", "cause": "\xff"}',
    ],
)
def test_nonsense_closes_the_channel(body: bytes) -> None:
    """Whatever is not a message is refused, without harm."""
    ours, raw = Channel.pair()
    with raw:
        raw.sendall(struct.pack("!I", len(body)) + body)
        with pytest.raises(ChannelClosed, match="not a message"):
            ours.receive(1)
    ours.close()


def test_announced_giant_is_refused_before_it_is_read() -> None:
    """A length over the limit is refused from its header."""
    ours, raw = Channel.pair()
    with raw:
        raw.sendall(struct.pack("!I", 2**31))
        with pytest.raises(ChannelClosed, match="was announced"):
            ours.receive(1)
    ours.close()


def test_side_that_does_not_read_is_given_up(ends: tuple[Channel, Channel]) -> None:
    """Sending to somebody who does not read ends after the time allowed."""
    with pytest.raises(ChannelClosed, match="does not read"):
        ends[0].send(Partial({"text": "x" * 2**22}), timeout_s=0.05)


def test_flood_of_descriptors_is_refused() -> None:
    """More descriptors than any message carries are not collected."""
    ours, raw = Channel.pair()
    body = json.dumps({"is": "Cancel"}).encode()
    with raw:
        null_fd = os.open(os.devnull, os.O_RDONLY)
        for _ in range(4):
            socket.send_fds(raw, [struct.pack("!I", len(body))[:1]], [null_fd])
        os.close(null_fd)
        with pytest.raises(ChannelClosed):
            ours.receive(1)
    ours.close()
