"""Files, sockets and other descriptors: forgotten, and used well."""

from __future__ import annotations

import ctypes
import functools
import itertools
import mmap
import os
import random
import select
import socket
import sqlite3
import sys
import tempfile
from multiprocessing import shared_memory
from pathlib import Path

from benchmarks.leaks.corpus import GROWING, STEADY, case
from benchmarks.leaks.native import libc

leaking = functools.partial(case, kind="descriptors", expect=GROWING, metric="fds")
clean = functools.partial(case, kind="descriptors", expect=STEADY)
LINUX = functools.partial(sys.platform.startswith, "linux")


@leaking()
def files_kept_open():
    """A file is opened with each call and kept in a list."""
    files = []

    def step():
        files.append(Path(os.devnull).open())  # noqa: SIM115 # leak

    yield step
    for file in files:
        file.close()


@leaking()
def raw_descriptors():
    """A descriptor from os.open has nobody to close it."""
    opened = []

    def step():
        opened.append(os.open(os.devnull, os.O_RDONLY))  # leak

    yield step
    for descriptor in opened:
        os.close(descriptor)


@leaking()
def pipe_with_one_end_left():
    """Of a pipe only the end for writing is closed."""
    left = []

    def step():
        reading, writing = os.pipe()  # leak
        os.close(writing)
        left.append(reading)

    yield step
    for descriptor in left:
        os.close(descriptor)


@leaking()
def duplicate_when_it_fails():
    """A duplicate of a descriptor is closed unless the work fails, one in eight."""
    left, numbers = [], itertools.count()

    def work(number: int) -> None:
        copy = os.dup(2)  # leak
        if number % 8 == 0:
            left.append(copy)
            raise ValueError(number)
        os.close(copy)

    def step():
        try:
            work(next(numbers))
        except ValueError:
            return

    yield step
    for descriptor in left:
        os.close(descriptor)


@leaking()
def databases_unclosed():
    """A connection to a database is made with each request and kept by the request's log."""
    log = []
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/data.db"
        sqlite3.connect(path).execute("create table item (id integer)").connection.close()

        def step():
            connection = sqlite3.connect(path)  # leak
            connection.execute("select count(*) from item").fetchone()
            log.append(connection)

        yield step
        for connection in log:
            connection.close()


@leaking(needs=LINUX)
def event_loops_of_the_kernel():
    """An epoll object is made with each call."""
    made = []

    def step():
        made.append(select.epoll())  # leak

    yield step
    for poll in made:
        poll.close()


@leaking(needs=LINUX)
def timers_of_the_kernel():
    """A timer is made through the C library with each call and never closed."""
    opened = []

    def step():
        opened.append(libc().timerfd_create(1, 0))

    yield step
    for descriptor in opened:
        os.close(descriptor)


@leaking()
def c_streams():
    """A stream that the C library opened is never closed."""
    opened = []

    def step():
        opened.append(libc().fopen(os.devnull.encode(), b"r"))

    yield step
    for stream in opened:
        libc().fclose(ctypes.c_void_p(stream))


@leaking()
def maps_of_a_file():
    """A map of a file keeps a descriptor of its own."""
    maps = []
    with tempfile.TemporaryFile() as file:
        file.write(bytes(8192))
        file.flush()

        def step():
            maps.append(mmap.mmap(file.fileno(), 4096))  # leak

        yield step
        for region in maps:
            region.close()


@leaking(metric=("fds", "temp_files"))
def shared_memory_left():
    """Shared memory is made with each call and neither closed nor unlinked."""
    made = []

    def step():
        made.append(shared_memory.SharedMemory(create=True, size=4096))  # leak

    yield step
    for memory in made:
        memory.close()
        memory.unlink()


@leaking(metric=("sockets", "fds"))
def socket_pairs():
    """A pair of sockets is made with each call and kept."""
    pairs = []

    def step():
        pairs.append(socket.socketpair())  # leak

    yield step
    for pair in pairs:
        for end in pair:
            end.close()


@leaking(metric=("sockets", "fds"))
def connections_never_closed():
    """A client connects with each call; its server keeps the other end, too."""
    ends = []
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:

        def step():
            ends.append(socket.create_connection(server.getsockname()))  # leak
            ends.append(server.accept()[0])  # leak

        yield step
        for end in ends:
            end.close()


@leaking(metric=("sockets", "fds"))
def one_datagram_socket_in_20():
    """One call in 20 makes a new socket because the old one was lost."""
    kept, numbers = [], itertools.count(1)

    def step():
        if next(numbers) % 20 == 0:
            kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))  # leak

    yield step
    for end in kept:
        end.close()


@clean()
def keep_alive_sockets():
    """A pool opens up to ten connections, one with each call, and keeps them."""
    pool = []
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:

        def step():
            if len(pool) < 20:
                pool.append(socket.create_connection(server.getsockname()))
                pool.append(server.accept()[0])
            at = 2 * random.randrange(len(pool) // 2)
            pool[at].sendall(b"ping")
            assert pool[at + 1].recv(4) == b"ping"

        yield step
        for end in pool:
            end.close()


@clean()
def one_keep_alive_connection():
    """The first call opens a connection that all the others use."""
    from http.client import HTTPConnection
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    class Hello(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    connection = HTTPConnection(*server.server_address)

    def step():
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"hello"

    yield step
    connection.close()
    server.shutdown()
    server.server_close()


@clean()
def files_well_used():
    """Files, pipes, sockets and a database are opened and closed in each step."""

    def step():
        with Path(os.devnull).open() as file, socket.socket() as one, socket.socket() as two:
            assert file.fileno() != one.fileno() != two.fileno()
        for descriptor in os.pipe():
            os.close(descriptor)
        sqlite3.connect(":memory:").close()

    yield step


@clean()
def descriptors_that_wander():
    """Between 0 and 30 files are open, now more, now fewer."""
    files = []

    def step():
        if files and random.random() < len(files) / 30:
            files.pop(random.randrange(len(files))).close()
        else:
            files.append(Path(os.devnull).open())  # noqa: SIM115

    yield step
    for file in files:
        file.close()


@clean()
def log_file_rotates():
    """A log is closed and opened anew after each 40 lines."""
    with tempfile.TemporaryDirectory() as folder:
        path, numbers = Path(folder, "log"), itertools.count(1)
        log = [path.open("a")]

        def step():
            log[0].write("a line\n")
            if next(numbers) % 40 == 0:
                log[0].close()
                path.replace(path.with_suffix(".1"))
                log[0] = path.open("a")

        yield step
        log[0].close()


@clean()
def shared_memory_well_used():
    """Shared memory is made, closed and unlinked in each step."""

    def step():
        memory = shared_memory.SharedMemory(create=True, size=4096)
        memory.close()
        memory.unlink()

    yield step
