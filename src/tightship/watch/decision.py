"""What is to be done with a file: first by its times, then by its content. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tightship.store.fingerprint import Fingerprint, Outcome


class Step(StrEnum):
    """What is to be done with a file."""

    #: Nothing: its result is there.
    KEEP = "keep"
    #: Nothing: it failed as it is.
    GIVEN_UP = "given up"
    #: Nothing, and nothing is told: something that is not ours has been at the place for long.
    LEAVE = "leave"
    #: Its content has to be looked at.
    LOOK = "look"
    #: Only its times have changed: remember the new ones.
    TOUCH = "touch"
    #: The same content has failed before.
    FAIL = "fail"
    #: Another file with the same content is being worked on: wait for that.
    JOIN = "join"
    #: Another file with the same content has its result: copy it, if it is still what it was.
    COPY = "copy"
    #: It has to be worked on.
    WORK = "work"


@dataclass(frozen=True)
class Question:
    """A file that something may have to be done with.

    Args:
        source, size_bytes, mtime_ns: The file as it is.
        request: Digest of the operation and options that are wanted.
        present: Whether there is something at its place.
        known: What is known of the place, and results of the same operation there.
        anew_before_s: What was noted before this does not count; 0 counts all.
    """

    source: str
    size_bytes: int
    mtime_ns: int
    request: str
    present: bool
    known: Sequence[Fingerprint]
    anew_before_s: float = 0.0

    def own(self, *outcomes: Outcome) -> list[Fingerprint]:
        """Return what counts of what is known of this very file."""
        return [
            known
            for known in self.known
            if known.source == self.source and known.outcome in outcomes and known.noted_s >= self.anew_before_s
        ]


def by_times(question: Question) -> Step:
    """Decide without reading the file: `KEEP`, `GIVEN_UP`, `LEAVE` or `LOOK`.

    A result that is up to date is kept whatever options it was made with: two watches with different ones would else
    take turns for ever.
    """
    same = [
        each
        for each in question.own(Outcome.DONE, Outcome.FAILED, Outcome.LEFT)
        if (each.size_bytes, each.mtime_ns) == (question.size_bytes, question.mtime_ns)
    ]
    if question.present and any(each.outcome is Outcome.DONE for each in same):
        return Step.KEEP
    if question.present and any(each.outcome is Outcome.LEFT for each in same):
        return Step.LEAVE
    if any(each.outcome is Outcome.FAILED and each.request == question.request for each in same):
        return Step.GIVEN_UP
    return Step.LOOK


def by_content(question: Question, digest: str, alike: Sequence[Fingerprint], at_work: Collection[str]) -> Step:
    """Decide by what is in the file: `TOUCH`, `FAIL`, `JOIN`, `COPY` or `WORK`.

    Args:
        digest: SHA-256 of its content.
        alike: What became of files with the same content, asked for the same: done or failed, the newest first.
        at_work: Digests of the contents that are being worked on.
    """
    if question.present and any(each.digest == digest for each in question.own(Outcome.DONE)):
        return Step.TOUCH
    if digest in at_work:
        return Step.JOIN
    counts = [each for each in alike if each.noted_s >= question.anew_before_s]
    if not counts:
        return Step.WORK
    return Step.FAIL if counts[0].outcome is Outcome.FAILED else Step.COPY


def ours(known: Sequence[Fingerprint]) -> frozenset[str]:
    """Return the digests of what we have put at a place, or were about to: only that may be replaced."""
    digests = (digest for each in known for digest in (each.result_digest, each.former_digest))
    return frozenset(digest for digest in digests if digest is not None)
