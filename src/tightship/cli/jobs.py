"""The commands on jobs that are kept: list, show, cancel, retry, purge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import typer

from tightship.cli.backlog import API_KEY, STATUSES, URL, first, open_backlog
from tightship.cli.output import DONE, FAILED, complain, printable, say, say_json
from tightship.cli.settings import AsJson, Home, Quiet, Settings, settings_of
from tightship.errors import InvalidOptions, InvalidTransition, JobNotFound, QueueFull, TightshipError

T = TypeVar("T")
#: By job, why it refused.
Refusals = Mapping[str, TightshipError]
#: What one job may refuse with while others do not.
_OF_ONE_JOB = (InvalidTransition, JobNotFound, QueueFull)

HELP = """Look at jobs that are kept, and steer them.

Without --url these are the jobs in the home folder, of a server that runs or has ended; with it, those of that server.
"""
EXAMPLES = f"""\b
Examples:
  tightship jobs list --status failed
  tightship jobs show 0198c5a2-7b1e-7c3a-9d55-0c6f2f6f8a11
  tightship jobs list --url http://127.0.0.1:8080 --json
\b
${URL} and ${API_KEY} stand for --url and --api-key.
"""
LIST_HELP = "List jobs, the newest first."
LIST_EXAMPLES = """\b
Examples:
  tightship jobs list
  tightship jobs list --status quarantined --limit 100
"""
SHOW_HELP = "Tell all about one job: how it went, what it cost."
SHOW_EXAMPLES = """\b
Examples:
  tightship jobs show JOB
  tightship jobs show JOB --json
"""
CANCEL_HELP = """Cancel jobs.

A job that waits is cancelled at once. One that runs is asked to stop, and has within a second.
"""
CANCEL_EXAMPLES = """\b
Examples:
  tightship jobs cancel JOB
  tightship jobs cancel JOB OTHER-JOB --url http://127.0.0.1:8080
"""
RETRY_HELP = """Try jobs anew that have ended without success.

They go to the end of the line, and their attempts start anew.
"""
RETRY_EXAMPLES = """\b
Examples:
  tightship jobs retry JOB
"""
PURGE_HELP = """Remove jobs with their files, receipts and events.

Jobs that are named are stopped first when they have not ended. --ended removes all that have.
"""
PURGE_EXAMPLES = """\b
Examples:
  tightship jobs purge JOB
  tightship jobs purge --ended
  tightship jobs purge --ended --status failed
"""

Url = Annotated[str | None, typer.Option("--url", metavar="URL", help="The server to ask. [default: the home folder]")]
ApiKey = Annotated[str | None, typer.Option("--api-key", metavar="KEY", help="The key that the server wants.")]
Job = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]
Jobs = Annotated[list[str], typer.Argument(metavar="JOB", help="The jobs' ids.")]
MaybeJobs = Annotated[list[str] | None, typer.Argument(metavar="JOB", help="The jobs' ids.")]
WithStatus = Annotated[
    str | None, typer.Option("--status", metavar="STATUS", help=f"Only jobs that are {', '.join(STATUSES)}.")
]


def list_(
    context: typer.Context,
    status: WithStatus = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, show_default=False, help="Most jobs to list. [default: 20]")
    ] = 20,
    url: Url = None,
    api_key: ApiKey = None,
    home: Home = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """List jobs."""
    settings = settings_of(context, home, quiet, as_json)
    _check(status)
    with open_backlog(settings, url, api_key) as backlog:
        jobs, more = first(backlog.jobs(status), limit)
    if settings.as_json:
        say_json({"jobs": [dict(job) for job in jobs], "more": more})
        return DONE
    from tightship.cli.jobwords import jobs_in_words

    if text := jobs_in_words(jobs):
        say(text)
    if not settings.quiet and (more or not jobs):
        none = f"No {status} jobs in {backlog.place}." if status else f"No jobs in {backlog.place}."
        say("There are more: --limit shows them." if more else none)
    return DONE


def show(
    context: typer.Context,
    job: Job,
    url: Url = None,
    api_key: ApiKey = None,
    home: Home = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Tell all about one job."""
    settings = settings_of(context, home, quiet, as_json)
    with open_backlog(settings, url, api_key) as backlog:
        found = backlog.job(job)
    if settings.as_json:
        say_json(found)
        return DONE
    from tightship.cli.jobwords import job_in_words

    say(job_in_words(found))
    return DONE


def cancel(
    context: typer.Context,
    jobs: Jobs,
    url: Url = None,
    api_key: ApiKey = None,
    home: Home = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Cancel jobs."""
    settings = settings_of(context, home, quiet, as_json)
    with open_backlog(settings, url, api_key) as backlog:
        return _report(settings, *_each(jobs, backlog.cancel, alone=len(jobs) == 1))


def retry(
    context: typer.Context,
    jobs: Jobs,
    url: Url = None,
    api_key: ApiKey = None,
    home: Home = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Try jobs anew."""
    settings = settings_of(context, home, quiet, as_json)
    with open_backlog(settings, url, api_key) as backlog:
        return _report(settings, *_each(jobs, backlog.retry, alone=len(jobs) == 1))


def purge(
    context: typer.Context,
    jobs: MaybeJobs = None,
    ended: Annotated[bool, typer.Option("--ended", help="All jobs that have ended.")] = False,
    status: WithStatus = None,
    url: Url = None,
    api_key: ApiKey = None,
    home: Home = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Remove jobs."""
    settings = settings_of(context, home, quiet, as_json)
    _check(status)
    if bool(jobs) == ended or (status and not ended):
        raise InvalidOptions("say which jobs to remove: their ids, or --ended, which --status may narrow")
    with open_backlog(settings, url, api_key) as backlog:
        # Listed before the first is removed: pages begin after a job that must still be there.
        chosen = jobs or [job["id"] for job in backlog.jobs(status) if job["finished_at"] is not None]
        _, refused = _each(chosen, backlog.purge, alone=len(chosen) == 1 and not ended)
    purged = [job for job in chosen if job not in refused]
    if ended:  # their time may have run out meanwhile
        refused = {}
    if settings.as_json:
        say_json({"purged": purged, **_errors(refused)})
    elif not settings.quiet:
        say(f"{len(purged)} {'job' if len(purged) == 1 else 'jobs'} removed")
    return _complain(settings, refused)


def _each(jobs: Sequence[str], step: Callable[[str], T], *, alone: bool) -> tuple[list[T], Refusals]:
    """Do a step to each job, also after one that refuses; one that is asked for alone raises what it refuses with."""
    done, refused = [], {}
    for job in jobs:
        try:
            done.append(step(job))
        except _OF_ONE_JOB as refusal:
            if alone:
                raise
            refused[job] = refusal
    return done, refused


def _report(settings: Settings, jobs: Sequence[Mapping[str, Any]], refused: Refusals) -> int:
    if settings.as_json:
        say_json({"jobs": [dict(job) for job in jobs], **_errors(refused)})
    elif not settings.quiet:
        for job in jobs:
            say(printable(f"{job['id']}  {job['status']}"))
    return _complain(settings, refused)


def _errors(refused: Refusals) -> dict[str, Any]:
    return {"errors": [{"id": job, **error.to_dict()} for job, error in refused.items()]} if refused else {}


def _complain(settings: Settings, refused: Refusals) -> int:
    if not settings.as_json:
        for job, error in refused.items():
            complain(printable(f"tightship jobs: {job}: {error.public_message}"))
    return FAILED if refused else DONE


def _check(status: str | None) -> None:
    if status is not None and status not in STATUSES:
        raise InvalidOptions(f"there is no status {status!r}; there are {', '.join(STATUSES)}")
