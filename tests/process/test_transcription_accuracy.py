"""What is written down, and when it was said, beside faster-whisper on the same sound."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import numpy as np
import pytest
from benchmarks.likeness import Spoken, apart_s, is_continuous, near, pairs, word_error_rate
from benchmarks.transcribe import measure

from tests.media.sounds import samples_of, write_wav

#: Per cent by which the word error rate may be above faster-whisper's.
WORSE = 0.5
#: Seconds by which a word at a cut may lie apart from where faster-whisper hears it.
APART_S = 0.3
#: Megabytes that the working process may take.
PEAK_MB = 350
#: Three speakers. Behind the second one's last pause the model believes that all has been said; it has to be told.
FILES = ("sonnet_1.mp3", "jfk.flac", "sonnet_2.mp3")


@pytest.mark.usefixtures("tiny_en")
def test_words_and_times_are_those_of_faster_whisper(data: Path, tmp_path: Path) -> None:
    """Cutting a stream into windows costs no words, and moves none."""
    speech = data / "speech"
    sound = np.concatenate([samples_of(speech / name) for name in FILES])
    truth = "\n".join((speech / name).with_suffix(".txt").read_text(encoding="utf-8") for name in FILES)
    path = write_wav(tmp_path / "speech.wav", sound, 16_000)

    theirs, ours = measure("timed", path), measure("tightship", path)

    words = [Spoken(*each) for each in ours["words"]]
    paired = pairs([Spoken(*each) for each in theirs["words"]], words)
    at_cuts = near(paired, ours["cuts"])
    assert word_error_rate(truth, ours["text"]) <= word_error_rate(truth, theirs["text"]) + WORSE
    assert is_continuous(words)
    assert len(ours["cuts"]) >= 4
    assert len(at_cuts) >= 20
    assert max(map(apart_s, at_cuts)) <= APART_S
    assert median(abs(one.start - other.start) for one, other in paired) <= 0.05
    assert ours["peak_mb"] <= PEAK_MB
