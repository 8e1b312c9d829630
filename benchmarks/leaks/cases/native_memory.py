"""Memory that Python's own allocator never sees."""

from __future__ import annotations

import array
import ctypes
import functools
import itertools
import mmap
import random
import threading

from benchmarks.leaks.corpus import GROWING, STEADY, case
from benchmarks.leaks.native import can_compile, extension, libc

leaking = functools.partial(case, kind="native memory", expect=GROWING, metric=("native_heap", "rss"))
clean = functools.partial(case, kind="native memory", expect=STEADY)


@leaking()
def malloc_200_bytes():
    """A C function is called through ctypes and its 200 bytes are never freed."""
    malloc = libc().malloc

    def step():
        malloc(200)  # leak

    yield step


@leaking()
def malloc_200_bytes_among_others():
    """The same beside honest allocations of any size."""
    library = libc()

    def step():
        blocks = [library.malloc(random.randrange(16, 60_000)) for _ in range(20)]
        library.malloc(200)  # leak
        for block in blocks:
            library.free(block)

    yield step


@leaking()
def strings_of_the_c_library():
    """A string given by the C library belongs to the caller, who forgets it."""
    strdup, text = libc().strdup, b"a" * 300

    def step():
        strdup(text)  # leak

    yield step


@leaking()
def realloc_that_only_grows():
    """A native buffer is made longer with each call."""
    library, state = libc(), [0, 0]

    def step():
        state[1] += 1000
        state[0] = library.realloc(state[0], state[1])  # leak

    yield step
    library.free(state[0])


@leaking(needs=can_compile)
def extension_forgets_malloc():
    """An extension forgets 256 bytes with each call."""
    keep = extension().keep

    def step():
        keep(256)  # leak

    yield step


@leaking(needs=can_compile)
def extension_error_path():
    """An extension frees its copy when all is well and forgets it when the input is refused, one in ten."""
    parse, numbers = extension().parse, itertools.count()

    def step():
        try:
            parse(b"[" * 4000 if next(numbers) % 10 == 0 else b"{" * 4000)  # leak
        except ValueError:
            return

    yield step


@leaking(metric="python_blocks", needs=can_compile)
def extension_reference_too_many():
    """An extension returns a tuple that it forgot to release."""
    describe = extension().describe

    def step():
        describe(random.random())  # leak

    yield step


@leaking(needs=can_compile)
def extension_in_threads():
    """Each call runs in a short thread, and native memory stays in whichever arena that had."""
    keep = extension().keep

    def step():
        thread = threading.Thread(target=keep, args=(1000,))
        thread.start()
        thread.join()

    yield step


@leaking(metric="rss")
def anonymous_maps():
    """A native library maps a page with each call and never unmaps it."""
    library = libc()

    def step():
        page = library.mmap(None, 4096, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
        library.memset(page, 1, 4096)

    yield step


@leaking()
def kilobyte_of_bytes_under_noise():
    """1 KB of raw bytes stays with each step while up to 1.7 MB come and go."""
    kept, working = [], []

    def step():
        working[:] = [bytearray(random.randrange(170_000)) for _ in range(10)]
        kept.append(bytes(1024))  # leak

    yield step


@leaking()
def large_blocks():
    """64 KB of bytes stay with each step."""
    kept = []

    def step():
        kept.append(bytearray(65_536))  # leak

    yield step


@leaking()
def one_array_gets_longer():
    """One array of numbers takes up 100 more with each call."""
    samples = array.array("d")
    block = array.array("d", [0.5] * 100)

    def step():
        samples.extend(block)  # leak

    yield step


@leaking(metric=("python_blocks", "native_heap", "rss"))
def callbacks_for_c():
    """Python functions are handed to C, and the thunks are kept lest C should call them."""
    prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
    kept = []

    def step():
        kept.append(prototype(lambda number: number))  # leak

    yield step


@leaking(metric="python_blocks")
def pointer_types():
    """A structure is declared in a function, and ctypes keeps its pointer type for ever."""

    def step():
        record = type("Record", (ctypes.Structure,), {"_fields_": [("a", ctypes.c_int)]})
        ctypes.POINTER(record)  # leak

    yield step


@clean()
def fragmentation():
    """Blocks of mixed sizes live for a random time, so that the heap is full of holes."""
    slots: list[bytes | None] = [None] * 400

    def step():
        for _ in range(40):
            slots[random.randrange(len(slots))] = bytes(int(random.lognormvariate(6, 1.5)))

    yield step


@clean()
def every_other_block_freed():
    """Many small blocks are made and every other one is freed, then the rest."""
    library = libc()

    def step():
        blocks = [library.malloc(random.choice((24, 100, 600, 3000))) for _ in range(200)]
        for block in blocks[::2] + blocks[1::2]:
            library.free(block)

    yield step


@clean(needs=can_compile)
def arenas_of_short_threads():
    """Threads that come and go take native memory and give it back, each in its arena."""
    touch = extension().touch

    def step():
        threads = [threading.Thread(target=touch, args=(random.randrange(200_000),)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    yield step


@clean()
def buffers_of_random_size():
    """A buffer of up to 8 MB lives until the next step makes another."""
    current = [bytearray()]

    def step():
        current[0] = bytearray(random.randrange(1, 8_000_000))
        current[0][::4096] = b"x" * len(range(0, len(current[0]), 4096))

    yield step


@clean()
def native_pool_fills():
    """A native pool takes 40 KB with each of 120 calls and then serves from that."""
    library, pool = libc(), []

    def step():
        if len(pool) < 120:
            pool.append(library.malloc(40_000))
            library.memset(pool[-1], 1, 40_000)

    yield step
    for block in pool:
        library.free(block)


@clean()
def maps_given_back():
    """A map of 1 MB is written and closed in each step."""

    def step():
        with mmap.mmap(-1, 1_000_000) as region:
            region.write(b"x" * 1_000_000)

    yield step
