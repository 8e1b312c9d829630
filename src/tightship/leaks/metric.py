"""What a trial watches, and how much growth of it matters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One kind of resource.

    Args:
        name: As in reports and in `ignore`.
        title: In words.
        unit: What is counted.
        floor: Growth per step that does not matter.
        target: Growth per step that must not be missed, or else the series stays undecided.
        exact: Read without error, so that few steps are enough.
    """

    name: str
    title: str
    unit: str
    floor: float
    target: float
    exact: bool = False


METRICS = {
    metric.name: metric
    for metric in (
        Metric("python_blocks", "Python memory blocks", "blocks", floor=0.008, target=0.5),
        Metric("native_heap", "native heap in use", "bytes", floor=16, target=200),
        Metric("rss", "anonymous memory", "bytes", floor=64, target=16384),
        Metric("children_rss", "anonymous memory of child processes", "bytes", floor=64, target=16384),
        Metric("fds", "open descriptors", "descriptors", floor=0.005, target=0.05, exact=True),
        Metric("sockets", "open sockets", "sockets", floor=0.005, target=0.05, exact=True),
        Metric("threads", "native threads", "threads", floor=0.005, target=0.05, exact=True),
        Metric("descendants", "child processes", "processes", floor=0.005, target=0.05, exact=True),
        Metric("temp_files", "temporary files", "files", floor=0.005, target=0.05, exact=True),
        Metric("asyncio_tasks", "asyncio tasks", "tasks", floor=0.005, target=0.05, exact=True),
        Metric("gpu", "GPU memory", "bytes", floor=64, target=16384),
    )
}
