"""Pages that are generated are current, and links lead somewhere."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, REPOSITORY

GENERATOR = runpy.run_path(str(REPOSITORY / "scripts" / "generate_docs.py"), run_name="generate_docs")
_LINK = re.compile(r"(?<!`)!?\[[^\]]*\]\(([^)#\s]+)(#[^)\s]*)?\)")
_ATTRIBUTE = re.compile(r'(?:src|href)="([^"#]+)"')


@pytest.mark.parametrize("name", GENERATOR["PAGES"])
def test_generated_page_is_current(name: str) -> None:
    """What lies in docs/reference is what the code says today; `make docs` brings it up to date."""
    written = (REPOSITORY / "docs" / "reference" / name).read_text(encoding="utf-8")

    assert written == GENERATOR["PAGES"][name]()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_to_files_that_are_there(page: Path) -> None:
    """Every relative link of a page, pictures too, names a file of the repository."""
    text = page.read_text(encoding="utf-8")
    targets = [match[1] for pattern in (_LINK, _ATTRIBUTE) for match in pattern.finditer(text)]

    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]

    assert missing == []
