"""A program that owns a pool, for tests that kill the program: `python host.py HOME DEED...`, one slot per deed."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from tightship.pool.config import PoolConfig
from tightship.pool.deadline import Deadline
from tightship.pool.messages import Partial, Progress
from tightship.pool.pool import Pool
from tightship.pool.task import Task


def main() -> None:
    """Run every deed at once and say, a line each, when it is under way."""
    home, *deeds = sys.argv[1:]
    config = PoolConfig(slots=len(deeds), import_paths=(str(Path(__file__).parent),))
    pool = Pool(config, home=Path(home))

    def heard(event: Progress | Partial) -> None:
        print("under way\n", end="", flush=True)  # in one piece: the lines of two threads must not mix

    def work(deed: str) -> None:
        pool.run(Task(deed, "misdeeds", {"deed": deed, "hang": True}, Deadline(600, 600, 600)), on_event=heard)

    for deed in deeds:
        threading.Thread(target=work, args=(deed,)).start()


if __name__ == "__main__":
    main()
