"""Asynchronous steps: tasks for ever pending, callbacks that pile up, and good use."""

from __future__ import annotations

import asyncio
import functools
import random
from contextlib import asynccontextmanager

from benchmarks.leaks.corpus import GROWING, STEADY, case

leaking = functools.partial(case, kind="asyncio", expect=GROWING)
clean = functools.partial(case, kind="asyncio", expect=STEADY)


@leaking(metric="asyncio_tasks")
def tasks_pending_for_ever():
    """Each call starts a task that waits for an event nobody sets."""
    tasks = []

    async def step():
        tasks.append(asyncio.create_task(asyncio.Event().wait()))  # leak

    yield step


@leaking(metric="asyncio_tasks")
def watcher_by_connection():
    """Each connection gets a watcher task; one in ten is not cancelled."""
    kept = []

    async def watch() -> None:
        while True:
            await asyncio.sleep(3600)

    async def step():
        task = asyncio.create_task(watch())  # leak
        kept.append(task)
        await asyncio.sleep(0)
        if random.random() < 0.9:
            kept.remove(task)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    yield step


@leaking(metric="python_blocks")
def timers_of_the_loop():
    """A call is planned for in an hour with each step."""

    async def step():
        asyncio.get_running_loop().call_later(3600, print)  # leak

    yield step


@leaking(metric="python_blocks")
def queue_nobody_reads():
    """Events are put into a queue without bound that has no reader."""
    events: asyncio.Queue[dict[str, float]] = asyncio.Queue()

    async def step():
        await events.put({"at": random.random()})  # leak

    yield step


@leaking(metric="python_blocks")
def callbacks_on_a_future():
    """Each call adds a callback to a future that is never done."""
    futures: list[asyncio.Future[None]] = []

    async def step():
        if not futures:
            futures.append(asyncio.get_running_loop().create_future())
        futures[0].add_done_callback(lambda _: None)  # leak

    yield step


@leaking(metric=("fds", "sockets"))
def writers_not_closed():
    """A stream to a local server is opened with each call and kept open."""
    kept = []

    async def step():
        if not kept:
            kept.append(await asyncio.start_server(lambda *both: kept.append(both), "127.0.0.1", 0))
        kept.append(await asyncio.open_connection(*kept[0].sockets[0].getsockname()))  # leak

    yield step


@clean()
def gathered():
    """Ten tasks are started and awaited."""

    async def step():
        await asyncio.gather(*(asyncio.sleep(0) for _ in range(10)))

    yield step


@clean()
def timed_out():
    """A wait is ended by its timeout."""

    async def step():
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 0.001)
        except TimeoutError:
            return

    yield step


@clean()
def threads_for_blocking_work():
    """Blocking work goes to the loop's own pool, which starts threads as it needs them."""

    async def step():
        await asyncio.gather(*(asyncio.to_thread(sum, range(1000)) for _ in range(3)))

    yield step


@clean()
def in_the_background():
    """A task is started in the background and done a little later."""
    running: set[asyncio.Task[None]] = set()

    async def step():
        task = asyncio.create_task(asyncio.sleep(0.002))
        running.add(task)
        task.add_done_callback(running.discard)
        await asyncio.sleep(0)

    yield step


@clean()
def streams_well_used():
    """A connection to a local server is opened, used and closed."""

    @asynccontextmanager
    async def echo():
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readline())
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            yield server.sockets[0].getsockname()

    async def step():
        async with echo() as address:
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"hello\n")
            assert await reader.readline() == b"hello\n"
            writer.close()
            await writer.wait_closed()

    yield step


@clean()
def new_loop_each_time():
    """A loop of its own runs each call, as in scripts."""

    def step():
        asyncio.run(asyncio.sleep(0))

    yield step
