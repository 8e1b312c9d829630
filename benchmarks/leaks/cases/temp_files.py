"""Temporary files and folders: left, and tidied up."""

from __future__ import annotations

import functools
import itertools
import os
import tempfile
from multiprocessing import shared_memory
from pathlib import Path

from benchmarks.leaks.corpus import GROWING, STEADY, case

leaking = functools.partial(case, kind="temp files", expect=GROWING, metric="temp_files")
clean = functools.partial(case, kind="temp files", expect=STEADY)


@leaking()
def named_and_not_deleted():
    """A named temporary file is told to stay, for a reader that then forgets it."""

    def step():
        with tempfile.NamedTemporaryFile(delete=False) as file:  # leak
            file.write(b"upload")

    yield step


@leaking()
def mkstemp_path_forgotten():
    """The descriptor of mkstemp is closed; its path is forgotten."""

    def step():
        descriptor, _ = tempfile.mkstemp(suffix=".wav")  # leak
        os.close(descriptor)

    yield step


@leaking()
def folders_left():
    """A folder is made for each job and stays when the job is done."""

    def step():
        folder = tempfile.mkdtemp()  # leak
        Path(folder, "frame.jpg").write_bytes(b"x")
        Path(folder, "frame.jpg").unlink()

    yield step


@leaking()
def left_when_it_fails():
    """An upload is deleted at the end, but not when the work fails, one in six."""
    numbers = itertools.count(1)

    def work(number: int) -> None:
        descriptor, path = tempfile.mkstemp()  # leak
        os.close(descriptor)
        if number % 6 == 0:
            raise ValueError(path)
        Path(path).unlink()

    def step():
        try:
            work(next(numbers))
        except ValueError:
            return

    yield step


@leaking()
def own_name_in_the_temp_folder():
    """A report is written into the folder for temporary files under a name of the program's own."""
    numbers = itertools.count()

    def step():
        Path(tempfile.gettempdir(), f"report-{next(numbers)}.csv").write_text("a,b\n")  # leak

    yield step


@leaking(metric=("temp_files", "children_rss"), needs=Path("/dev/shm").is_dir)
def shared_memory_not_unlinked():
    """Shared memory is closed but its name is never removed."""
    made = []

    def step():
        memory = shared_memory.SharedMemory(create=True, size=4096)  # leak
        memory.close()
        made.append(memory)

    yield step
    for memory in made:
        memory.unlink()


@clean()
def tidied_up():
    """Temporary files and folders are used as they should be."""

    def step():
        with tempfile.NamedTemporaryFile() as file, tempfile.TemporaryDirectory() as folder:
            file.write(b"x")
            Path(folder, "a").write_bytes(b"y")

    yield step


@clean()
def written_and_moved():
    """A file is written under a temporary name and moved over the real one."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "state.json")

        def step():
            descriptor, path = tempfile.mkstemp(dir=folder)
            os.write(descriptor, b"{}")
            os.close(descriptor)
            Path(path).replace(target)

        yield step


@clean()
def cleaned_in_batches():
    """Temporary files are removed when there are 30 of them."""
    paths = []

    def step():
        descriptor, path = tempfile.mkstemp()
        os.close(descriptor)
        paths.append(path)
        if len(paths) == 30:
            for old in paths:
                Path(old).unlink()
            paths.clear()

    yield step


@clean()
def disk_cache_of_20():
    """A cache on disk holds the 20 newest files."""
    paths = []

    def step():
        descriptor, path = tempfile.mkstemp(prefix="cache-")
        os.close(descriptor)
        paths.append(path)
        if len(paths) > 20:
            Path(paths.pop(0)).unlink()

    yield step
