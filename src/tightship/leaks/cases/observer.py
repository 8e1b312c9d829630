"""File observers of watchdog.

Suspected: events that pile up. True: an `Observer` that is started and dropped goes on for ever: its threads hold it,
and each has an inotify descriptor and a pipe.
Cure: `stop()` and `join()`, in `finally`; or one observer for the whole program.
Linux gives a user 128 inotify descriptors, so that only a short trial can run: `--budget "0.8 s"`.
"""

from __future__ import annotations

import atexit
import functools
import tempfile
import time

#: Packages that must be installed, by what is imported.
NEEDS = {"watchdog": "watchdog"}
#: Longest that a trial may take before the descriptors are used up.
BUDGET = "0.8 s"
#: Length of the work during which the folder is watched, in seconds.
WORK_S = 0.01


def never_stopped() -> None:
    """An observer is started on a folder and dropped."""
    from watchdog.events import FileSystemEventHandler
    from watchdog.observers import Observer

    observer = Observer()
    observer.schedule(FileSystemEventHandler(), _folder())
    observer.start()
    time.sleep(WORK_S)


def never_stopped_cured() -> None:
    """It is stopped and joined in `finally`."""
    from watchdog.events import FileSystemEventHandler
    from watchdog.observers import Observer

    observer = Observer()
    observer.schedule(FileSystemEventHandler(), _folder())
    observer.start()
    try:
        time.sleep(WORK_S)
    finally:
        observer.stop()
        observer.join()


@functools.cache
def _folder() -> str:
    folder = tempfile.TemporaryDirectory(prefix="tightship-cases-")
    atexit.register(folder.cleanup)
    return folder.name
