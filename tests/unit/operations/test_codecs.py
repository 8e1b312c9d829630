"""What FFmpeg can do, asked as a slot asks it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import av
import pytest

from tightship.errors import ExtraMissing
from tightship.operations import codecs
from tightship.testing import FakeAttempt


def test_codecs_are_plain_json_and_true(tmp_path: Path) -> None:
    """What is said to be there can be opened, and what is not cannot."""
    with FakeAttempt(None, tmp_path) as attempt:
        found = codecs.run(attempt, {})

    assert json.loads(json.dumps(found)) == found
    assert found["pyav"] == av.__version__
    for name, there in found["encoders"].items():
        assert there == (name in av.codecs_available and _encodes(name))


def test_av1_counts_only_when_it_is_decoded_in_software(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg lists a decoder of its own for AV1 that only drives a GPU."""
    opened = av.Codec

    def without_dav1d(name: str, mode: str) -> av.Codec:
        return opened("no such codec" if name == "libdav1d" else name, mode)

    monkeypatch.setattr(av, "Codec", without_dav1d)

    with FakeAttempt(None, tmp_path) as attempt:
        assert codecs.run(attempt, {})["decoders"]["av1"] is False


def test_absent_library_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyAV the error holds the command that installs it."""
    monkeypatch.setitem(sys.modules, "tightship.media.codecs", None)

    with FakeAttempt(None, tmp_path) as attempt, pytest.raises(ExtraMissing, match="pip install"):
        codecs.run(attempt, {})


def _encodes(name: str) -> bool:
    return av.Codec(name, "w").is_encoder
