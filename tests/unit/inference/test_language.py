"""Languages and their names."""

from __future__ import annotations

import pytest

from tightship.inference.language import NAMES, code_of


def test_every_language_of_the_model_has_a_name() -> None:
    """No more and no fewer, and no two have the same."""
    tokenizer = pytest.importorskip("faster_whisper.tokenizer", reason="the extra 'transcribe' is not installed")
    assert set(NAMES) == set(tokenizer._LANGUAGE_CODES)
    assert len(set(NAMES.values())) == len(NAMES)


@pytest.mark.parametrize(
    ("text", "code"),
    [("en", "en"), (" DE ", "de"), ("English", "en"), ("haitian creole", "ht"), ("en-US", None), ("", None)],
)
def test_a_language_is_told_by_code_or_name(text: str, code: str | None) -> None:
    """In capitals or not; what is neither is none."""
    assert code_of(text) == code
