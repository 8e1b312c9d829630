"""SIGKILL of the server in the middle of uploads and jobs, and a new start."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from tests.acceptance.http_server import Server, doomed, form_head, running, within
from tests.media.synthetic import Video, write_video
from tightship.core import procfs
from tightship.store.store import Store

#: What begins like a video, and never is one.
MEDIA = b"\x00\x00\x00\x18ftypmp42" + bytes(10**6)
UPLOADS = 3
HTTP = {"min_upload_bytes_per_s": 100}
STORE = {"lease_s": 2.0, "backoff_base_s": 0, "max_running": 1}


def test_killed_server_keeps_what_it_accepted(tmp_path: Path) -> None:
    """Every job that was answered 202 ends, every half upload is gone, and the missing receipt is there."""
    long = write_video(tmp_path / "long.mp4", Video(width=640, height=360, seconds=5))
    short = write_video(tmp_path / "short.mp4", Video(seconds=1))
    home = tmp_path / "home"
    with ExitStack() as senders, doomed(home, HTTP, STORE) as first:
        runs = _accepted(first, "gif", long)
        within(60, lambda: first.job(runs)["status"] == "running", "the long job runs")
        accepted = [runs, *(_accepted(first, operation, short) for operation in ("info", "gif", "clip"))]
        for _ in range(UPLOADS):
            sender = senders.enter_context(first.connect())
            sender.sendall(form_head(None, host=f"127.0.0.1:{first.port}", file_bytes=10**6) + MEDIA[:500_000])
        within(60, lambda: first.seats() == UPLOADS, "the uploads have their seats")
        within(60, lambda: len(_half(home)) == UPLOADS, "they are half way")
        assert first.job(runs)["status"] == "running"
        family = procfs.descendants(first.process.pid)
        first.process.kill()
        first.process.wait(10)
    within(60, lambda: not any(Path(f"/proc/{pid}").exists() for pid in family), "no process is left")
    assert len(_half(home)) == UPLOADS

    with running(home, HTTP, STORE) as second:
        ended = [second.ended(job_id) for job_id in accepted]
        within(60, lambda: second.seats() == 0, "no seat is kept")
        within(60, lambda: _half(home) == [], "the half uploads are gone")
        memory = second.http.get("/health/memory").json()
        within(60, lambda: len(second.files()) == 3, "only results are left")  # of two GIFs and a clip

    assert [job["status"] for job in ended] == ["succeeded"] * 4
    assert memory["queue"]["pending"] == memory["queue"]["running"] == 0
    with Store.open(home) as store:
        killed = [attempt for attempt in store.attempts_of(runs) if attempt.outcome == "killed"]
    assert [attempt.cause for attempt in killed] == ["parent gone"]
    assert killed[0].receipt is not None
    assert killed[0].receipt.peak_bytes is None


def _accepted(server: Server, operation: str, file: Path) -> str:
    response = server.submit(operation, file)
    assert response.status_code == 202, response.text
    return str(response.json()["id"])


def _half(home: Path) -> list[Path]:
    """Return the uploads that are under way on the disk."""
    return list((home / "blobs" / "incoming").iterdir())
