"""What `tightship transcribe` does with a list of files, before any of them is opened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tightship.cli.transcription import _complain_of, _Piece, _pieces
from tightship.errors import Cancelled, InvalidOptions, TightshipError, UnsupportedMedia


def pieces(*files: Path, folder: Path | None = None, form: str = "srt", force: bool = False) -> list[_Piece]:
    """Return what there is to do."""
    return list(_pieces(files, folder, form, force))


def touched(path: Path, at_s: float) -> Path:
    """Make a file of a certain age."""
    path.write_text("")
    os.utime(path, (at_s, at_s))
    return path


def test_one_file_goes_to_stdout(tmp_path: Path) -> None:
    """Nobody has to name a place for it."""
    assert pieces(tmp_path / "a.mp3") == [_Piece(tmp_path / "a.mp3", None)]


def test_several_files_need_a_folder(tmp_path: Path) -> None:
    """Their texts would run into each other."""
    with pytest.raises(InvalidOptions, match="--output-dir"):
        pieces(tmp_path / "a.mp3", tmp_path / "b.mp3")


@pytest.mark.parametrize(("form", "name"), [("text", "a.b.txt"), ("srt", "a.b.srt"), ("verbose_json", "a.b.json")])
def test_a_transcript_has_the_name_of_its_file(tmp_path: Path, form: str, name: str) -> None:
    """With the ending of the format, in a folder that is made."""
    folder = tmp_path / "new" / "texts"

    assert pieces(tmp_path / "a.b.mp3", folder=folder, form=form)[0].output == folder / name
    assert folder.is_dir()


@pytest.mark.parametrize(
    ("source_s", "output_s", "force", "skipped"),
    [(100, 200, False, True), (100, 100, False, True), (200, 100, False, False), (100, 200, True, False)],
)
def test_what_is_newer_than_its_file_is_done(
    tmp_path: Path, source_s: float, output_s: float, force: bool, skipped: bool
) -> None:
    """Unless it is to be done again."""
    source = touched(tmp_path / "a.mp3", source_s)
    touched(tmp_path / "a.srt", output_s)

    assert pieces(source, folder=tmp_path, force=force)[0].skipped is skipped


def test_files_of_one_name_are_not_mixed_up(tmp_path: Path) -> None:
    """One transcript would replace the other."""
    with pytest.raises(InvalidOptions, match=r"would both become"):
        pieces(tmp_path / "one" / "a.mp3", tmp_path / "two" / "a.wav", folder=tmp_path)


def test_a_file_is_not_replaced_by_its_transcript(tmp_path: Path) -> None:
    """Whatever its ending says."""
    source = touched(tmp_path / "a.srt", 100)

    with pytest.raises(InvalidOptions, match="replaced by its transcript"):
        pieces(source, folder=tmp_path, force=True)


def test_a_short_name_is_not_mistaken_for_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    """A message that has the same letters somewhere has not named the file."""
    _complain_of(_Piece(Path("a"), None), UnsupportedMedia("it is plain text"))

    assert capsys.readouterr().err == "tightship transcribe: a: it is plain text\n"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (InvalidOptions("There is no sound track 5."), "talks/a.mp3: There is no sound track 5."),
        (UnsupportedMedia("'talks/a.mp3' is a folder"), "'talks/a.mp3' is a folder"),
        (Cancelled("the job was cancelled"), "the job was cancelled"),
    ],
)
def test_an_error_names_its_file_once(error: TightshipError, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of many files it has to be clear which one; who stopped all of them wants none named."""
    _complain_of(_Piece(Path("talks/a.mp3"), None), error)

    assert capsys.readouterr().err == f"tightship transcribe: {told}\n"
