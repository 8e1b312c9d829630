"""The job engine, embedded: how long a job that does nothing takes, and how many looks at a file a second are done.

    python benchmarks/jobs.py --data FOLDER [--jobs 500]

FOLDER holds `video/car-detection.mp4`. Latency is from submitting to the final row, one job at a time, on disk with all
synced writes. Throughput is jobs of `info` through line, look at the input, claim and slot, with two running at a time;
each looks at its file twice, once for its admission and once for its result.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from gif import machine
from tightship.operations import registry
from tightship.operations.operation import Operation
from tightship.pool.config import PoolConfig
from tightship.service import Service, ServiceConfig, open_service
from tightship.store.config import StoreConfig
from tightship.store.request import Request
from tightship.store.seat import Seat

PAUSE = threading.Event()


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
    pool = PoolConfig(slots=3, import_paths=(str(Path(__file__).parent),))
    with tempfile.TemporaryDirectory() as home:
        config = ServiceConfig(Path(home), pool=pool, store=StoreConfig(max_pending=100))
        with open_service(config) as service:
            times_ms = [_nothing(service) for _ in range(options.jobs + 20)][20:]
            rate = _infos(service, options.data / "video" / "car-detection.mp4", options.jobs)
    times_ms.sort()
    print(f"{options.jobs} jobs each; {machine()}\n")
    print("| | |\n|---|---|")
    print(f"| a job that does nothing, submit to done, p50 | {statistics.median(times_ms):.1f} ms |")
    print(f"| the same, p99 | {times_ms[int(len(times_ms) * 0.99) - 1]:.1f} ms |")
    print(f"| jobs of info a second, two at a time | {rate:.0f} |")


def _nothing(service: Service) -> float:
    began_s = time.perf_counter()
    job = service.store.submit(Request("nothing", {}, 0), reservation_bytes=2**20)
    service.dispatcher.ring()
    while service.store.get(job.id).finished_s is None:
        PAUSE.wait(0.0005)
    return (time.perf_counter() - began_s) * 1000


def _infos(service: Service, video: Path, count: int) -> float:
    """Keep the line filled until all are done; return jobs per second."""
    before = service.store.counts()["succeeded"]
    began_s = time.perf_counter()
    sent = 0
    while (done := service.store.counts()["succeeded"] - before) < count:
        if sent < count and sent - done < 50:
            seat = service.store.reserve_seat(Request("info", {}, video.stat().st_size, video.name))
            assert isinstance(seat, Seat)
            copy = service.config.home / f"copy-{sent}"
            shutil.copy(video, copy)
            with seat, service.store.blobs.put_file(copy) as blob:
                seat.commit(blob)
            service.dispatcher.ring()
            sent += 1
        else:
            PAUSE.wait(0.002)
    return count / (time.perf_counter() - began_s)


if __name__ == "__main__":
    main()
