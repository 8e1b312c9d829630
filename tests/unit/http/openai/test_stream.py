"""A stream on a real store, with a job that the test itself works on."""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from tests.contract.jobs import BROKEN, BUDGET_BYTES, OK
from tightship.errors import Cancelled, CorruptMedia, QueueFull, StoreBusy, TightshipError
from tightship.http.config import HttpConfig
from tightship.http.fault import SyncTimeout
from tightship.http.key import KeyRing
from tightship.http.measure import Meters
from tightship.http.openai import stream
from tightship.http.openai.answer import WholeAnswer
from tightship.http.openai.errand import Errand
from tightship.http.openai.stream import StreamedAnswer
from tightship.http.state import AppState
from tightship.service import Service
from tightship.store.config import StoreConfig
from tightship.store.record import Claim, JobRecord
from tightship.store.request import Request
from tightship.store.store import Store

WORDS = [f" wörd {number}." for number in range(8)]
TEXT = "".join(WORDS).strip()
LONG_S = 60.0


class Seen(Store):
    """A store that counts how often somebody looks at a job."""

    looks = 0

    def get(self, job_id: str) -> JobRecord:
        """Count and look."""
        self.looks += 1
        return super().get(job_id)


class Scene:
    """A store with one attended job, its worker, and its client."""

    def __init__(self, home: Path, **http: Any) -> None:
        self.home = home
        self.store = Seen.open(home, StoreConfig(max_events=5, backoff_base_s=0))
        self.job = self.store.submit(Request("transcribe", {"format": "text"}, 0, attended=True), None, 100)
        self.claim = self._claimed()
        self.cancelled: list[str] = []
        service = SimpleNamespace(
            store=self.store,
            dispatcher=SimpleNamespace(cancel=self.cancelled.append),
            runner=SimpleNamespace(suffix=lambda *_: ".txt"),
            config=SimpleNamespace(drain_s=1.0),
        )
        config = HttpConfig(watch_every_s=0.01, **http)
        self.state = AppState(cast("Service", service), config, KeyRing(()), Meters())
        self.sent: list[Message] = []
        self.is_gone = anyio.Event()
        self.is_over = False

    def _claimed(self) -> Claim:
        claim = self.store.claim("one", BUDGET_BYTES)
        assert claim is not None
        return claim

    def tell(self, *numbers: int) -> None:
        """Have the worker bring segments."""
        for number in numbers:
            self.store.append_partial(self.claim, {"segment": {"id": number, "text": WORDS[number]}})

    def be_read(self) -> None:
        """Have the client read something first, however busy the machine is."""
        give_up_at_s = time.monotonic() + LONG_S
        while not self.sent and time.monotonic() < give_up_at_s:
            time.sleep(0.01)

    def finish(self, text: str = TEXT, *, complete: bool = True) -> None:
        """Have the worker bring the result."""
        path = self.home / "result"
        path.write_text(text + "\n", encoding="utf-8")
        with self.store.blobs.put_file(path) as blob:
            self.store.finish(self.claim, {"duration_s": 2.5, "complete": complete}, OK, result_blob=blob)

    def fail(self, error: TightshipError) -> None:
        """Have the worker fail."""
        self.store.fail(self.claim, error, BROKEN)

    async def receive(self) -> Message:
        """Be the client, who only goes."""
        await self.is_gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take an answer in."""
        self.sent.append(message)

    def play(self, *acts: Callable[[], object], whole: bool = False) -> None:
        """Answer, with each act beginning when all of the one before has been told to the client."""

        async def respond() -> None:
            answer = WholeAnswer(self.state, self.job, "text") if whole else StreamedAnswer(self.state, self.job)
            await answer({"type": "http", "asgi": {}}, self.receive, self.send)
            self.is_over = True

        async def run() -> None:
            self.is_gone = anyio.Event()
            async with anyio.create_task_group() as group:
                group.start_soon(respond)
                for act in acts:
                    await anyio.to_thread.run_sync(act)
                    # The next look finds all of it; the one after that begins when it has been told.
                    enough = self.store.looks + 2
                    with anyio.fail_after(LONG_S):
                        while self.store.looks < enough and not self.is_over:
                            await anyio.sleep(0.005)

        try:
            anyio.run(run)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    def body(self) -> str:
        """Return what the client has read."""
        return b"".join(message.get("body", b"") for message in self.sent).decode()

    def events(self) -> list[dict[str, Any]]:
        """Return the events that the client has read."""
        return [json.loads(line[6:]) for line in self.body().splitlines() if line.startswith("data: ")]

    def deltas(self) -> list[str]:
        """Return the pieces of text that the client has read."""
        return [event["delta"] for event in self.events() if event.get("type") == "transcript.text.delta"]

    def nothing_is_left(self) -> bool:
        """Tell whether neither job nor file is there."""
        return self.store.newest() == [] and list(self.store.blobs.digests()) == []


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A scene with usual settings."""
    made = Scene(tmp_path)
    yield made
    made.store.close()


def test_text_is_told_as_it_comes(scene: Scene) -> None:
    """Piece by piece; in the end all of it, as the pieces joined are, and nothing is left."""
    scene.play(lambda: scene.tell(0, 1), lambda: scene.tell(2), lambda: scene.tell(3, 4, 5, 6, 7), scene.finish)

    assert scene.deltas()[0] == "wörd 0."
    assert scene.deltas()[1:3] == [" wörd 1.", " wörd 2."]
    assert "".join(scene.deltas()) == TEXT
    assert scene.events()[-1] == {
        "type": "transcript.text.done", "text": TEXT, "usage": {"type": "duration", "seconds": 3},
    }  # fmt: skip
    assert scene.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert (b"content-type", b"text/event-stream; charset=utf-8") in scene.sent[0]["headers"]
    assert scene.nothing_is_left()


@pytest.mark.parametrize("piece_bytes", [1, 3, 10_000])
def test_events_that_were_lost_lose_no_text(scene: Scene, monkeypatch: pytest.MonkeyPatch, piece_bytes: int) -> None:
    """Of a burst the store keeps the last five events: the rest of the text comes from the result, in any pieces."""
    monkeypatch.setattr(stream, "PIECE_BYTES", piece_bytes)

    scene.play(lambda: scene.tell(0), lambda: scene.tell(*range(1, 8)), scene.finish)

    assert scene.deltas()[0] == "wörd 0."
    assert "".join(scene.deltas()) == TEXT == scene.events()[-1]["text"]


def test_an_attempt_anew_tells_nothing_twice(scene: Scene) -> None:
    """What was told before the worker died is told again by its successor, but not sent again."""

    def die() -> None:
        scene.store.hand_back(scene.claim)
        scene.claim = scene._claimed()

    scene.play(lambda: scene.tell(0, 1), die, lambda: scene.tell(0, 1, 2), scene.finish)

    assert scene.deltas()[:3] == ["wörd 0.", " wörd 1.", " wörd 2."]
    assert "".join(scene.deltas()) == TEXT


@pytest.mark.parametrize("text", ["Another text, as long as the first or longer, it does not matter at all.", "short"])
def test_another_text_than_the_one_sent_is_an_error(scene: Scene, text: str) -> None:
    """A client must not be left with half of the one and half of the other."""
    scene.play(lambda: scene.tell(0, 1), lambda: scene.finish(text))

    assert scene.events()[-1]["error"]["code"] == "stream_broken"
    assert scene.nothing_is_left()


def test_a_fault_before_the_first_word_has_its_status(scene: Scene) -> None:
    """And is no stream; the attempts have been made, so the client is not to come again."""
    scene.play(lambda: scene.fail(CorruptMedia("broken")))

    assert scene.sent[0]["status"] == 422
    assert json.loads(scene.body())["error"]["code"] == "corrupt_media"
    assert (b"x-should-retry", b"false") in scene.sent[0]["headers"]
    assert scene.nothing_is_left()


def test_a_fault_in_the_middle_is_an_event(scene: Scene) -> None:
    """In OpenAI's form, and the last one."""
    scene.play(lambda: scene.tell(0), lambda: scene.fail(CorruptMedia("broken")))

    assert scene.events()[-1] == {
        "error": {"message": "broken", "type": "invalid_request_error", "param": None, "code": "corrupt_media"}
    }
    assert scene.sent[-1]["more_body"] is False


@pytest.mark.parametrize("whole", [True, False])
def test_a_text_that_ends_early_is_no_answer(scene: Scene, whole: bool) -> None:
    """No format of OpenAI's could say so."""
    scene.play(lambda: scene.finish(complete=False), whole=whole)

    assert scene.sent[0]["status"] == 504
    assert json.loads(scene.body())["error"]["code"] == "deadline_exceeded"
    assert scene.nothing_is_left()


def test_an_empty_text_is_a_stream_too(scene: Scene) -> None:
    """Nobody spoke."""
    scene.play(lambda: scene.finish(""))

    assert [event["type"] for event in scene.events()] == ["transcript.text.done"]
    assert scene.events()[0]["text"] == ""


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("case", ["gone", "late", "stopping", "removed"])
def test_whoever_does_not_wait_has_the_work_stopped(tmp_path: Path, whole: bool, case: str) -> None:
    """The client left, waited too long, or the server stops: the worker is told, and the job goes."""
    scene = Scene(tmp_path, sync_timeout_s=0.05 if case == "late" else 60)
    act: Callable[[], object] = {
        "gone": lambda: anyio.from_thread.run_sync(scene.is_gone.set),
        "late": lambda: None,
        "stopping": scene.state.draining.set,
        "removed": lambda: (scene.store.delete(scene.job.id), scene.store.hand_back(scene.claim)),
    }[case]
    fault = {"gone": ClientDisconnect, "late": SyncTimeout, "stopping": QueueFull, "removed": Cancelled}[case]

    with pytest.raises(fault):
        scene.play(act, whole=whole)

    assert scene.cancelled == [scene.job.id]
    if case != "removed":
        assert scene.store.get(scene.job.id).cancel_requested
        scene.store.hand_back(scene.claim)
    assert scene.nothing_is_left()
    scene.store.close()


def test_a_long_silence_is_kept_alive(tmp_path: Path) -> None:
    """By a comment, which the client passes over; proxies close what is silent."""
    scene = Scene(tmp_path, heartbeat_s=0.02)

    scene.play(scene.be_read, scene.finish)

    assert scene.body().startswith(": still here\n\n")
    assert scene.events()[-1]["type"] == "transcript.text.done"
    scene.store.close()


def test_the_whole_answer_is_the_file(scene: Scene) -> None:
    """With its length and type; it is removed before it is sent, and readable all the same."""
    scene.play(scene.finish, whole=True)

    assert scene.body() == TEXT + "\n"
    headers = dict(scene.sent[0]["headers"])
    assert headers[b"content-type"] == b"text/plain; charset=utf-8"
    assert int(headers[b"content-length"]) == len(TEXT.encode()) + 1
    assert scene.nothing_is_left()


def test_a_client_that_waits_long_keeps_the_job(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so from time to time, or a sweep would take the job for abandoned."""
    told: list[str] = []
    monkeypatch.setattr(scene.store, "attend", told.append)
    monkeypatch.setattr(
        "tightship.http.openai.errand.time", SimpleNamespace(monotonic=iter(range(0, 10**6, 20)).__next__)
    )

    scene.play(lambda: None, scene.finish, whole=True)

    assert set(told) == {scene.job.id}


@pytest.mark.parametrize("whole", [True, False])
def test_what_cannot_be_written_down_at_the_moment_costs_no_answer(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    """That somebody still waits can be said later; what is not removed now, a sweep removes."""

    def busy(_job_id: str) -> None:
        raise StoreBusy("others write")

    def out_of_files(_job_id: str) -> None:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(scene.store, "attend", busy)
    monkeypatch.setattr(scene.store, "delete", out_of_files)
    monkeypatch.setattr(
        "tightship.http.openai.errand.time", SimpleNamespace(monotonic=iter(range(0, 10**6, 20)).__next__)
    )

    scene.play(lambda: None, scene.finish, whole=whole)

    assert TEXT in (scene.body() if whole else scene.events()[-1]["text"])
    assert scene.cancelled == [scene.job.id]


def test_work_that_gets_on_is_not_given_up_after_a_gap(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """No piece can be told any more, but each that comes has the client's patience begin anew."""
    begun: list[Errand] = []
    got_on = Errand.got_on
    monkeypatch.setattr(Errand, "got_on", lambda errand: (begun.append(errand), got_on(errand)))

    scene.play(lambda: scene.tell(0), lambda: scene.tell(2, 3), scene.finish)

    assert scene.deltas()[0] == "wörd 0."
    assert scene.events()[-1]["text"] == TEXT
    assert len(begun) == len(["at the start", 0, 2, 3])
