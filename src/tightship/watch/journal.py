"""Put results in place and remember what became of each file, in an order that any death may interrupt."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from tightship.errors import TightshipError
from tightship.store.fingerprint import Fingerprint, Fingerprints, Outcome
from tightship.store.record import JobRecord
from tightship.watch.decision import ours
from tightship.watch.delivery import deliver
from tightship.watch.ending import Ending, Tally, Tell, Told
from tightship.watch.recipe import Recipe
from tightship.watch.sighting import Sighting
from tightship.watch.submission import PASSING

#: Faults that are told once each; a folder that cannot be written would else be told of with every scan.
MOST_FAULTS = 1000


class Journal:
    """What became of files, told and remembered.

    Args:
        output_dir: Where results go; None for beside their files.
        tell: Told how it went with each file.
    """

    def __init__(self, fingerprints: Fingerprints, recipe: Recipe, output_dir: Path | None, tell: Tell) -> None:
        self.tally = Tally()
        self.output_dir = output_dir
        self._fingerprints = fingerprints
        self._recipe = recipe
        self._tell = tell
        self._faults: set[tuple[Path, str]] = set()

    def place_of(self, file: Sighting) -> Path:
        """Return where a file's result goes."""
        return self._recipe.place(file.source, file.root, self.output_dir)

    def known_of(self, files: Sequence[Sighting]) -> list[list[Fingerprint]]:
        """Return for each file what is known of its place, and of results of the same operation there."""
        places = [key(self.place_of(file)) for file in files]
        known = self._fingerprints.of_places(places, self._recipe.operation)
        return [known[place] for place in places]

    def alike(self, digest: str) -> list[Fingerprint]:
        """Return what became of files with the same content, the newest first."""
        return self._fingerprints.of_content(digest, self._recipe.request)

    def put(self, file: Sighting, digest: str, content: BinaryIO, result_digest: str) -> None:
        """Write a result to its place, and say so before and after: whoever is killed in between knows it for ours.

        Args:
            digest: SHA-256 of the file's content.
            content, result_digest: The result, and its SHA-256.

        Raises:
            NotOurs, ValueError, DiskFull, OutputUnwritable: See `deliver`.
        """
        known = self._known(file)
        noted = replace(self._noted(file, digest, Outcome.COMING), result_digest=result_digest)
        self._fingerprints.note(replace(noted, former_digest=_former(file, known)))
        deliver(content, result_digest, self.place_of(file), ours(known))
        self._fingerprints.note(replace(noted, outcome=Outcome.DONE))

    def touched(self, file: Sighting, known: Fingerprint) -> None:
        """Remember that only the times of a file have changed."""
        self._fingerprints.note(replace(known, size_bytes=file.size_bytes, mtime_ns=file.mtime_ns))

    def done(self, file: Sighting, job: JobRecord | None) -> None:
        """Tell that a result is there: of a job, or a copy."""
        self._say(file, Told.COPIED if job is None else Told.DONE, None, job)

    def left(self, file: Sighting) -> None:
        """Remember and tell that something else is at a file's place.

        With more files than are remembered it may well be ours, and to remember it would cost what is known of another:
        each look through everything would tell of other files, without end.
        """
        if self._fingerprints.full and not any(each.source == key(file.source) for each in self._known(file)):
            return
        self._fingerprints.note(self._noted(file, None, Outcome.LEFT))
        self._say(file, Told.LEFT)

    def failed(self, file: Sighting, digest: str | None, error: TightshipError, job: JobRecord | None = None) -> None:
        """Tell that a file has no result, and remember it where it is the file's fault."""
        if isinstance(error, PASSING):
            if (file.source, error.code) in self._faults:
                return
            if len(self._faults) >= MOST_FAULTS:
                self._faults.clear()
            self._faults.add((file.source, error.code))
        else:
            noted = replace(self._noted(file, digest, Outcome.FAILED), former_digest=_former(file, self._known(file)))
            self._fingerprints.note(replace(noted, error=error))
        self._say(file, Told.FAILED, error, job)

    def growing(self, file: Sighting) -> None:
        """Tell that a file was not waited for any longer."""
        self._say(file, Told.GROWING)

    def _known(self, file: Sighting) -> list[Fingerprint]:
        return self.known_of([file])[0]

    def _noted(self, file: Sighting, digest: str | None, outcome: Outcome) -> Fingerprint:
        names = (key(file.source), key(self.place_of(file)), self._recipe.request, self._recipe.operation)
        return Fingerprint(*names, file.size_bytes, file.mtime_ns, digest, outcome)

    def _say(
        self, file: Sighting, told: Told, error: TightshipError | None = None, job: JobRecord | None = None
    ) -> None:
        self.tally.told[told] += 1
        self._tell(Ending(file.source, self.place_of(file), told, error, None if job is None else job.receipt))


def key(path: Path) -> str:
    """Return a path as the database can keep it: any name, also one that is no text."""
    return str(path).encode(errors="surrogateescape").decode(errors="backslashreplace")


def may_exist(name: str) -> bool:
    """Whether a file may be there still, given its `key`; of a name that was no text, nobody can say."""
    try:
        Path(name).lstat()
    except FileNotFoundError:
        return "\\x" in name
    except OSError:
        return True
    return True


def is_same(file: Sighting) -> bool:
    """Whether a file is still there as it was seen."""
    with suppress(OSError):
        found = file.source.stat()
        return (found.st_size, found.st_mtime_ns) == (file.size_bytes, file.mtime_ns)
    return False


def _former(file: Sighting, known: Sequence[Fingerprint]) -> str | None:
    """Return the digest of what this file has had at its place so far."""
    own = [each for each in known if each.source == key(file.source)]
    return next((each.result_digest or each.former_digest for each in own if ours([each])), None)
