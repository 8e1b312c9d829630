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


def test_every_metric_says_what_it_means() -> None:
    """Whoever reads the metrics finds a sentence at each."""
    assert all(family.documentation.endswith(".") for family in families(MEMORY))
