"""Which files of a folder are worked on, by their names alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePath

#: Endings of the names of sound and video, in the formats that are opened (`media/formats.py`). GIFs are left out: they
#: are results more often than sources.
MEDIA_SUFFIXES = frozenset({
    ".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg",
    ".vob", ".flv", ".ogv", ".wmv", ".asf", ".wav", ".w64", ".mp3", ".m4a", ".m4b", ".mka", ".flac", ".ogg", ".oga",
    ".opus", ".spx", ".aac", ".aif", ".aiff", ".aifc", ".caf", ".amr", ".wma",
})  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """Which files are worked on.

    A pattern with a slash is held against the path below the watched folder, any other against the name alone; `*`
    stands for anything, slashes too.

    Args:
        recursive: Look into folders, too.
        include: Patterns of the files that are wanted; none stands for names that end like sound or video.
        exclude: Patterns of files and folders that are not.
    """

    recursive: bool = True
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def takes(self, below: PurePath) -> bool:
        """Whether the file at this path below the watched folder is worked on."""
        if any(not self.enters(folder) for folder in below.parents if folder.parts):
            return False
        if _is_hidden(below) or _matches(below, self.exclude):
            return False
        return _matches(below, self.include) if self.include else below.suffix.lower() in MEDIA_SUFFIXES

    def enters(self, below: PurePath) -> bool:
        """Whether the folder at this path below the watched folder is looked into."""
        return self.recursive and not _is_hidden(below) and not _matches(below, self.exclude)


def _is_hidden(path: PurePath) -> bool:
    return path.name.startswith(".")


def _matches(path: PurePath, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path.as_posix() if "/" in pattern else path.name, pattern) for pattern in patterns)
