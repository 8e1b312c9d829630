"""A disk that is full at any write of the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.http_server import Server, answer, form_head, form_tail, running, within
from tests.media.synthetic import Video, write_video

from .test_disk import small_disk as small_disk
from .test_store_disk import PAGE_BYTES, fill, free, start_log_over

#: What begins like a video, and never is one.
MEDIA = b"\x00\x00\x00\x18ftypmp42" + bytes(10**6)
#: The reserve would keep the disk from getting full at all.
STORE = {"disk_reserve_bytes": 0, "max_content_bytes": 2_000_000, "lease_s": 1.0}


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of video."""
    return write_video(tmp_path_factory.mktemp("media") / "in.mp4", Video(seconds=1.0))


@pytest.fixture
def server(small_disk: Path) -> Iterator[Server]:
    """A server whose home is a small disk."""
    with running(small_disk / "home", {"min_upload_bytes_per_s": 100}, STORE) as started:
        yield started


def nothing_stays(server: Server) -> None:
    """Check that no upload is left, neither its file nor its seat: at the latest when the seat's lease ends."""
    within(60, lambda: server.files() == [], "no file is left")
    within(60, lambda: server.seats() == 0, "no seat is left")


def test_an_upload_that_fills_the_disk_is_told_so(server: Server, small_disk: Path, video: Path) -> None:
    """Room that was there when the upload began may be gone; then nothing of it stays, and others are served later."""
    with server.connect() as connection:
        connection.sendall(form_head(None, host=f"127.0.0.1:{server.port}", file_bytes=10**6) + MEDIA[:5000])
        within(60, lambda: len(server.files()) == 1, "the upload has begun")
        fill(small_disk, 100_000)
        connection.sendall(MEDIA[5000 : 10**6] + form_tail())
        status, problem = answer(connection)
    assert (status, problem["code"]) == (507, "disk_full")
    within(60, lambda: server.files() == [], "no file is left")
    assert server.http.get("/health/live").status_code == 200
    free(small_disk)
    nothing_stays(server)
    assert server.ended(server.submit("info", video).json()["id"])["status"] == "succeeded"


def test_an_upload_at_every_amount_of_space(server: Server, small_disk: Path, video: Path) -> None:
    """With page after page more space, it is refused at each of its writes, or accepted and then done."""
    server.http.delete(f"/v1/jobs/{server.ended(server.submit('info', video).json()['id'])['id']}")
    seen = []
    for pages in (*range(0, 32, 4), 200):
        start_log_over(small_disk / "home")
        fill(small_disk, pages * PAGE_BYTES)
        response = server.submit("info", video)
        free(small_disk)
        seen.append(response.status_code)
        assert response.status_code in (202, 507), response.text
        if response.status_code == 202:
            job = server.ended(response.json()["id"])
            assert (job["status"], job["error"]) == ("succeeded", None)
            server.http.delete(f"/v1/jobs/{job['id']}")
        else:
            assert response.json()["code"] == "disk_full"
        nothing_stays(server)
    assert (seen[0], seen[-1]) == (507, 202)


@pytest.mark.parametrize(("method", "path"), [("POST", "/cancel"), ("POST", "/retry"), ("DELETE", "")])
def test_steering_on_a_full_disk_changes_nothing(small_disk: Path, video: Path, method: str, path: str) -> None:
    """It says so, and works when there is room again."""
    store = {**STORE, "probe_reservation_bytes": 10**14}  # the job waits for memory that there will never be
    with running(small_disk / "home", store=store) as server:
        job_id = server.submit("info", video).json()["id"]
        if path == "/retry":
            server.http.post(f"/v1/jobs/{job_id}/cancel")
        before = server.job(job_id)["status"]
        start_log_over(small_disk / "home")
        fill(small_disk)

        refused = server.http.request(method, f"/v1/jobs/{job_id}{path}")

        assert (refused.status_code, refused.json()["code"]) == (507, "disk_full"), json.dumps(refused.json())
        assert server.job(job_id)["status"] == before
        free(small_disk)
        assert server.http.request(method, f"/v1/jobs/{job_id}{path}").status_code < 300
