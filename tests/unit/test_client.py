"""What the client does with what a server says, without a server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tightship import Client
from tightship.client.job import parse_events
from tightship.client.retry import Retries
from tightship.errors import (
    IdempotencyConflict,
    InvalidOptions,
    JobNotFound,
    MediaNotFound,
    OutputUnwritable,
    QueueFull,
    ServerUnreachable,
    TightshipError,
    VideoTooLong,
)

Answer = Callable[[httpx.Request], httpx.Response]
AT_ONCE = Retries(max_tries=4, base_s=0.0)


class Script:
    """Answers in their order, and the requests that they were given to."""

    def __init__(self, *answers: Answer | httpx.Response | Exception) -> None:
        self.requests: list[httpx.Request] = []
        self._answers = list(answers)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)

    def client(self, **settings: Any) -> Client:
        return Client(retries=AT_ONCE, transport=httpx.MockTransport(self), **settings)


class Breaking(httpx.SyncByteStream):
    """A body whose connection breaks in its middle."""

    def __init__(self, sent: bytes) -> None:
        self._sent = sent

    def __iter__(self) -> Iterator[bytes]:
        yield self._sent
        raise httpx.ReadError("connection reset")


def job(status: str = "pending", **more: Any) -> dict[str, Any]:
    return {"id": "j1", "operation": "gif", "options": {}, "status": status, "attempts": 0, "max_attempts": 3, **more}


def problem(status: int, code: str, detail: str = "no", headers: dict[str, str] | None = None, **details: Any) -> Any:
    body = {"type": "about:blank", "title": "No", "status": status, "detail": detail, "code": code, **details}
    kind = {"Content-Type": "application/problem+json", **(headers or {})}
    return httpx.Response(status, headers=kind, content=json.dumps(body))


def sse(*events: tuple[int, str, dict[str, Any]]) -> httpx.Response:
    text = ": hello\n\n" + "".join(
        f"id: {at}\nevent: {kind}\ndata: {json.dumps(data)}\n\n" for at, kind, data in events
    )
    return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=text)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "in.mp4"
    path.write_bytes(b"not looked at here")
    return path


# --- refusals -------------------------------------------------------------------------------------


def test_problem_becomes_the_error_that_it_was() -> None:
    """Class, sentence and figures survive the way over HTTP."""
    script = Script(problem(413, "video_too_long", "it lasts 9 s; the limit is 5 s", limit_s=5.0))

    with script.client() as client, pytest.raises(VideoTooLong, match="it lasts 9 s") as caught:
        client.job("j1")

    assert caught.value.details == {"limit_s": 5.0}


def test_error_that_is_also_a_value_error_keeps_its_class() -> None:
    """What Python would take for nonsense in the answer is the answer."""
    with Script(problem(422, "invalid_quantity")).client() as client, pytest.raises(InvalidOptions) as caught:
        client.job("j1")

    assert caught.value.code == "invalid_quantity"


def test_refusal_of_a_request_keeps_its_code() -> None:
    """What only a server can find wrong has a class as well."""
    with Script(problem(401, "unauthenticated")).client() as client, pytest.raises(TightshipError) as caught:
        client.job("j1")

    assert (caught.value.code, caught.value.http_status) == ("unauthenticated", 401)


def test_answer_that_is_no_problem_names_the_status() -> None:
    """A stranger's web page is told as what it is."""
    with Script(httpx.Response(418, html="<h1>tea")).client() as client, pytest.raises(TightshipError, match="418"):
        client.job("j1")


def test_answer_that_is_no_json_is_told() -> None:
    """A 200 from something that is no tightship server is an error of ours."""
    with Script(httpx.Response(200, text="hi")).client() as client, pytest.raises(TightshipError, match="understood"):
        client.job("j1")


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://host", "http://", ""])
def test_address_that_is_none_is_refused(url: str) -> None:
    """It is refused when the client is made, not at the first request."""
    with pytest.raises(InvalidOptions, match="is no address"):
        Client(url)


@pytest.mark.parametrize("job_id", ["", "../x", "a/b", "a?b", "é"])
def test_id_that_would_change_the_path_is_refused(job_id: str) -> None:
    """Nothing is asked of the server."""
    with Script().client() as client, pytest.raises(InvalidOptions, match="no id of a job"):
        client.delete(job_id)


def test_key_is_sent_as_bearer() -> None:
    """And nothing is sent where there is none."""
    with_key, without = Script(httpx.Response(200, json={})), Script(httpx.Response(200, json={}))

    with with_key.client(api_key="secret") as client:
        client.memory()
    with without.client() as client:
        client.memory()

    assert with_key.requests[0].headers["Authorization"] == "Bearer secret"
    assert "Authorization" not in without.requests[0].headers


# --- sending --------------------------------------------------------------------------------------


def test_submit_sends_operation_options_and_file(video: Path) -> None:
    """The three parts of the contract, the file last, under its name."""
    script = Script(httpx.Response(202, json=job()))

    with script.client() as client:
        assert client.submit("gif", video, width=320).status == "pending"

    sent = script.requests[0].content
    parts = [sent.index(part) for part in (b'name="operation"', b'{"width": 320}', b'filename="in.mp4"')]
    assert parts == sorted(parts)
    assert video.read_bytes() in sent


def test_submit_is_one_job_however_often_it_breaks(video: Path) -> None:
    """Each try sends the whole file again under the same key; a conflict is with our own try before."""
    script = Script(
        httpx.WriteError("broken pipe"),
        problem(409, "idempotency_conflict"),
        problem(503, "queue_full", headers={"Retry-After": "0"}),
        httpx.Response(202, json=job()),
    )

    with script.client() as client:
        client.submit("gif", video)

    assert len({request.headers["Idempotency-Key"] for request in script.requests}) == 1
    assert all(video.read_bytes() in request.content for request in script.requests)


def test_two_submits_are_two_jobs(video: Path) -> None:
    """Each has a key of its own."""
    script = Script(httpx.Response(202, json=job()), httpx.Response(202, json=job()))

    with script.client() as client:
        client.submit("gif", video)
        client.submit("gif", video)

    assert len({request.headers["Idempotency-Key"] for request in script.requests}) == 2


def test_tries_are_bounded(video: Path) -> None:
    """A queue that stays full is told of in the end."""
    script = Script(*(problem(503, "queue_full", retry_after_s=0) for _ in range(9)))

    with script.client() as client, pytest.raises(QueueFull):
        client.submit("gif", video)

    assert len(script.requests) == AT_ONCE.max_tries


def test_refusal_that_no_retry_cures_is_raised_at_once(video: Path) -> None:
    """A wrong option is asked for once."""
    script = Script(problem(422, "invalid_options"))

    with script.client() as client, pytest.raises(InvalidOptions):
        client.submit("gif", video, wdith=1)

    assert len(script.requests) == 1


def test_missing_file_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    """The server does not hear of it."""
    with Script().client() as client, pytest.raises(MediaNotFound, match=r"in\.mp4"):
        client.submit("gif", tmp_path / "in.mp4")


def test_lost_answer_to_an_action_is_not_asked_for_again() -> None:
    """To retry a job twice is not the same as to retry it once."""
    script = Script(httpx.ReadTimeout("nothing"))

    with script.client() as client, pytest.raises(ServerUnreachable):
        client.retry("j1")

    assert len(script.requests) == 1


def test_action_that_the_server_had_no_time_for_is_asked_for_again() -> None:
    """A busy store has written nothing."""
    script = Script(problem(503, "store_busy"), httpx.Response(200, json=job("cancelled")))

    with script.client() as client:
        assert client.cancel("j1").final


@pytest.mark.parametrize(
    ("error", "tries", "wait_s"),
    [
        (QueueFull("full", retry_after_s=10), 1, 10),
        (QueueFull("full", retry_after_s=1000), 1, None),
        (QueueFull("full"), 3, 2.0),
        (ServerUnreachable("gone"), 20, None),
        (IdempotencyConflict("another's"), 1, None),
        (JobNotFound("gone"), 1, None),
    ],
)
def test_wait_before_the_next_try(error: TightshipError, tries: int, wait_s: float | None) -> None:
    """The server's word comes first; without one the wait doubles; what no retry cures is not tried."""
    assert Retries().wait_s(error, tries, jitter=1.0) == wait_s


# --- asking ---------------------------------------------------------------------------------------


def test_jobs_come_page_after_page() -> None:
    """The next page is asked for with the cursor of the one before, and under the same status."""
    pages = ({"jobs": [job(id="b")], "next": "b"}, {"jobs": [job(id="a")], "next": None})
    script = Script(*(httpx.Response(200, json=page) for page in pages))

    with script.client() as client:
        assert [found.id for found in client.jobs("failed")] == ["b", "a"]

    assert [dict(request.url.params).get("after") for request in script.requests] == [None, "b"]
    assert all(request.url.params["status"] == "failed" for request in script.requests)


def test_view_of_a_job_has_our_own_error_and_receipt() -> None:
    """What the server tells as JSON is again what it was there."""
    error = {"code": "video_too_long", "message": "too long", "details": {"limit_s": 5}}
    receipt = {"name": "gif", "kind": "attempt", "outcome": "failed", "cause": None, "wall_s": 1.5}
    script = Script(httpx.Response(200, json=job("failed", error=error, receipt=receipt)))

    with script.client() as client:
        found = client.job("j1")

    assert isinstance(found.error, VideoTooLong)
    assert found.receipt is not None
    assert found.receipt.wall_s == 1.5


# --- watching -------------------------------------------------------------------------------------


def test_events_are_taken_up_where_they_broke() -> None:
    """The next connection says what was heard last, and nothing comes twice."""
    script = Script(
        sse((1, "status", job("running")), (4, "progress", {"fraction": 0.5})),
        httpx.Response(200, json=job("running")),
        httpx.ConnectError("refused"),
        httpx.Response(200, json=job("running")),
        sse((5, "status", job("succeeded"))),
    )

    with script.client() as client:
        events = list(client.events("j1"))

    assert [event.id for event in events] == ["1", "4", "5"]
    assert events[-1].job is not None
    assert events[-1].job.final
    assert [request.headers.get("Last-Event-ID") for request in script.requests] == [None, None, "4", None, "4"]


def test_end_that_nobody_told_of_is_looked_up() -> None:
    """A stream that ends without a final status is no reason to wait for ever."""
    script = Script(sse((1, "status", job("running"))), httpx.Response(200, json=job("failed")))

    with script.client() as client:
        assert [event.data["status"] for event in client.events("j1")] == ["running", "failed"]


def test_stream_that_never_tells_anything_is_given_up() -> None:
    """Connections that bring nothing are bounded."""
    script = Script(*(answer for _ in range(9) for answer in (sse(), httpx.Response(200, json=job("running")))))

    with script.client() as client, pytest.raises(ServerUnreachable):
        list(client.events("j1"))

    assert len(script.requests) == 2 * AT_ONCE.max_tries


def test_wait_tells_progress_and_returns_the_job() -> None:
    """Progress goes to whoever asked; the job is the one at the end."""
    heard: list[Any] = []
    script = Script(
        sse((1, "progress", {"fraction": 0.5}), (2, "status", job("succeeded"))),
        httpx.Response(200, json=job("succeeded", result={"frames": 3})),
    )

    with script.client() as client:
        ended = client.wait("j1", on_progress=heard.append)

    assert heard == [{"fraction": 0.5}]
    assert ended.result == {"frames": 3}


def test_wait_ends_when_its_time_is_over() -> None:
    """The job goes on; the caller does too."""
    script = Script(httpx.ReadTimeout("silence"), httpx.Response(200, json=job("running")))

    with script.client() as client, pytest.raises(TimeoutError, match="j1"):
        client.wait("j1", timeout_s=0.0)


def test_event_stream_is_read_as_the_standard_says() -> None:
    """Comments, several lines of data, unknown fields, nonsense, and an event that is cut off."""
    lines = [": alive", "id: 7", "event: partial", 'data: {"a":', "data: 1}", "retry: 10", "", "data: nonsense", ""]

    events = list(parse_events([*lines, "event: status", "data: {}"]))

    assert events[0] is None
    assert [(event.id, event.kind, event.data) for event in events[1:] if event] == [("7", "partial", {"a": 1})]


# --- fetching -------------------------------------------------------------------------------------


def test_download_goes_on_where_the_connection_broke(tmp_path: Path) -> None:
    """What is there already is not sent again, if the file is still the same."""
    tagged = {"ETag": '"v1"', "Content-Length": "6"}
    rest = {"ETag": '"v1"', "Content-Range": "bytes 3-5/6"}
    script = Script(
        httpx.Response(200, headers=tagged, stream=Breaking(b"GIF")),
        httpx.Response(206, headers=rest, stream=httpx.ByteStream(b"89a")),
    )

    with script.client() as client:
        path = client.download("j1", tmp_path / "out.gif")

    assert path.read_bytes() == b"GIF89a"
    assert script.requests[1].headers["Range"] == "bytes=3-"
    assert script.requests[1].headers["If-Range"] == '"v1"'


def test_download_begins_anew_when_the_file_has_changed(tmp_path: Path) -> None:
    """Two halves of two results are never put together."""
    script = Script(
        httpx.Response(200, headers={"ETag": '"v1"'}, stream=Breaking(b"old")),
        httpx.Response(200, headers={"ETag": '"v2"'}, stream=httpx.ByteStream(b"newer")),
    )

    with script.client() as client:
        assert client.download("j1", tmp_path / "out.gif").read_bytes() == b"newer"


@pytest.mark.parametrize("answer", [problem(404, "job_not_found"), httpx.Response(206, stream=httpx.ByteStream(b"x"))])
def test_failed_download_leaves_what_was_there(tmp_path: Path, answer: httpx.Response) -> None:
    """The destination is whole or as before, and nothing lies beside it."""
    (tmp_path / "out.gif").write_bytes(b"before")

    with Script(answer).client() as client, pytest.raises(TightshipError):
        client.download("j1", tmp_path / "out.gif")

    assert (tmp_path / "out.gif").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["out.gif"]


def test_short_download_is_no_download(tmp_path: Path) -> None:
    """A body that is shorter than announced is asked for again, a bounded number of times."""
    short = [
        httpx.Response(200, headers={"Content-Length": "6"}, stream=httpx.ByteStream(b"GIF"))
        for _ in range(2 * AT_ONCE.max_tries)
    ]
    script = Script(*short)

    with script.client() as client, pytest.raises(ServerUnreachable, match="broke off after 3 of 6"):
        client.download("j1", tmp_path / "out.gif")

    assert list(tmp_path.iterdir()) == []


def test_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """It is an error of ours, with the place's name."""
    with Script().client() as client, pytest.raises(OutputUnwritable, match="nowhere"):
        client.download("j1", tmp_path / "nowhere" / "out.gif")
