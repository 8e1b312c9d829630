"""The job engine, embedded: how long a job that does nothing takes, and how many looks at a file a second are done.

    python benchmarks/jobs.py --data FOLDER [--jobs 500]

FOLDER holds `video/car-detection.mp4`. Latency is from submitting until the waiting thread has the final row, one job
at a time, on disk with all synced writes. Its parts are then measured one by one, in one thread: the three transactions
(two of them synced), the way through a warm slot, and an append of 4 KiB with its sync. Throughput is jobs of `info`
from the file that is copied and moved into the store to the row that holds its result, 50 in line; the CPU time they
take is that of the thread that sends them, of the service's own threads, and by the receipts of the slots.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from io import FileIO
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

from gif import machine
from tightship.operations import registry
from tightship.operations.operation import Operation
from tightship.pool.config import PoolConfig
from tightship.pool.pool import Pool
from tightship.runner import Runner
from tightship.service import Service, ServiceConfig, open_service
from tightship.store.config import StoreConfig
from tightship.store.record import JobRecord
from tightship.store.request import Request
from tightship.store.seat import Seat
from tightship.store.store import Store

#: Jobs of `info` that wait at a time: the service always has something to do.
IN_LINE = 50


@dataclass(frozen=True)
class NothingOptions:
    """Nothing to choose."""


NOTHING = Operation(
    name="nothing",
    summary="Do nothing.",
    options=NothingOptions,
    module="nothing",
    suffix=lambda _options, _media: None,
    limit_s=lambda _options, _media: 10.0,
    reservation_bytes=lambda _options, _media: 2**20,
)


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TIGHTSHIP_DATA", "../shared/data")))
    parser.add_argument("--jobs", type=int, default=500)
    options = parser.parse_args()
    registry.OPERATIONS = MappingProxyType({**registry.OPERATIONS, "nothing": NOTHING})
    pool = PoolConfig(slots=3, import_paths=(str(Path(__file__).resolve().parent),))
    with tempfile.TemporaryDirectory() as home:
        config = ServiceConfig(Path(home), pool=pool, store=StoreConfig(max_pending=100))
        with open_service(config) as service:
            times_ms = sorted([_nothing(service) for _ in range(options.jobs + 20)][20:])
            video = options.data / "video" / "car-detection.mp4"
            _infos(service, video, 20)
            rate, cpu_ms = _infos(service, video, options.jobs)
        parts_ms = _parts(Path(home) / "parts", pool, options.jobs)
    print(f"{options.jobs} jobs each; {machine()}\n")
    print("| | |\n|---|---|")
    print(f"| a job that does nothing, submit to done, p50 | {statistics.median(times_ms):.1f} ms |")
    print(f"| the same, p99 | {times_ms[int(len(times_ms) * 0.99) - 1]:.1f} ms |")
    for part, of_part_ms in parts_ms.items():
        print(f"| {part}, alone | {of_part_ms:.2f} ms |")
    print(f"| jobs of info a second | {rate:.0f} |")
    for who, of_who_ms in cpu_ms.items():
        print(f"| CPU of a job of info, {who} | {of_who_ms:.1f} ms |")


def _nothing(service: Service) -> float:
    began_s = time.perf_counter()
    job = service.store.submit(Request("nothing", {}, 0), reservation_bytes=2**20)
    service.dispatcher.ring(job)
    assert service.dispatcher.wait(job.id, 60).status == "succeeded"
    return (time.perf_counter() - began_s) * 1000


def _infos(service: Service, video: Path, count: int) -> tuple[float, dict[str, float]]:
    """Keep the line filled until all are done; return jobs per second, and who took how many ms of CPU a job."""
    began_s, all_s, sender_s, slots_s = time.perf_counter(), time.process_time(), time.thread_time(), 0.0
    waiting: deque[str] = deque()
    for number in range(count + IN_LINE):
        if number < count:
            waiting.append(_send(service, video, service.config.home / f"copy-{number}"))
        if number >= IN_LINE and waiting:
            slots_s += _cpu_of_slot_s(service.dispatcher.wait(waiting.popleft(), 60))
    took_s = time.perf_counter() - began_s
    sender_s, all_s = time.thread_time() - sender_s, time.process_time() - all_s
    cpu_s = {
        "the thread that sends": sender_s,
        "the service": all_s - sender_s,
        "its slot": slots_s,
    }
    return count / took_s, {who: each_s * 1000 / count for who, each_s in cpu_s.items()}


def _send(service: Service, video: Path, copy: Path) -> str:
    seat = service.store.reserve_seat(Request("info", {}, video.stat().st_size, video.name))
    assert isinstance(seat, Seat)
    shutil.copy(video, copy)
    with seat, service.store.blobs.put_file(copy) as blob:
        job = seat.commit(blob)
    service.dispatcher.ring(job)
    return job.id


def _parts(home: Path, config: PoolConfig, count: int) -> dict[str, float]:
    """Return the median milliseconds of each part of a job that does nothing."""
    with Store.open(home) as store, Pool(config, home=home) as pool, (home / "log").open("ab", buffering=0) as log:
        runner = Runner(pool)
        rows = [_part(store, runner, log) for _ in range(count + 20)][20:]
    names = ("submit, synced", "claim", "a warm slot", "finish, synced", "an append of 4 KiB, synced")
    return {name: statistics.median(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}


def _part(store: Store, runner: Runner, log: FileIO) -> list[float]:
    at_s = [time.perf_counter()]
    store.submit(Request("nothing", {}, 0), reservation_bytes=2**20)
    at_s.append(time.perf_counter())
    claim = store.claim("one", 2**40)
    at_s.append(time.perf_counter())
    done = runner.work("nothing", None, None, {}, {})
    at_s.append(time.perf_counter())
    assert claim is not None
    assert done.receipt is not None
    store.finish(claim, {}, done.receipt)
    at_s.append(time.perf_counter())
    log.write(bytes(4096))
    os.fsync(log.fileno())
    at_s.append(time.perf_counter())
    return [(end_s - start_s) * 1000 for start_s, end_s in pairwise(at_s)]


def _cpu_of_slot_s(job: JobRecord) -> float:
    assert job.status == "succeeded"
    assert job.receipt is not None
    assert job.receipt.cpu_s is not None
    return job.receipt.cpu_s


if __name__ == "__main__":
    main()
