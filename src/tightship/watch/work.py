"""One file at a time: decide what it needs, have it done, see to its end."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tightship.errors import (
    Cancelled,
    ConversionFailed,
    IdempotencyConflict,
    JobNotFound,
    OutputUnwritable,
    QueueFull,
    SeatLost,
    StoreBusy,
    TightshipError,
)
from tightship.pool.content import Content
from tightship.service import Service
from tightship.store.fingerprint import Fingerprint, Outcome
from tightship.store.record import JobRecord
from tightship.store.states import Status
from tightship.watch.decision import Question, Step, by_content, by_times, ours
from tightship.watch.delivery import NotOurs, digest_at, prepare
from tightship.watch.journal import Journal, is_same, key, may_exist
from tightship.watch.recipe import Recipe
from tightship.watch.sighting import Sighting
from tightship.watch.submission import Submission

#: Files that may wait for the result of another with the same content; more are found again by the next scan.
MOST_JOINED = 100
#: Why a job cannot be submitted now, but can be soon.
NOT_NOW = (QueueFull, IdempotencyConflict, SeatLost, StoreBusy)


@dataclass
class Engaged:
    """A content that is being worked on, and the files that wait for its result."""

    job_id: str
    digest: str
    files: list[Sighting] = field(default_factory=list)


class Work:
    """Files that are worked on, at most `seats` contents at a time.

    Args:
        service: Where the work is done.
        submission: The door to it.
        journal: Where results and what is known of files go.
    """

    def __init__(self, recipe: Recipe, service: Service, submission: Submission, journal: Journal) -> None:
        store = service.store.config
        #: What runs, and as much again that is looked at meanwhile; the rest of the line is for others.
        self.seats = max(1, min(store.max_pending, 2 * store.max_running))
        #: Whether a file was passed over that has to be found again.
        self.missed = False
        self.engaged: dict[str, Engaged] = {}
        self._recipe = recipe
        self._service = service
        self._submission = submission
        self._journal = journal
        self._turned_away = False
        self._started_s = service.store.fingerprints.now_s()

    @property
    def full(self) -> bool:
        """Whether nothing can be begun before something has ended."""
        return len(self.engaged) >= self.seats

    def sift(self, files: Sequence[Sighting]) -> list[Sighting]:
        """Return the files whose content has to be looked at; only their times are looked at here."""
        known = self._journal.known_of(files) if files else []
        return [file for file, each in zip(files, known, strict=True) if self._is_new(file, each)]

    def take(self, file: Sighting) -> None:
        """Have a file done, or find that there is nothing to do.

        Raises:
            QueueFull, IdempotencyConflict, SeatLost, StoreBusy: Not now; it is to be taken again.
            Changed: It is not as it was seen.
            Cancelled: The watch is to stop.
        """
        try:
            present = self._present(file)
            # In this order: what another watch has put there since was noted before.
            (known,) = self._journal.known_of([file])
            if self._is_free(file, present, known):
                if self._turned_away:  # else each look at the line would cost the reading of a file
                    self._submission.check_line()
                    self._turned_away = False
                prepare(self._journal.place_of(file), self._journal.output_dir)
                self._act(file, self._submission.digest_of(file), self._question(file, known))
        except NOT_NOW:
            self._turned_away = True
            raise
        except Cancelled:
            raise
        except NotOurs:
            self._journal.left(file)
        except TightshipError as error:
            self._journal.failed(file, None, error)

    def collect(self) -> bool:
        """Put the results in place whose jobs have ended; return whether there were any."""
        ended = False
        for digest, engaged in list(self.engaged.items()):
            try:
                job = self._service.store.get(engaged.job_id)
            except JobNotFound:  # somebody has removed it
                job = None
            if job is None or job.status.final:
                del self.engaged[digest]
                ended = True
                self._end(engaged, job)
        return ended

    def wait(self, timeout_s: float) -> None:
        """Wait until the job that was begun first has ended, no longer than that."""
        first = next(iter(self.engaged.values()))
        with suppress(JobNotFound):
            self._service.dispatcher.wait(first.job_id, timeout_s)

    # --- one file --------------------------------------------------------------------------------

    def _question(self, file: Sighting, known: Sequence[Fingerprint]) -> Question:
        present = os.path.lexists(self._journal.place_of(file))
        stamps = (key(file.source), file.size_bytes, file.mtime_ns)
        return Question(*stamps, self._recipe.request, present, known, self._submission.anew_before_s)

    def _is_new(self, file: Sighting, known: Sequence[Fingerprint]) -> bool:
        step = by_times(self._question(file, known))
        # What failed in this run was counted as it was told.
        before = any(each.noted_s < self._started_s for each in known if each.outcome is Outcome.FAILED)
        self._journal.tally.given_up += step is Step.GIVEN_UP and before
        return step is Step.LOOK

    def _present(self, file: Sighting) -> str | None:
        """Return the digest of what is at a file's place; None when there is nothing."""
        place = self._journal.place_of(file)
        try:
            return digest_at(place)
        except OSError as fault:
            raise OutputUnwritable(f"{str(place)!r} cannot be read: {fault.strerror}") from None

    def _is_free(self, file: Sighting, present: str | None, known: Sequence[Fingerprint]) -> bool:
        """Whether a result may be put at the place: nothing is there, or something of ours and of this file."""
        place = self._journal.place_of(file)
        if any(place in map(self._journal.place_of, engaged.files) for engaged in self.engaged.values()):
            self.missed = True
            return False
        others = {each.source for each in known if each.source != key(file.source) and each.outcome is Outcome.DONE}
        if present is None or (present in ours(known) and not any(map(may_exist, others))):
            return True
        self._journal.left(file)
        return False

    def _act(self, file: Sighting, digest: str, question: Question) -> None:
        alike = self._journal.alike(digest)
        match by_content(question, digest, alike, self.engaged.keys()):
            case Step.TOUCH:
                done = (each for each in question.own(Outcome.DONE) if each.digest == digest)
                self._journal.touched(file, next(done))
            case Step.FAIL:
                self._fail_again(file, digest, question, alike)
            case Step.JOIN if len(self.engaged[digest].files) < MOST_JOINED:
                self.engaged[digest].files.append(file)
            case Step.JOIN:
                self.missed = True
            case Step.COPY if self._copied(file, digest, alike):
                self._journal.done(file, None)
            case _:
                if self._submission.anew_before_s:
                    self._service.runner.forget(self._recipe.operation, self._recipe.options, Content(digest))
                job = self._submission.submit(file, digest)
                self.engaged[digest] = Engaged(job.id, digest, [file])
                self._service.dispatcher.ring()

    def _fail_again(self, file: Sighting, digest: str, question: Question, alike: Sequence[Fingerprint]) -> None:
        own = next((each for each in question.own(Outcome.FAILED) if each.digest == digest), None)
        if own is not None:
            self._journal.touched(file, own)
            return
        failed = next(each for each in alike if each.outcome is Outcome.FAILED)
        self._journal.failed(file, digest, failed.error or ConversionFailed("the same content has failed before"))

    def _copied(self, file: Sighting, digest: str, alike: Sequence[Fingerprint]) -> bool:
        """Copy the result of a file with the same content, if there is one that nobody has changed."""
        for each in alike:
            counts = each.outcome is Outcome.DONE and each.noted_s >= self._submission.anew_before_s
            donor = Path(each.place)
            with suppress(OSError, ValueError):
                if counts and each.result_digest is not None and digest_at(donor) == each.result_digest:
                    with donor.open("rb") as content:
                        self._journal.put(file, digest, content, each.result_digest)
                    return True
        return False

    # --- its end ---------------------------------------------------------------------------------

    def _end(self, engaged: Engaged, job: JobRecord | None) -> None:
        delivered = 0
        for file in engaged.files:
            if job is None or not is_same(file):
                self.missed = True  # what it is by now, under whatever name, is found again
            elif job.status is not Status.SUCCEEDED:
                self._journal.failed(file, engaged.digest, job.error or ConversionFailed("the job failed"), job)
            elif self._delivered(file, engaged.digest, job):
                self._journal.done(file, None if delivered else job)
                delivered += 1

    def _delivered(self, file: Sighting, digest: str, job: JobRecord) -> bool:
        try:
            content, result_digest = self._submission.open_result(job)
            with content:
                self._journal.put(file, digest, content, result_digest)
            return True
        except NotOurs:
            self._journal.left(file)
        except FileNotFoundError:  # its time ran out just now
            self.missed = True
        except ValueError:
            self._journal.failed(file, digest, ConversionFailed("the result was damaged in the home folder"), job)
        except TightshipError as error:
            self._journal.failed(file, digest, error, job)
        return False
