"""What the system tells of changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tightship.watch.news import News, follow


def test_paths_are_taken_once() -> None:
    """Only those of interest, and each once however often it changed."""
    news = News(lambda path: path.suffix == ".mp4")
    for name in ("a.mp4", "a.mp4", "b.txt"):
        news.add(Path(name))

    assert news.take() == ({Path("a.mp4")}, False)
    assert news.take() == (set(), False)


def test_more_than_can_be_remembered_is_told() -> None:
    """Then everything is looked through."""
    news = News(lambda _path: True, limit=2)
    for number in range(5):
        news.add(Path(str(number)))

    paths, lost = news.take()

    assert (len(paths), lost) == (2, True)
    assert news.take() == (set(), False)


def test_system_tells_of_new_files(tmp_path: Path, eventually: Callable[..., None]) -> None:
    """In new folders too; when the block has ended nobody listens any more."""
    news = News(lambda path: True)
    faults: list[str] = []
    seen: set[Path] = set()
    with follow(news, (tmp_path,), True, faults.append):

        def told() -> bool:
            (tmp_path / "deep").mkdir(exist_ok=True)
            (tmp_path / "deep" / "talk.mp4").touch()
            seen.update(news.take()[0])
            return tmp_path / "deep" / "talk.mp4" in seen

        eventually(told, "the system tells")
    assert faults == []


def test_refusal_is_told(tmp_path: Path, eventually: Callable[..., None]) -> None:
    """A folder that is not there, a limit of the system: the watch goes on without news."""
    faults: list[str] = []

    with follow(News(lambda _path: True), (tmp_path / "none",), True, faults.append):
        eventually(lambda: faults, "the refusal is told")
