"""OpenAI's own client against a real server, with real speech."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import psutil
import pytest

from tests.acceptance.http_server import Server, running, within

TEXT = "And so my fellow Americans ask not what your country can do for you, ask what you can do for your country."
KEY = "a-key-of-this-server"
#: Seconds of computing that a slot may go on for when nobody waits any more; all of `long` takes nine.
GOES_ON_S = 3.0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tiny_en: Path) -> Iterator[Path]:
    """Where the servers of this module live; their default model is the small one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIGHTSHIP_TRANSCRIBE_MODEL", str(tiny_en))
        yield tmp_path_factory.mktemp("homes")


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    """A server with usual settings."""
    with running(home / "usual") as started:
        yield started


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    """The client, as people make it."""
    return client_of(server)


@pytest.fixture(scope="module")
def strict(home: Path) -> Iterator[Server]:
    """A server that wants a key, takes small files, lets one wait, and keeps nobody waiting for long."""
    http = {"api_keys": [KEY], "max_upload_bytes": 5_000_000, "sync_timeout_s": 2}
    with running(home / "strict", http, {"max_pending": 1, "max_running": 1}) as started:
        started.http.headers["Authorization"] = f"Bearer {KEY}"
        yield started


@pytest.fixture(scope="module")
def jfk(data: Path) -> Path:
    """Eleven seconds."""
    return data / "speech" / "jfk.flac"


@pytest.fixture(scope="module")
def long(data: Path) -> Path:
    """Nearly three minutes, which take some seconds of work."""
    return data / "speech" / "lj_printing.flac"


def client_of(server: Server, key: str = KEY, **settings: Any) -> openai.OpenAI:
    """Return a client that asks once."""
    return openai.OpenAI(base_url=f"{server.address}/v1", api_key=key, max_retries=0, **settings)


def is_idle(server: Server) -> bool:
    """Tell whether no slot computes."""
    return not any(slot["busy"] for slot in server.http.get("/health/memory").json()["slots"])


def computed_s(server: Server) -> dict[psutil.Process, float]:
    """Return the seconds that each slot at work has computed for: what else the machine does adds nothing to them."""
    slots = server.http.get("/health/memory").json()["slots"]
    workers = [psutil.Process(slot["pid"]) for slot in slots if slot["busy"]]
    return {worker: sum(worker.cpu_times()[:2]) for worker in workers}


def has_stopped(worker: psutil.Process, was_s: float) -> bool:
    """Tell whether a worker has ended, or has computed for hardly longer than before."""
    try:
        return not worker.is_running() or sum(worker.cpu_times()[:2]) - was_s < GOES_ON_S
    except psutil.NoSuchProcess:
        return True


def stops(server: Server, before: dict[psutil.Process, float]) -> bool:
    """Wait until no slot computes; tell whether those at work before were stopped in the middle."""
    within(60, lambda: is_idle(server), "the slot is idle")
    return all(has_stopped(worker, was_s) for worker, was_s in before.items())


def nothing_is_left(server: Server) -> bool:
    """Tell whether the server has neither jobs nor files."""
    return server.http.get("/v1/jobs").json()["jobs"] == [] and server.files() == [] and server.seats() == 0


@pytest.mark.parametrize(
    ("form", "media_type", "begins"),
    [
        ("json", "application/json", '{"text": "And so my'),
        ("text", "text/plain; charset=utf-8", "And so my fellow Americans ask not"),
        ("srt", "text/plain; charset=utf-8", "1\n00:00:00,"),
        ("vtt", "text/vtt; charset=utf-8", "WEBVTT\n\n00:00:00."),
        ("verbose_json", "application/json", '{"task": "transcribe", "language": "english", "duration": 11.0, "text"'),
    ],
)
def test_each_format_has_its_type(
    server: Server, client: openai.OpenAI, jfk: Path, form: Any, media_type: str, begins: str
) -> None:
    """The answer is whole when it comes, and of the job nothing stays."""
    answer = client.audio.transcriptions.with_raw_response.create(file=jfk, model="whisper-1", response_format=form)

    assert answer.headers["content-type"] == media_type
    assert answer.text.startswith(begins)
    assert TEXT.split()[-1] in answer.text
    assert nothing_is_left(server)


def test_the_client_reads_the_values(client: openai.OpenAI, jfk: Path) -> None:
    """As its own types have them, and none of them made up."""
    told = client.audio.transcriptions.create(
        file=jfk, model="tiny.en", response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )

    assert (told.text, told.language, told.duration) == (TEXT, "english", 11.0)
    assert told.usage is not None
    assert (told.usage.type, told.usage.seconds) == ("duration", 11)
    assert told.segments
    assert "".join(segment.text for segment in told.segments).strip() == TEXT
    assert all(-2 < segment.avg_logprob < 0 < segment.compression_ratio for segment in told.segments)
    assert all(segment.tokens and 0 <= segment.no_speech_prob <= 1 for segment in told.segments)
    assert told.words
    assert [word.word for word in told.words] == TEXT.split()
    times = [time_s for word in told.words for time_s in (word.start, word.end)]
    assert times == sorted(times)
    assert 0 < times[0] < times[-1] <= 11.0


@pytest.mark.parametrize(("asked", "keys"), [(["word"], {"words"}), (["segment"], {"segments"})])
def test_times_are_told_as_asked_for(client: openai.OpenAI, jfk: Path, asked: list[Any], keys: set[str]) -> None:
    """Words alone leave the segments out."""
    told = client.audio.transcriptions.create(
        file=jfk, model="tiny.en", response_format="verbose_json", timestamp_granularities=asked
    )
    assert told.model_fields_set & {"words", "segments"} == keys


def test_fields_may_follow_the_file(server: Server, jfk: Path) -> None:
    """A form has no order; brackets of lists may be left out."""
    fields = {"response_format": "verbose_json", "timestamp_granularities": "word", "model": "tiny.en", "user": "me"}
    form = [("file", ("jfk.flac", jfk.read_bytes())), *((name, (None, value)) for name, value in fields.items())]

    told = server.http.post("/v1/audio/transcriptions", files=form, timeout=60).json()

    assert told["text"] == TEXT
    assert len(told["words"]) == len(TEXT.split())


def test_a_stream_adds_up_to_the_text(server: Server, client: openai.OpenAI, jfk: Path) -> None:
    """Its pieces joined are what it tells at the end."""
    events = list(client.audio.transcriptions.create(file=jfk, model="whisper-1", stream=True, prompt="A speech."))

    *deltas, done = events
    assert done.type == "transcript.text.done"
    assert {event.type for event in deltas} == {"transcript.text.delta"}
    assert "".join(event.delta for event in deltas if event.type == "transcript.text.delta") == done.text
    assert "your country" in done.text
    assert nothing_is_left(server)


def test_a_stream_is_live_and_leaving_it_stops_the_work(server: Server, client: openai.OpenAI, long: Path) -> None:
    """Text comes while the rest is still to be heard; soon after the client left nothing computes."""
    with client.audio.transcriptions.create(file=long, model="whisper-1", stream=True) as stream:
        first = next(iter(stream))
        assert first.type == "transcript.text.delta"
        computed = computed_s(server)
    assert computed
    assert stops(server, computed)

    within(60, lambda: nothing_is_left(server), "job and files are gone")


def test_leaving_before_the_answer_stops_the_work(server: Server, long: Path) -> None:
    """The client hangs up while the server works."""
    request = httpx.Request(
        "POST",
        f"{server.address}/v1/audio/transcriptions",
        files={"file": ("long.flac", long.read_bytes())},
        data={"prompt": "Another one."},
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    with server.connect() as connection:
        connection.sendall(f"POST {request.url.path} HTTP/1.1\r\n{head}\r\n".encode() + request.read())
        within(60, lambda: server.http.get("/health/memory").json()["running"], "it runs")
        within(60, lambda: computed_s(server), "a slot is at work")
        computed = computed_s(server)
    assert stops(server, computed)

    within(60, lambda: nothing_is_left(server), "job and files are gone")


@pytest.mark.parametrize(
    ("fields", "kind", "code", "param"),
    [
        ({"model": "nobody/nowhere"}, openai.NotFoundError, "model_not_found", "model"),
        ({"model": "/etc"}, openai.NotFoundError, "model_not_found", "model"),
        ({"response_format": "diarized_json"}, openai.UnprocessableEntityError, "invalid_options", "response_format"),
        ({"temperature": 3}, openai.UnprocessableEntityError, "invalid_options", "temperature"),
        ({"include": ["logprobs"]}, openai.UnprocessableEntityError, "invalid_options", "include"),
        (
            {"chunking_strategy": {"type": "server_vad", "threshold": 0.3}},
            openai.UnprocessableEntityError,
            "invalid_options",
            "chunking_strategy",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(
    server: Server,
    client: openai.OpenAI,
    jfk: Path,
    fields: Any,
    kind: type[openai.APIStatusError],
    code: str,
    param: str,
) -> None:
    """Before there is a job, with the error that the client has for it."""
    with pytest.raises(kind) as refusal:
        client.audio.transcriptions.create(file=jfk, **{"model": "whisper-1", **fields})

    assert (refusal.value.code, refusal.value.param) == (code, param)
    assert nothing_is_left(server)


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_wrong_with_the_file_is_told(server: Server, client: openai.OpenAI, stream: Any) -> None:
    """With its own status, also where a stream was asked for."""
    with pytest.raises(openai.APIStatusError) as refusal:
        client.audio.transcriptions.create(
            file=("a.wav", b"RIFF\x24\x00\x00\x00WAVEfmt "), model="whisper-1", stream=stream
        )
    assert (refusal.value.status_code, refusal.value.code) == (422, "corrupt_media")

    with pytest.raises(openai.APIStatusError) as refusal:
        client.audio.transcriptions.create(file=("a.txt", b"no sound, but text" * 40), model="whisper-1", stream=stream)
    assert (refusal.value.status_code, refusal.value.code) == (415, "unsupported_media")
    assert nothing_is_left(server)


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_a_model_that_cannot_translate_says_so(client: openai.OpenAI, jfk: Path) -> None:
    """The route works, and the small English model is the wrong one for it."""
    with pytest.raises(openai.UnprocessableEntityError, match="does not translate"):
        client.audio.translations.create(file=jfk, model="tiny.en")


def test_models_are_those_of_this_machine(server: Server, client: openai.OpenAI) -> None:
    """With the name that OpenAI's clients know; each can be asked for, by a name with a slash too."""
    models = {model.id: model for model in client.models.list()}

    assert "whisper-1" in models
    assert all(model.object == "model" and model.created > 0 and model.owned_by for model in models.values())
    assert not any(name.startswith("/") for name in models)
    assert client.models.retrieve("whisper-1") == models["whisper-1"]
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody/nowhere")


def test_a_model_is_unloaded_on_request(server: Server, client: openai.OpenAI, jfk: Path) -> None:
    """The slots that held it are gone, and the next transcription loads it anew."""
    client.audio.transcriptions.create(file=jfk, model="whisper-1")

    first = server.http.post("/v1/models/whisper-1/unload", timeout=30).json()
    again = server.http.post("/v1/models/whisper-1/unload").json()
    unknown = server.http.post("/v1/models/nobody/nowhere/unload")

    assert (first["id"], again["unloaded"]) == ("whisper-1", 0)
    assert first["unloaded"] >= 1
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")


def test_a_wrong_key_is_refused_in_the_clients_terms(strict: Server, jfk: Path) -> None:
    """Before anything of the file is read."""
    with pytest.raises(openai.AuthenticationError) as refusal:
        client_of(strict, "another-key-than-ours").audio.transcriptions.create(file=jfk, model="whisper-1")
    assert refusal.value.code == "unauthenticated"
    assert next(iter(client_of(strict).models.list())).id == "whisper-1"


def test_what_is_too_large_is_refused(strict: Server) -> None:
    """By its announced length."""
    with pytest.raises(openai.APIStatusError) as refusal:
        client_of(strict).audio.transcriptions.create(file=("a.wav", bytes(6_000_000)), model="whisper-1")
    assert (refusal.value.status_code, refusal.value.code) == (413, "media_too_large")


def test_who_is_kept_waiting_for_too_long_is_told(strict: Server, long: Path) -> None:
    """The work is given up, and the client does not ask for it again."""
    asking = client_of(strict).with_options(max_retries=2)
    with pytest.raises(openai.InternalServerError) as refusal:
        asking.audio.transcriptions.create(file=long, model="whisper-1", prompt="One more.")

    assert (refusal.value.status_code, refusal.value.code) == (504, "sync_timeout")
    assert refusal.value.response.headers["x-should-retry"] == "false"
    within(60, lambda: is_idle(strict) and nothing_is_left(strict), "nothing of it is left")


def test_a_full_line_says_when_to_come_again(strict: Server, long: Path, jfk: Path) -> None:
    """Before anything of the file is read."""
    jobs = [strict.submit("transcribe", long, {"beam_size": 6}).json()["id"]]
    within(60, lambda: strict.job(jobs[0])["status"] == "running", "one runs")
    jobs.append(strict.submit("transcribe", long, {"beam_size": 7}).json()["id"])

    with pytest.raises(openai.InternalServerError) as refusal:
        client_of(strict).audio.transcriptions.create(file=jfk, model="whisper-1")

    assert (refusal.value.status_code, refusal.value.code) == (503, "queue_full")
    assert int(refusal.value.response.headers["retry-after"]) > 0
    for job in reversed(jobs):
        strict.http.delete(f"/v1/jobs/{job}")
    within(60, lambda: nothing_is_left(strict), "both are gone")


def test_the_schema_tells_of_the_routes(server: Server) -> None:
    """With the fields of their forms."""
    paths = server.http.get("/openapi.json").json()["paths"]
    form = paths["/v1/audio/transcriptions"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert {"file", "model", "response_format", "stream"} <= set(form["properties"])
    assert {"/v1/audio/translations", "/v1/models", "/v1/models/{model_id}", "/v1/models/{model_id}/unload"} <= set(
        paths
    )
