"""What every store promises about the files of watched folders."""

from __future__ import annotations

from dataclasses import replace

from tightship.errors import CorruptMedia
from tightship.store.fingerprint import TRIM_EVERY, Fingerprint, Outcome

from .conftest import Shop

DONE = Fingerprint("/in/a.mp4", "/in/a.srt", "request", "info", 10, 2**62, "content", Outcome.DONE, "result")


def test_fingerprint_is_kept_over_a_restart(shop: Shop) -> None:
    """All of it, its error too."""
    error = CorruptMedia("it is broken", at_s=1.5)
    failed = replace(DONE, source="/in/b.mp4", outcome=Outcome.FAILED, error=error)
    store = shop.open()
    for each in (DONE, failed):
        store.fingerprints.note(each)
    store.close()

    known = shop.open().fingerprints.of_places(["/in/a.srt", "/in/none.srt"], "info")

    told = {each.source: each for each in known["/in/a.srt"]}
    assert replace(told["/in/a.mp4"], noted_s=0.0) == DONE
    assert told["/in/b.mp4"].error is not None
    assert told["/in/b.mp4"].error.to_dict() == error.to_dict()
    assert (known["/in/none.srt"], shop.open().fingerprints.of_places(["/in/a.srt"], "gif")) == ([], {"/in/a.srt": []})


def test_note_replaces_what_was_known(shop: Shop) -> None:
    """One file, one place and one request have one fingerprint."""
    fingerprints = shop.open().fingerprints
    for each in (DONE, replace(DONE, size_bytes=11), replace(DONE, request="other")):
        fingerprints.note(each)

    sizes = {each.request: each.size_bytes for each in fingerprints.of_places(["/in/a.srt"], "info")["/in/a.srt"]}
    assert (sizes, len(fingerprints)) == ({"request": 11, "other": 10}, 2)


def test_same_content_is_found_wherever_it_lies(shop: Shop) -> None:
    """The newest first, for the same request only, and only what has ended."""
    fingerprints = shop.open().fingerprints
    others = (
        replace(DONE, source="/in/coming.mp4", outcome=Outcome.COMING),
        replace(DONE, source="/in/other.mp4", request="other"),
        replace(DONE, source="/in/left.mp4", outcome=Outcome.LEFT),
    )
    for each in (DONE, *others):
        fingerprints.note(each)
    shop.wait(10)
    fingerprints.note(replace(DONE, source="/in/new.mp4"))

    assert [each.source for each in fingerprints.of_content("content", "request")] == ["/in/new.mp4", "/in/a.mp4"]


def test_oldest_fingerprints_go(shop: Shop) -> None:
    """Their number is bounded, whatever the number of files."""
    fingerprints = shop.open(max_fingerprints=20).fingerprints
    for number in range(2 * TRIM_EVERY + 1):
        fingerprints.note(replace(DONE, source=f"/in/{number}.mp4"))

    left = {each.source for each in fingerprints.of_places(["/in/a.srt"], "info")["/in/a.srt"]}
    assert len(left) <= 20 + TRIM_EVERY
    assert f"/in/{2 * TRIM_EVERY}.mp4" in left
    assert "/in/0.mp4" not in left
