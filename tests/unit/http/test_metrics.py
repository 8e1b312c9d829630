"""What Prometheus is told of what the service holds."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("prometheus_client", reason="the server extra is not installed")

from tightship.http.metrics import families

UNKNOWN = {"slope_bytes": None, "interval_bytes": None, "detectable_bytes": None, "reason": "Too early.", "slots": 0}
MEMORY: dict[str, Any] = {
    "budget": {"soft_bytes": 70, "hard_bytes": 85},
    "reserved_bytes": 0, "running": 0, "probing": 0, "seats": 0, "disk_free_bytes": 1,
    "queue": {"pending": 2}, "server": {"rss_bytes": 5}, "pressure": None, "slots": [],
    "cache": {
        "memory_bytes": 7, "memory_entries": 1, "disk_bytes": 4096, "disk_entries": 2, "memory_hits": 3, "disk_hits": 4,
        "misses": 5, "corrupt": 6, "memory_evicted": 0, "disk_evicted": 8, "failed_reads": 0, "failed_writes": 9,
    },
    "verdicts": {
        "gif": {**UNKNOWN, "kind": "growing", "slope_bytes": 250_000.0, "detectable_bytes": 40_000.0, "jobs": 256},
        "info": {**UNKNOWN, "kind": "undecided", "jobs": 3},
    },
}  # fmt: skip


def told(name: str) -> dict[tuple[str, ...], float]:
    """Return the samples of one metric by the values of their labels."""
    samples = (sample for family in families(MEMORY) for sample in family.samples if sample.name == name)
    return {tuple(sample.labels.values()): sample.value for sample in samples}


def test_a_verdict_is_a_set_of_states_of_which_one_holds() -> None:
    """An alert asks for the growing one to be 1."""
    states = told("tightship_leak_verdict")
    assert states[("gif", "growing")] == 1
    assert states[("gif", "steady")] == states[("gif", "undecided")] == 0
    assert states[("info", "undecided")] == 1


def test_the_figures_of_a_verdict_are_told_where_they_are_known() -> None:
    """What is not known is no sample, never a zero."""
    assert told("tightship_leak_slope_bytes") == {("gif",): 250_000}
    assert told("tightship_leak_detectable_bytes") == {("gif",): 40_000}
    assert told("tightship_leak_jobs") == {("gif",): 256, ("info",): 3}


def test_the_cache_is_told_by_tier() -> None:
    """What it holds as gauges, what it did as counters; a server without one tells nothing of it."""
    assert told("tightship_cache_hits_total") == {("memory",): 3, ("disk",): 4}
    assert told("tightship_cache_evicted_total") == {("memory",): 0, ("disk",): 8}
    assert told("tightship_cache_bytes") == {("memory",): 7, ("disk",): 4096}
    assert [told(f"tightship_cache_{name}_total")[()] for name in ("misses", "corrupt", "failed_writes")] == [5, 6, 9]
    assert not [family for family in families({**MEMORY, "cache": None}) if "cache" in family.name]


def test_every_metric_says_what_it_means() -> None:
    """Whoever reads the metrics finds a sentence at each."""
    assert all(family.documentation.endswith(".") for family in families(MEMORY))
