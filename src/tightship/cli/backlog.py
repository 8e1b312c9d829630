"""Where jobs are: in the store of a home folder, or on a server."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tightship.cli.settings import Settings
from tightship.errors import InvalidOptions, JobNotFound

if TYPE_CHECKING:
    from tightship.client import Client
    from tightship.store.record import JobRecord
    from tightship.store.store import Store

#: What the environment calls the server and the key.
URL, API_KEY = "TIGHTSHIP_URL", "TIGHTSHIP_API_KEY"
STATUSES = ("pending", "running", "succeeded", "failed", "cancelled", "quarantined")
#: Jobs read at a time.
_PAGE = 100


class Backlog(Protocol):
    """Jobs as plain JSON, in the shape of the HTTP API; `place` says whose."""

    place: str

    def jobs(self, status: str | None) -> Iterator[Mapping[str, Any]]:
        """Yield jobs, the newest first."""

    def job(self, job_id: str) -> Mapping[str, Any]:
        """Return a job."""

    def cancel(self, job_id: str) -> Mapping[str, Any]:
        """Cancel a job, or ask it to stop."""

    def retry(self, job_id: str) -> Mapping[str, Any]:
        """Try a job anew."""

    def purge(self, job_id: str) -> None:
        """Remove a job, or ask it to stop and remove it then."""


class StoredJobs:
    """The jobs in the store of a home folder."""

    def __init__(self, store: Store, home: Path) -> None:
        self._store = store
        self.place = str(home)

    def jobs(self, status: str | None) -> Iterator[Mapping[str, Any]]:
        """Yield jobs, the newest first."""
        from tightship.store.states import Status

        wanted, after = Status(status) if status else None, None
        while page := self._store.newest(wanted, _PAGE, after):
            yield from map(self._document, page)
            after = page[-1].id

    def job(self, job_id: str) -> Mapping[str, Any]:
        """Return a job."""
        return self._document(self._store.get(job_id))

    def cancel(self, job_id: str) -> Mapping[str, Any]:
        """Cancel a job, or ask it to stop: whoever works on it sees that when it renews its lease."""
        return self._document(self._store.cancel(job_id))

    def retry(self, job_id: str) -> Mapping[str, Any]:
        """Try a job anew."""
        return self._document(self._store.retry(job_id))

    def purge(self, job_id: str) -> None:
        """Remove a job, or ask it to stop and remove it then."""
        self._store.delete(job_id)

    @staticmethod
    def _document(job: JobRecord) -> Mapping[str, Any]:
        from tightship.http.document import job_document

        return job_document(job)


class RemoteJobs:
    """The jobs of a server."""

    def __init__(self, client: Client, url: str) -> None:
        self._client = client
        self.place = url

    def jobs(self, status: str | None) -> Iterator[Mapping[str, Any]]:
        """Yield jobs, the newest first."""
        return (job.data for job in self._client.jobs(status))

    def job(self, job_id: str) -> Mapping[str, Any]:
        """Return a job."""
        return self._client.job(job_id).data

    def cancel(self, job_id: str) -> Mapping[str, Any]:
        """Cancel a job, or ask it to stop."""
        return self._client.cancel(job_id).data

    def retry(self, job_id: str) -> Mapping[str, Any]:
        """Try a job anew."""
        return self._client.retry(job_id).data

    def purge(self, job_id: str) -> None:
        """Remove a job, or ask it to stop and remove it then."""
        self._client.delete(job_id)


@contextmanager
def open_backlog(settings: Settings, url: str | None, api_key: str | None) -> Iterator[Backlog]:
    """Yield the jobs of the server that was named, else those of the home folder."""
    from tightship.errors import EXTRAS, ExtraMissing

    if settings.home is None:
        url = url or os.environ.get(URL)
    try:
        with _opened(settings, url, api_key or os.environ.get(API_KEY)) as backlog:
            try:
                yield backlog
            except JobNotFound as unknown:  # often it is known, in another home
                raise JobNotFound(f"{unknown.public_message} in {backlog.place}") from None
    except ModuleNotFoundError as missing:
        if missing.name not in EXTRAS:
            raise
        raise ExtraMissing.of(missing.name) from None


@contextmanager
def _opened(settings: Settings, url: str | None, api_key: str | None) -> Iterator[Backlog]:
    if url:
        if settings.home is not None:
            raise InvalidOptions(f"the jobs are either those of {url} or those of --home {settings.home}; choose one")
        from tightship.client import Client

        with Client(url, api_key) as client:
            yield RemoteJobs(client, url)
        return
    from tightship.config import JOBS, JobsConfig, default_home
    from tightship.store.store import Store

    home = settings.home or default_home()
    with Store.open(home, JOBS.read(os.environ, JobsConfig()).store) as store:
        yield StoredJobs(store, home)


def first(jobs: Iterator[Mapping[str, Any]], limit: int) -> tuple[list[Mapping[str, Any]], bool]:
    """Return the first jobs, and whether there are more."""
    found = list(islice(jobs, limit + 1))
    return found[:limit], len(found) > limit
