"""Which files are worked on, by their names."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from tightship.watch.choice import Choice


@pytest.mark.parametrize(
    ("choice", "name", "taken"),
    [
        (Choice(), "talk.mp4", True),
        (Choice(), "deep/er/TALK.MP3", True),
        (Choice(), "notes.txt", False),
        (Choice(), "talk", False),
        (Choice(), ".talk.mp4", False),
        (Choice(), ".git/talk.mp4", False),
        (Choice(recursive=False), "talk.mp4", True),
        (Choice(recursive=False), "deep/talk.mp4", False),
        (Choice(include=("*.bin",)), "talk.mp4", False),
        (Choice(include=("*.bin",)), "deep/data.bin", True),
        (Choice(include=("talks/*",)), "talks/2026/one.mp4", True),
        (Choice(include=("talks/*",)), "other/one.mp4", False),
        (Choice(exclude=("drafts",)), "drafts/one.mp4", False),
        (Choice(exclude=("drafts",)), "deep/drafts/er/one.mp4", False),
        (Choice(exclude=("deep/drafts",)), "drafts/one.mp4", True),
        (Choice(include=("*.mp4",), exclude=("*-raw.mp4",)), "one-raw.mp4", False),
    ],
)
def test_choice(choice: Choice, name: str, taken: bool) -> None:
    """Hidden files and folders are never taken; a pattern with a slash means the whole path."""
    assert choice.takes(PurePath(name)) is taken
