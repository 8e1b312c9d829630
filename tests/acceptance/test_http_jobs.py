"""Jobs over HTTP: what people send, and what they get."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.http_server import Server, running, within


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with its own settings."""
    with running(tmp_path_factory.mktemp("home")) as started:
        yield started


def test_a_video_becomes_a_gif(server: Server, video: Path) -> None:
    """A submitted video is converted, fetched, and accounted for."""
    submitted = server.submit("gif", video, {"width": 64, "fps": 5})
    assert submitted.status_code == 202
    assert submitted.json()["status"] == "pending"
    job = server.ended(submitted.json()["id"])
    assert (job["status"], job["error"]) == ("succeeded", None)
    result = server.http.get(job["result_url"])
    assert result.content.startswith(b"GIF89a")
    assert result.headers["content-type"] == "image/gif"
    assert result.headers["x-content-type-options"] == "nosniff"
    assert 'filename="in.gif"' in result.headers["content-disposition"]
    assert "gave back" in job["receipt_text"]


@pytest.mark.parametrize(("operation", "options"), [("clip", {"start_s": 0.5, "end_s": 1.5}), ("info", {})])
def test_other_operations_too(server: Server, video: Path, operation: str, options: dict[str, float]) -> None:
    """A clip has a file to fetch, a description has none."""
    job = server.ended(server.submit(operation, video, options).json()["id"])
    assert job["status"] == "succeeded"
    assert (job["result_url"] is not None) == (operation == "clip")
    if operation == "info":
        assert job["result"]["duration_s"] == pytest.approx(2.0, abs=0.1)
        assert server.http.get(f"/v1/jobs/{job['id']}/result").json()["code"] == "result_not_found"


def test_the_file_may_come_first(server: Server, video: Path) -> None:
    """The order of the form's parts is the sender's own, as with curl."""
    boundary = "b"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="x.mp4"\r\n\r\n'
    tail = f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="operation"\r\n\r\ninfo\r\n--{boundary}--\r\n'
    body = head.encode() + video.read_bytes() + tail.encode()
    kind = {"content-type": f"multipart/form-data; boundary={boundary}"}
    answer = server.http.post("/v1/jobs", content=body, headers=kind)
    assert answer.status_code == 202, answer.text
    assert server.ended(answer.json()["id"])["status"] == "succeeded"


def test_a_result_is_sent_in_parts(server: Server, video: Path) -> None:
    """A range gives that part; one past the end is refused with the length."""
    job = server.ended(server.submit("gif", video, {"width": 32}).json()["id"])
    whole = server.http.get(job["result_url"])
    part = server.http.get(job["result_url"], headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
    stale = server.http.get(job["result_url"], headers={"Range": "bytes=10-19", "If-Range": '"other"'})
    assert (stale.status_code, stale.content) == (200, whole.content)
    beyond = server.http.get(job["result_url"], headers={"Range": "bytes=99999999-"})
    assert (beyond.status_code, beyond.json()["code"]) == (416, "range_not_satisfiable")
    assert beyond.headers["content-range"] == f"bytes */{len(whole.content)}"


def test_headers_alone_tell_what_there_is(server: Server, video: Path) -> None:
    """Whoever downloads in parts, or looks whether the server lives, asks with HEAD first."""
    job = server.ended(server.submit("clip", video, {"end_s": 1}).json()["id"])
    whole = server.http.get(job["result_url"])

    for path, other in [
        (job["result_url"], {"Range": "bytes=0-9"}),
        ("/health/live", {}),
        ("/health/ready", {}),
        ("/", {}),
    ]:
        asked = server.http.head(path)
        assert (asked.status_code, asked.content) == (200, b"")
        assert server.http.head(path, headers=other).content == b""
    head = server.http.head(job["result_url"])
    assert {name: head.headers[name] for name in ("content-length", "accept-ranges", "etag", "content-type")} == {
        "content-length": str(len(whole.content)),
        "accept-ranges": "bytes",
        "etag": whole.headers["etag"],
        "content-type": "video/mp4",
    }


def test_events_resume_where_they_were_left(server: Server, video: Path) -> None:
    """Whoever reconnects gets what came after the last event seen, and 204 after the very last."""
    job_id = server.submit("info", video).json()["id"]
    server.ended(job_id)
    path = f"/v1/jobs/{job_id}/events"
    ids = [int(line[4:]) for line in server.http.get(path).text.splitlines() if line.startswith("id: ")]
    assert len(ids) >= 3
    assert ids == sorted(ids)
    rest = server.http.get(path, headers={"Last-Event-ID": str(ids[0])})
    assert rest.headers["content-type"].startswith("text/event-stream")
    assert [int(line[4:]) for line in rest.text.splitlines() if line.startswith("id: ")] == ids[1:]
    last = rest.text.rstrip().splitlines()[-1]
    assert json.loads(last.removeprefix("data: "))["status"] == "succeeded"
    assert server.http.get(path, headers={"Last-Event-ID": str(ids[-1])}).status_code == 204


def test_the_same_key_is_the_same_job(server: Server, video: Path) -> None:
    """An idempotency key names one job; with another request it is a conflict."""
    key = {"Idempotency-Key": "only-once"}
    first = server.submit("info", video, **key)
    server.ended(first.json()["id"])
    assert server.submit("info", video, **key).json()["id"] == first.json()["id"]
    other = server.submit("gif", video, **key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")


def test_a_running_job_is_cancelled_at_once(server: Server, long_video: Path) -> None:
    """What runs stops, and is cancelled: within a second, and within ten times that on a machine that is busy."""
    job_id = server.submit("gif", long_video, {"fps": 50}).json()["id"]
    within(60, lambda: server.job(job_id)["status"] == "running", "the job runs")
    assert server.http.post(f"/v1/jobs/{job_id}/cancel").status_code == 200
    within(20, lambda: server.job(job_id)["status"] == "cancelled", "the job is cancelled")
    again = server.http.post(f"/v1/jobs/{job_id}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "invalid_transition")


def test_a_cancelled_job_is_tried_anew(server: Server, long_video: Path) -> None:
    """A retry starts the attempts anew; removing the job stops it and leaves none of its files."""
    job_id = server.submit("gif", long_video, {"fps": 50}).json()["id"]
    server.http.post(f"/v1/jobs/{job_id}/cancel")
    within(20, lambda: server.job(job_id)["status"] == "cancelled", "the job is cancelled")
    retried = server.http.post(f"/v1/jobs/{job_id}/retry").json()
    assert (retried["status"], retried["attempts"]) == ("pending", 0)
    within(60, lambda: server.job(job_id)["status"] == "running", "the job runs")
    assert server.http.delete(f"/v1/jobs/{job_id}").status_code == 202
    within(60, lambda: server.http.get(f"/v1/jobs/{job_id}").status_code == 404, "the job is gone")


def test_jobs_are_listed_in_pages(server: Server, video: Path) -> None:
    """The newest come first, and `next` leads on."""
    ids = [server.submit("info", video).json()["id"] for _ in range(3)]
    for job_id in ids:
        server.ended(job_id)
    first = server.http.get("/v1/jobs", params={"limit": 2}).json()
    assert [job["id"] for job in first["jobs"]] == [ids[2], ids[1]]
    second = server.http.get("/v1/jobs", params={"limit": 1, "after": first["next"]}).json()
    assert [job["id"] for job in second["jobs"]] == [ids[0]]
    assert server.http.get("/v1/jobs", params={"status": "quarantined"}).json() == {"jobs": [], "next": None}


def test_what_can_be_done_is_described(server: Server) -> None:
    """Each operation has the schema of its options."""
    found = {entry["name"]: entry for entry in server.http.get("/v1/operations").json()["operations"]}
    assert set(found) == {"gif", "info", "clip", "transcribe"}
    assert found["gif"]["options"]["properties"]["fps"]["default"] == 10.0


def test_health_and_metrics(server: Server) -> None:
    """Signs of life, the account of memory, and figures for Prometheus."""
    assert server.http.get("/health/live").json() == {"status": "live"}
    assert server.http.get("/health/ready").json() == {"status": "ready"}
    memory = server.http.get("/health/memory").json()
    assert 0 < memory["budget"]["soft_bytes"] < memory["budget"]["hard_bytes"]
    assert memory["seats"] == 0
    assert server.http.get("/v1/jobs/no-such-job").status_code == 404
    text = server.http.get("/metrics").text
    assert 'tightship_jobs{status="pending"} 0.0' in text
    assert 'route="/v1/jobs/{job_id}"' in text


def test_watching_does_not_keep_others_waiting(server: Server, long_video: Path) -> None:
    """Twenty who watch a long job take nobody's turn."""
    job_id = server.submit("gif", long_video, {"fps": 50}).json()["id"]
    seen = threading.Barrier(21)

    def watch() -> None:
        with httpx.stream("GET", f"{server.address}/v1/jobs/{job_id}/events", timeout=60, trust_env=False) as response:
            lines = response.iter_lines()
            next(lines)
            seen.wait(60)
            for _ in lines:
                pass

    watchers = [threading.Thread(target=watch) for _ in range(20)]
    for watcher in watchers:
        watcher.start()
    seen.wait(60)
    began_s = time.monotonic()
    assert server.http.get("/v1/jobs").status_code == 200
    assert time.monotonic() - began_s < 10.0
    server.http.delete(f"/v1/jobs/{job_id}")
    for watcher in watchers:
        watcher.join(60)
        assert not watcher.is_alive()


def test_a_quiet_job_shows_that_it_lives(tmp_path: Path, video: Path) -> None:
    """While nothing happens, a comment now and then keeps the connection from being taken for dead."""
    with running(tmp_path / "home", {"heartbeat_s": 0.3}, {"probe_reservation_bytes": 10**14}) as server:
        job_id = server.submit("info", video).json()["id"]  # it waits for memory that there will never be
        with server.http.stream("GET", f"/v1/jobs/{job_id}/events") as response:
            assert next(line for line in response.iter_lines() if line.startswith(":"))
        server.http.delete(f"/v1/jobs/{job_id}")
