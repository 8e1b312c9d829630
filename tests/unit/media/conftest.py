"""Media for the tests of this folder, made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.media.synthetic import Video, write_video

#: H.264 with B-frames, four seconds.
PLAIN = Video()


@pytest.fixture(scope="session")
def media_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that keeps made media for the whole session."""
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="session")
def clip_of(media_folder: Path) -> Callable[[str, Video], Path]:
    """Make a video under a name, once in a session."""

    def make(name: str, video: Video = PLAIN) -> Path:
        path = media_folder / name
        return path if path.exists() else write_video(path, video)

    return make
