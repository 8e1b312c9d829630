"""Objects of the standard library whose memory lies mostly outside Python, and growth that is no straight line."""

from __future__ import annotations

import functools
import hashlib
import itertools
import random
import ssl
import xml.etree.ElementTree as ElementTree
import zlib

from benchmarks.leaks.corpus import GROWING, STEADY, case

leaking = functools.partial(case, kind="libraries", expect=GROWING, metric=("native_heap", "rss", "python_blocks"))
clean = functools.partial(case, kind="libraries", expect=STEADY)


@leaking()
def tls_context_by_client():
    """Each client makes a TLS context of its own, and clients are kept."""
    clients = []

    def step():
        clients.append(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))  # leak

    yield step


@leaking(metric=("native_heap", "rss"))
def decompressors_of_open_streams():
    """A decompressor is kept for each stream that was begun and never ended."""
    data, streams = zlib.compress(bytes(range(256)) * 40), []

    def step():
        stream = zlib.decompressobj()  # leak
        stream.decompress(data[:100])
        streams.append(stream)

    yield step


@leaking()
def checksums_kept_to_compare():
    """A checksum object, not its digest, is kept for each upload."""
    sums = []

    def step():
        sums.append(hashlib.sha256(random.randbytes(100)))  # leak

    yield step


@leaking(metric="python_blocks")
def elements_hang_on_one_root():
    """Items are parsed one by one and appended to a root that is never cleared."""
    root = ElementTree.Element("feed")

    def step():
        root.append(ElementTree.fromstring("<item id='1'><name>a</name><tags><tag/><tag/></tags></item>"))  # leak

    yield step


@leaking(metric="python_blocks")
def grows_ever_faster():
    """Each step adds a reader, and every reader keeps a copy of what comes: the growth grows."""
    readers: list[list[float]] = []

    def step():
        readers.append([])
        value = random.random()
        for reader in readers[::20]:
            reader.append(value + len(reader))  # leak

    yield step


@leaking(metric="python_blocks")
def one_in_five_beside_a_late_table():
    """One step in five keeps an object; step 700 also loads a table of 3 MB once."""
    kept, table, numbers = [], [], itertools.count()

    def step():
        number = next(numbers)
        if number == 700:
            table.extend(str(row) for row in range(50_000))
        if number % 5 == 0:
            kept.append({"number": number})  # leak

    yield step


@clean()
def a_late_table():
    """Step 700 loads a table of 3 MB, once."""
    table, numbers = [], itertools.count()

    def step():
        if next(numbers) == 700:
            table.extend(str(row) for row in range(50_000))

    yield step


@clean()
def tls_context_dropped():
    """Each call makes a TLS context and drops it."""
    yield lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).check_hostname


@clean()
def streams_compressed_to_the_end():
    """A stream is compressed and decompressed to its end."""

    def step():
        data = random.randbytes(random.randrange(20_000))
        assert zlib.decompress(zlib.compress(data, 1)) == data

    yield step


@clean()
def elements_cleared():
    """Items are parsed and appended to a root that is cleared each 50 of them."""
    root = ElementTree.Element("feed")

    def step():
        root.append(ElementTree.fromstring("<item id='1'><name>a</name><tags><tag/><tag/></tags></item>"))
        if len(root) == 50:
            root.clear()

    yield step


@clean()
def two_generations():
    """A cache keeps this hour's and last hour's entries, an hour being 120 steps."""
    hours: list[dict[int, list[float]]] = [{}, {}]
    numbers = itertools.count()

    def step():
        number = next(numbers)
        if number % 120 == 0:
            hours[:] = [{}, hours[0]]
        hours[0][number] = [random.random(), random.random()]

    yield step
