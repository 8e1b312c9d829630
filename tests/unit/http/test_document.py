"""A job as people and programs get to see it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.jobs import OK, claimed, submit
from tightship.errors import WorkerDied
from tightship.http.document import job_document
from tightship.http.schema import Job
from tightship.store.record import JobRecord
from tightship.store.store import Store


def worked_on(store: Store, progress: dict[str, Any]) -> Any:
    """Begin a job that tells how far it has come, and return the claim."""
    submit(store)
    claim = claimed(store)
    store.renew(claim, progress)
    return claim


@pytest.mark.parametrize(("total", "done"), [(60.0, 60.0), (None, 12.0)])
def test_job_that_succeeded_has_come_all_the_way(tmp_path: Path, total: float | None, done: float) -> None:
    """Though word of its progress is written now and then only."""
    with Store.open(tmp_path) as store:
        claim = worked_on(store, {"fraction": 0.2, "done": 12.0, "total": total, "unit": "s", "eta_s": 9.0})

        ended = job_document(store.finish(claim, {}, OK))

    assert ended["progress"] == {"fraction": 1.0, "done": done, "total": total, "unit": "s", "eta_s": 0.0}


def test_job_that_did_not_get_there_does_not_claim_to(tmp_path: Path) -> None:
    """Neither one that broke off nor one whose time was up before its end."""
    progress = {"fraction": 0.2, "done": 12.0, "total": 60.0, "unit": "s", "eta_s": 9.0}
    with Store.open(tmp_path) as store:
        broken = store.fail(worked_on(store, progress), WorkerDied("it died"), OK)
        store.cancel(broken.id)
        short = store.finish(worked_on(store, progress), {"complete": False}, OK)

    assert [job_document(job)["progress"] for job in (broken, short)] == [progress, progress]


def test_document_is_as_it_is_described(tmp_path: Path) -> None:
    """Every member is in the API's description, and none that is described is missing."""
    with Store.open(tmp_path) as store:
        jobs: list[JobRecord] = [submit(store)]
        progress = {"fraction": None, "done": 12.0, "total": None, "unit": "frames", "eta_s": None}
        claim = claimed(store)
        store.renew(claim, progress)
        jobs += [store.get(claim.job.id), store.fail(claim, WorkerDied("it died", pid=7), OK)]
        jobs.append(store.cancel(claim.job.id))

    for document in map(job_document, jobs):
        sent = json.loads(json.dumps(document))
        assert Job.model_validate(sent).model_dump(mode="json") == sent
