"""`tightship serve` and `tightship jobs`, on a home folder and on a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tightship import Client
from tightship.errors import ConversionFailed
from tightship.store.record import JobRecord
from tightship.store.request import Request
from tightship.store.store import Store

from .conftest import Cli
from .served import serving

UNKNOWN = "00000000-0000-7000-8000-000000000000"
COMMANDS = ("list", "show", "cancel", "retry", "purge")


@pytest.fixture
def kept(home: Path) -> tuple[JobRecord, JobRecord]:
    """A job that has failed and, newer, one that waits, of a server that is not there."""
    with Store.open(home) as store:
        failed = store.submit(Request("gif", {"width": 64}, source_name="one\x1b[31m.mp4"))
        claim = store.claim_probe("test", 2**40)
        assert claim is not None
        failed = store.refuse(claim, ConversionFailed("it went wrong"))
        return failed, store.submit(Request("info", {}, source_name="two.mp4"))


def test_list_is_a_table_the_newest_first(cli: Cli, kept: tuple[JobRecord, JobRecord]) -> None:
    """A line for each, safe for a terminal, with why it did not succeed."""
    failed, waiting = kept

    done = cli("jobs", "list")

    head, first, second = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert head.split() == ["JOB", "OPERATION", "STATUS", "TRIES", "CREATED", "SOURCE"]
    assert first.startswith(f"{waiting.id}  info")
    assert "pending" in first
    assert second.startswith(f"{failed.id}  gif")
    assert "failed: conversion_failed" in second
    assert second.endswith("one\\x1b[31m.mp4")


def test_list_is_narrowed_and_limited(cli: Cli, kept: tuple[JobRecord, JobRecord]) -> None:
    """By status and by number; that there are more is told."""
    failed, waiting = kept

    narrowed = cli("jobs", "list", "--status", "failed", "--json").json()
    limited = cli("jobs", "list", "--limit", 1, "--json").json()

    assert ([job["id"] for job in narrowed["jobs"]], narrowed["more"]) == ([failed.id], False)
    assert ([job["id"] for job in limited["jobs"]], limited["more"]) == ([waiting.id], True)
    assert "--limit" in cli("jobs", "list", "--limit", 1).out


def test_show_tells_all_about_a_job(cli: Cli, kept: tuple[JobRecord, JobRecord]) -> None:
    """What was asked for, how often it was tried and what went wrong."""
    shown = cli("jobs", "show", kept[0].id).out

    for word in ('{"width": 64}', "of 3", "it went wrong (conversion_failed)", kept[0].id):
        assert word in shown


def test_jobs_are_steered_without_a_server(cli: Cli, kept: tuple[JobRecord, JobRecord], home: Path) -> None:
    """One that waits is cancelled, one that failed waits again."""
    failed, waiting = kept

    cancelled, retried = cli("jobs", "cancel", waiting.id), cli("jobs", "retry", failed.id, "--json")

    assert cancelled.out == f"{waiting.id}  cancelled\n"
    assert retried.json()["jobs"][0]["status"] == "pending"
    with Store.open(home) as store:
        assert (str(store.get(waiting.id).status), str(store.get(failed.id).status)) == ("cancelled", "pending")


def test_purge_removes_what_has_ended(cli: Cli, kept: tuple[JobRecord, JobRecord], home: Path) -> None:
    """And leaves what waits, unless it is named."""
    _, waiting = kept

    assert cli("jobs", "purge", "--ended").out == "1 job removed\n"
    with Store.open(home) as store:
        assert [job.id for job in store.newest()] == [waiting.id]
    assert cli("jobs", "purge", waiting.id, "--json").json() == {"purged": [waiting.id]}
    assert cli("jobs", "list").out == f"No jobs in {home}.\n"
    assert cli("jobs", "list", "--status", "failed").out == f"No failed jobs in {home}.\n"


def test_one_job_that_refuses_stops_no_other(cli: Cli, kept: tuple[JobRecord, JobRecord], home: Path) -> None:
    """Each that is named has its turn, and each refusal is told with its job."""
    failed, waiting = kept

    cancelled = cli("jobs", "cancel", failed.id, waiting.id)
    retried = cli("jobs", "retry", UNKNOWN, waiting.id, "--json")
    purged = cli("jobs", "purge", UNKNOWN, failed.id, "--json")

    assert (cancelled.code, cancelled.out) == (1, f"{waiting.id}  cancelled\n")
    assert f"{failed.id}: the job has ended" in cancelled.err
    assert (retried.code, [job["id"] for job in retried.json()["jobs"]]) == (1, [waiting.id])
    assert [(each["id"], each["code"]) for each in retried.json()["errors"]] == [(UNKNOWN, "job_not_found")]
    assert (purged.code, purged.json()["purged"]) == (1, [failed.id])
    with Store.open(home) as store:
        assert [(job.id, str(job.status)) for job in store.newest()] == [(waiting.id, "pending")]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", UNKNOWN), 1, "there is no job of that id in "),
        (("list", "--status", "lost"), 2, "there is no status 'lost'"),
        (("purge",), 2, "say which jobs to remove"),
        (("purge", UNKNOWN, "--ended"), 2, "say which jobs to remove"),
        (("list", "--url", "nonsense"), 2, "is no address"),
        (("list", "--url", "http://127.0.0.1:8080", "--home", "x"), 2, "choose one"),
    ],
)
def test_fault_is_one_sentence_and_a_code(cli: Cli, arguments: tuple[str, ...], code: int, said: str) -> None:
    """Wrong usage is told apart from what fails."""
    done = cli("jobs", *arguments)

    assert (done.code, done.out) == (code, "")
    assert said in done.err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_jobs_command_teaches(cli: Cli, command: str) -> None:
    """Every command shows examples and where it looks."""
    done = cli("jobs", command, "--help")

    assert (done.code, done.err) == (0, "")
    assert f"    tightship jobs {command}" in done.out
    assert all(option in done.out for option in ("--url", "--api-key", "--home", "--json"))


def test_jobs_of_a_server_are_steered_by_url(cli: Cli, environment: dict[str, str], home: Path, video: Path) -> None:
    """With --url the same commands ask the server."""
    with serving({**environment, "TIGHTSHIP_HOME": str(home / "of-the-server")}) as server:
        with Client(server.url) as client:
            ended = client.wait(client.submit("info", video).id, timeout_s=60)

        listed = cli("jobs", "list", "--url", server.url, "--json").json()["jobs"]
        shown = cli("jobs", "show", ended.id, "--url", server.url)
        refused = cli("jobs", "retry", ended.id, "--url", server.url)
        purged = cli("jobs", "purge", "--ended", "--url", server.url)

    assert [(job["id"], job["status"]) for job in listed] == [(ended.id, "succeeded")]
    assert "info finished in" in shown.out
    assert refused.code == 1
    assert "without success" in refused.err
    assert purged.out == "1 job removed\n"
    assert not (home / "blobs").exists()


def test_running_server_notices_a_cancellation_in_its_store(
    cli: Cli, environment: dict[str, str], long_video: Path
) -> None:
    """Without --url the server hears of it when it next renews its lease."""
    with serving({**environment, "TIGHTSHIP_JOBS_LEASE_S": "3 s"}) as server, Client(server.url) as client:
        sent = client.submit("gif", long_video, width=1920, quality="high")
        next(event for event in client.events(sent.id) if event.data.get("status") == "running")

        asked = cli("jobs", "cancel", sent.id)

        assert asked.code == 0
        assert client.wait(sent.id, timeout_s=60).status == "cancelled"


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (("--host", "0.0.0.0"), {}, "set API keys"),
        ((), {"TIGHTSHIP_API_KEYS": "short"}, "TIGHTSHIP_API_KEYS: an API key has at least"),
        ((), {"TIGHTSHIP_JOBS_MAX_PENDING": "many"}, "TIGHTSHIP_JOBS_MAX_PENDING=many: write a whole number"),
        ((), {"TIGHTSHIP_JOBS_MAX_PENDINGS": "3"}, "the nearest is TIGHTSHIP_JOBS_MAX_PENDING"),
    ],
)
def test_server_refuses_to_start_with_wrong_settings(
    cli: Cli, environment: dict[str, str], arguments: tuple[str, ...], variables: dict[str, str], said: str
) -> None:
    """Nothing listens, and the variable is named."""
    environment.update(variables)

    done = cli("serve", "--port", "0", *arguments)

    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_port_that_is_taken_is_told(cli: Cli, environment: dict[str, str], home: Path) -> None:
    """The second server says why it does not start, and leaves the first alone."""
    with serving(environment) as first:
        port = first.url.rpartition(":")[2]
        done = cli("serve", "--port", port, "--home", home / "other")

    assert done.code == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in done.err


def test_operations_read_the_environment_too(cli: Cli, environment: dict[str, str], video: Path) -> None:
    """A limit on media holds for a single job on the command line."""
    environment["TIGHTSHIP_MEDIA_MAX_DURATION_S"] = "1 s"

    assert cli("gif", video, "out.gif", "--json").json()["error"]["code"] == "video_too_long"
