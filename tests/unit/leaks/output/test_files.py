"""The report for a browser, a test server and GitHub."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tightship.leaks.output.github import to_annotations
from tightship.leaks.output.html import to_html
from tightship.leaks.output.junit import to_junit

from .reports import BY_GC, FDS, HEAP, ORIGIN, RSS, report

ALL = report(HEAP, FDS, RSS, findings=(BY_GC,))
VOID = {"meta", "line", "circle"}


class Page(HTMLParser):
    """What a page holds: its tags, ids and text; fails where tags do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.tags: list[str] = []
        self.links: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [(name, value) for name, value in attrs if name in ("src", "href") and value]
        if tag not in VOID:
            self.opened.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.opened.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_page_is_whole_and_needs_nothing_else() -> None:
    """Every tag is closed, every id is unique, and nothing is loaded or run."""
    page = Page(to_html(ALL))

    assert page.opened == []
    assert len(set(page.ids)) == len(page.ids)
    assert all(link.removeprefix("#") in page.ids for _, link in page.links)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)


def test_page_draws_what_has_samples() -> None:
    """Each series has a picture with a title, or a word on why there is none."""
    page = Page(to_html(ALL))

    assert page.tags.count("svg") == 2
    assert page.tags.count("circle") == len(HEAP.points) + len(FDS.points)
    assert "too few samples" in page.text


def test_page_begins_with_what_grows() -> None:
    """The order is that in which people care."""
    page = Page(to_html(report(FDS, RSS, HEAP)))

    sections = [name for name in page.ids if name in ("fds", "rss", "native_heap")]
    assert sections == ["native_heap", "rss", "fds"]


def test_names_cannot_break_out_of_the_page() -> None:
    """Names of tests and types come from elsewhere."""
    page = Page(to_html(report(replace(HEAP, where=(replace(ORIGIN, what="<script>"),)), name="a<script>&")))

    assert "script" not in page.tags
    assert "a<script>&" in page.text


def test_junit_has_a_case_for_each_metric() -> None:
    """What grows has failed, what is undecided was skipped, the rest has passed."""
    root = ET.fromstring(to_junit(ALL))

    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("3", "1", "1")
    outcomes = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert outcomes["native_heap"][0] == "failure"
    assert outcomes["rss"][0] == "skipped"
    assert outcomes["fds"] == ["system-out"]


def test_junit_holds_the_place() -> None:
    """Whoever opens the failure finds the line."""
    failure = next(ET.fromstring(to_junit(ALL)).iter("failure"))

    assert "/home/me/app/cache.py:12" in (failure.text or "")


def test_junit_survives_any_name() -> None:
    """What XML cannot hold is replaced."""
    root = ET.fromstring(to_junit(report(FDS, name="a\x00\x1b<b>&\ud800")))

    assert next(root.iter("testsuite")).get("name") == "leaks of a\ufffd\ufffd<b>&\ufffd"


def test_annotation_names_the_line_from_the_root() -> None:
    """GitHub finds files by their paths in the repository."""
    line, *_ = to_annotations(ALL, Path("/home/me"))

    assert line.startswith("::error title=Leak,file=app/cache.py,line=12::app:work, native heap in use: grows by")


def test_annotation_of_a_file_elsewhere_keeps_its_path() -> None:
    """A library's file has no path in the repository."""
    line, *_ = to_annotations(ALL, Path("/elsewhere"))

    assert "file=/home/me/app/cache.py" in line


@pytest.mark.parametrize("index", [1, 2])
def test_what_is_no_leak_is_a_warning(index: int) -> None:
    """Undecided, or released by gc only: neither breaks a build."""
    assert list(to_annotations(ALL, Path("/")))[index].startswith("::warning ")


def test_annotation_stays_on_its_line() -> None:
    """A name with a line break cannot write a command of its own."""
    lines = list(to_annotations(report(HEAP, name="a\n::error::b%"), Path("/")))

    assert len(lines) == 1
    assert "a%0A::error::b%25" in lines[0]


def test_steady_has_no_annotations() -> None:
    """Nothing to say, nothing said."""
    assert list(to_annotations(report(FDS), Path("/"))) == []
