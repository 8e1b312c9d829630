"""What a result is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from tightship.errors import InvalidOptions
from tightship.watch.recipe import Recipe


@pytest.mark.parametrize(
    ("operation", "options", "name"),
    [("info", {}, "talk.de.json"), ("gif", {}, "talk.de.gif"), ("clip", {}, "talk.de.clip.mp4"),
     ("clip", {"container": "mkv"}, "talk.de.clip.mkv")],
)  # fmt: skip
def test_result_is_named_after_its_file(operation: str, options: dict[str, str], name: str) -> None:
    """What would look like a source is called by its operation, so that it is never taken for one."""
    recipe = Recipe.of(operation, options)

    assert recipe.place(Path("/in/deep/talk.de.mov"), Path("/in"), None) == Path("/in/deep", name)
    assert recipe.place(Path("/in/deep/talk.de.mov"), Path("/in"), Path("/out")) == Path("/out/deep", name)
    assert recipe.makes(name)
    assert not recipe.makes("talk.de.mov")


def test_same_request_has_the_same_digest() -> None:
    """Options count, their order does not."""
    one, other = ({"width": 320, "fps": 5}, {"fps": 5, "width": 320})

    assert Recipe.of("gif", one).request == Recipe.of("gif", other).request
    assert Recipe.of("gif", one).request != Recipe.of("gif", {"width": 320}).request


@pytest.mark.parametrize(("operation", "options"), [("paint", {}), ("gif", {"colour": 1}), ("info", {"format": "srt"})])
def test_what_cannot_be_done_is_refused_at_once(operation: str, options: dict[str, object]) -> None:
    """Before any file is looked at."""
    with pytest.raises(InvalidOptions):
        Recipe.of(operation, options)
