"""Transcription over HTTP, as a job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.acceptance.http_server import Server, running
from tests.media.sounds import tone, write_wav


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_en: Path) -> Iterator[Server]:
    """A server whose default model is the small one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIGHTSHIP_TRANSCRIBE_MODEL", str(tiny_en))
        with running(tmp_path_factory.mktemp("home")) as started:
            yield started


@pytest.mark.parametrize(
    ("form", "media_type", "begins"),
    [
        ("srt", "application/x-subrip; charset=utf-8", "1\n00:00:00,"),
        ("vtt", "text/vtt; charset=utf-8", "WEBVTT\n"),
        ("verbose_json", "application/json", '{"task": "transcribe", "language": "english", "duration": 11.0'),
    ],
)
def test_speech_is_written_down(server: Server, data: Path, form: str, media_type: str, begins: str) -> None:
    """In the format asked for, with its content type and ending; all jobs but the first find the model loaded."""
    job = server.ended(server.submit("transcribe", data / "speech" / "jfk.flac", {"format": form}).json()["id"])

    assert (job["status"], job["error"]) == ("succeeded", None)
    result = server.http.get(job["result_url"])
    assert result.headers["content-type"] == media_type
    assert result.text.startswith(begins)
    assert "your country" in job["result"]["text"]
    ending = {"verbose_json": "json"}.get(form, form)
    assert f'filename="jfk.{ending}"' in result.headers["content-disposition"]


def test_segments_come_as_events(server: Server, data: Path) -> None:
    """Whoever watches reads the text while it is written."""
    job_id = server.submit("transcribe", data / "speech" / "jfk.flac", {"format": "text"}).json()["id"]
    with server.http.stream("GET", f"/v1/jobs/{job_id}/events", timeout=60) as response:
        lines = list(response.iter_lines())

    told = [json.loads(data.removeprefix("data: ")) for kind, data in pairwise(lines) if kind == "event: partial"]
    text = server.http.get(server.job(job_id)["result_url"]).text
    assert "".join(each["segment"]["text"] for each in told).strip() == text.strip()


def test_a_sound_without_speech_is_an_empty_transcript(server: Server, tmp_path: Path) -> None:
    """And no fault."""
    beep = write_wav(tmp_path / "beep.wav", tone(2, 16_000).astype(np.float32), 16_000)

    job = server.ended(server.submit("transcribe", beep, {"format": "text"}).json()["id"])

    assert (job["status"], job["result"]["text"], job["result"]["duration_s"]) == ("succeeded", "", 2.0)
    assert server.http.get(job["result_url"]).text == "\n"


@pytest.mark.parametrize("model", ["nobody/nowhere", "/etc"])
def test_a_model_that_is_not_on_the_server_is_no_job(server: Server, tmp_path: Path, model: str) -> None:
    """Nothing is fetched on a stranger's word, and no folder is told of."""
    beep = write_wav(tmp_path / "beep.wav", tone(1, 16_000).astype(np.float32), 16_000)
    before = server.http.get("/v1/jobs").json()["jobs"]

    refused = server.submit("transcribe", beep, {"model": model})

    assert (refused.status_code, refused.json()["code"]) == (404, "model_not_found")
    assert server.http.get("/v1/jobs").json()["jobs"] == before


def test_the_catalogue_tells_what_can_be_done_here(server: Server) -> None:
    """With what is missing, where something is."""
    listed = {each["name"]: each for each in server.http.get("/v1/operations").json()["operations"]}

    assert {name: each["missing"] for name, each in listed.items()} == dict.fromkeys(listed)
    assert listed["transcribe"]["options"]["properties"]["format"]["default"] == "verbose_json"
