"""`GET /metrics`: what the service holds and does, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tightship.core.verdict import Kind
from tightship.http.state import AppState
from tightship.service import Service

_TEXT = {"description": "Samples, one a line.", "content": {CONTENT_TYPE_LATEST: {"schema": {"type": "string"}}}}
_PLAIN = (
    ("reserved_bytes", "Memory that jobs at work are admitted by."),
    ("running", "Jobs that run, in all processes."),
    ("probing", "Inputs that are looked at, in all processes."),
    ("seats", "Uploads that hold a place in the line, in all processes."),
    ("disk_free_bytes", "Free bytes of the disk that holds the files."),
)
_SLOT = (
    ("held_bytes", "Memory that a slot held when it was last looked at."),
    ("baseline_bytes", "Memory that a slot held when it was new."),
    ("busy", "Whether a slot works."),
    ("jobs_done", "Attempts since a slot was started."),
)
_VERDICT = (
    ("slope_bytes", "Growth of an operation's slots per job, with the effect of the job's size taken off."),
    ("detectable_bytes", "Growth per job that the latest look would have seen as often as not."),
    ("jobs", "Jobs that the verdict is drawn from."),
)

#: Where remembered results lie.
_TIERS = ("memory", "disk")
_CACHE_HELD = (
    ("bytes", "Bytes of remembered results: in this process's memory, and on disk."),
    ("entries", "Results that are remembered."),
)
_CACHE_BY_TIER = (
    ("hits", "Jobs that were answered with a remembered result."),
    ("evicted", "Remembered results that made room for others."),
)
_CACHE = (
    ("misses", "Jobs whose result was not remembered."),
    ("corrupt", "Remembered results that were not as they had been written, and were dropped."),
    ("failed_reads", "Remembered results that could not be read."),
    ("failed_writes", "Results that could not be remembered."),
)


def metrics_routes(state: AppState) -> APIRouter:
    """Return the route that Prometheus reads."""
    router = APIRouter()
    state.meters.registry.register(ServiceCollector(state.service))

    @router.get("/metrics", response_class=Response, responses={200: _TEXT})
    async def metrics() -> Response:
        """What the service holds and does, in Prometheus' text format."""
        text = await state.call(generate_latest, state.meters.registry)
        return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router


class ServiceCollector(Collector):
    """Read the service when it is asked, and never else."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> list[Metric]:
        """Say nothing beforehand: a look at the service only to register would come too early."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield what the service holds now."""
        yield from families(self._service.memory())


def families(memory: Mapping[str, Any]) -> Iterator[Metric]:
    """Yield the metrics of what `Service.memory` tells."""
    yield _family("jobs", "Jobs by status.", "status", memory["queue"])
    budget = {"soft": memory["budget"]["soft_bytes"], "hard": memory["budget"]["hard_bytes"]}
    yield _family("budget_bytes", "Memory that all slots together may hold.", "line", budget)
    for name, meaning in _PLAIN:
        yield GaugeMetricFamily(f"tightship_{name}", meaning, value=float(memory[name]))
    for name, value in memory["server"].items():
        if value is not None:
            yield GaugeMetricFamily(f"tightship_server_{name}", f"The server's own {name}.", value=float(value))
    if memory["pressure"] is not None:
        yield GaugeMetricFamily(
            "tightship_memory_pressure_percent",
            "Share of the last ten seconds in which work waited for memory.",
            value=float(memory["pressure"]),
        )
    yield from _cache(memory["cache"])
    for name, meaning in _SLOT:
        values = {str(number): slot.get(name) for number, slot in enumerate(memory["slots"])}
        yield _family(f"slot_{name}", meaning, "slot", values)
    yield from _verdicts(memory["verdicts"])


def _cache(cache: Mapping[str, int] | None) -> Iterator[Metric]:
    if cache is None:
        return
    for figure, meaning in _CACHE_HELD:
        values = {tier: cache[f"{tier}_{figure}"] for tier in _TIERS}
        yield _family(f"cache_{figure}", meaning, "tier", values)
    for figure, meaning in _CACHE_BY_TIER:
        counted = CounterMetricFamily(f"tightship_cache_{figure}", meaning, labels=["tier"])
        for tier in _TIERS:
            counted.add_metric([tier], float(cache[f"{tier}_{figure}"]))
        yield counted
    for figure, meaning in _CACHE:
        yield CounterMetricFamily(f"tightship_cache_{figure}", meaning, value=float(cache[figure]))


def _verdicts(verdicts: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "tightship_leak_verdict",
        "Whether an operation leaves more memory in its slots with every job: 1 marks the verdict that holds.",
        labels=["operation", "verdict"],
    )
    for name, verdict in verdicts.items():
        for kind in Kind:
            states.add_metric([name, kind], float(verdict["kind"] == kind))
    yield states
    for figure, meaning in _VERDICT:
        values = {name: verdict[figure] for name, verdict in verdicts.items()}
        yield _family(f"leak_{figure}", meaning, "operation", values)


def _family(name: str, meaning: str, label: str, values: Mapping[str, float | None]) -> Metric:
    family = GaugeMetricFamily(f"tightship_{name}", meaning, labels=[label])
    for key, value in values.items():
        if value is not None:
            family.add_metric([key], float(value))
    return family
