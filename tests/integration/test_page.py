"""The page in a real browser, on a real server with real slots."""

from __future__ import annotations

import base64
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.integration.server import running_server
from tests.media.synthetic import Video, write_video

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: the page is not tested")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no chromium, scripts/browser.sh installs it: the page is not tested"
)

#: Milliseconds that a job may take on a machine that has other things to do: the longest computes for seven seconds.
PATIENCE_MS = 120_000
api.expect.set_options(timeout=PATIENCE_MS)
PHONE = {"width": 360, "height": 740}
KEY = "a key for the tests of the page"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos to send: a short one, a long one, one that is broken off."""
    folder = tmp_path_factory.mktemp("videos")
    short = write_video(folder / "short.mp4", Video(seconds=2.0, audio="aac"))
    write_video(folder / "long.mp4", Video(width=640, height=360, seconds=12.0))
    (folder / "broken.mp4").write_bytes(short.read_bytes()[:300])
    (folder / "letter.txt").write_text("Dear reader, this is no video. " * 20, encoding="ascii")
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("home")) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    # Chromium's own sandbox does not work for root; what it is shown here is ours.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


class Visit:
    """Somebody who has the page open."""

    def __init__(self, context: Any, url: str) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.asked: set[str] = set()
        self.faults: list[str] = []
        context.on("request", lambda request: self.asked.add(request.url))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.goto(url)

    def send(self, path: Path, operation: str = "gif") -> Any:
        """Choose a file and an operation, start, and return the job's card."""
        self.page.set_input_files("#file", str(path))
        self.page.locator(f"input[name=operation][value={operation}]").check()
        self.page.get_by_role("button", name="Start", exact=True).click()
        card = self.page.locator(".job", has_text=path.name).first
        card.wait_for()
        return card


@pytest.fixture
def visit(browser: Any, server: str) -> Iterator[Visit]:
    """The page on a desktop; that its scripts do not fail is part of every test."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, accept_downloads=True)
    visit = Visit(context, server)
    yield visit
    context.close()
    assert visit.faults == []


def wait_for_status(card: Any, status: str) -> None:
    api.expect(card).to_have_attribute("data-status", status)


def test_a_dropped_video_becomes_a_gif_that_is_shown_and_downloaded(visit: Visit, folder: Path, tmp_path: Path) -> None:
    """Whoever drops a video watches the GIF grow, sees it, reads the receipt, and downloads it."""
    page = visit.page
    content = base64.b64encode((folder / "short.mp4").read_bytes()).decode()
    files = page.evaluate_handle(
        """text => {
            const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "dropped.mp4", { type: "video/mp4" }));
            return transfer;
        }""",
        content,
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": files})
    page.get_by_label("Width").fill("160")
    page.get_by_role("button", name="Start", exact=True).click()

    card = page.locator(".job", has_text="GIF of dropped.mp4")
    wait_for_status(card, "succeeded")
    image = card.locator("img")
    image.wait_for()
    page.wait_for_function("image => image.naturalWidth === 160", arg=image.element_handle())
    api.expect(card.locator(".receipt")).to_contain_text("Nothing was left behind")
    with page.expect_download() as download:
        card.get_by_role("link", name="Download").click()
    download.value.save_as(tmp_path / "got.gif")
    assert download.value.suggested_filename == "dropped.gif"
    assert (tmp_path / "got.gif").read_bytes().startswith(b"GIF89a")


def test_a_clip_plays_in_the_page(visit: Visit, folder: Path) -> None:
    """A clip comes with a player that knows its length."""
    card = visit.send(folder / "short.mp4", "clip")
    wait_for_status(card, "succeeded")
    video = card.locator("video")
    visit.page.wait_for_function("video => video.duration > 1.5", arg=video.element_handle())


def test_what_a_file_holds_is_a_table(visit: Visit, folder: Path) -> None:
    """Info shows what the file is, and its streams, without a file to download."""
    card = visit.send(folder / "short.mp4", "info")
    wait_for_status(card, "succeeded")
    api.expect(card.get_by_role("row", name="Width")).to_contain_text("320 px")
    api.expect(card.locator("summary", has_text="Stream 1: video, h264")).to_be_visible()
    api.expect(card.get_by_role("link", name="Download")).to_have_count(0)


def test_what_is_said_is_read_on_the_page(visit: Visit, data: Path, tiny_en: Path) -> None:
    """The text comes while it is written, and stays when it is done."""
    assert tiny_en.is_dir()
    visit.page.set_input_files("#file", str(data / "speech" / "jfk.flac"))
    visit.page.locator("input[name=operation][value=transcribe]").check()
    visit.page.get_by_label("Language").fill("en")
    visit.page.get_by_label("Format").select_option("srt")
    visit.page.get_by_role("button", name="Start", exact=True).click()

    card = visit.page.locator(".job", has_text="Transcript of jfk.flac").first
    wait_for_status(card, "succeeded")
    api.expect(card.locator(".live .transcript")).to_contain_text("fellow Americans")
    api.expect(card.locator(".body .transcript")).to_contain_text("ask what you can do for your country")
    with visit.page.expect_download() as download:
        card.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "jfk.srt"


def test_a_running_job_shows_its_progress_and_is_cancelled_retried_and_deleted(visit: Visit, folder: Path) -> None:
    """A long job tells how far it is; it is cancelled, tried anew, cancelled again, and deleted."""
    card = visit.send(folder / "long.mp4")
    wait_for_status(card, "running")
    api.expect(card.locator(".live")).to_contain_text(re.compile(r"\d+ %"))
    for action in ("Cancel", "Try again", "Cancel"):
        card.get_by_role("button", name=action).click()
        if action == "Cancel":
            wait_for_status(card, "cancelled")
    card.get_by_role("button", name="Delete").click()
    api.expect(visit.page.locator(".job", has_text="long.mp4")).to_have_count(0)
    assert visit.page.evaluate("document.activeElement.tagName") in ("H2", "H3")


def test_a_button_that_came_by_an_event_works_at_once(visit: Visit, folder: Path) -> None:
    """Events may outrun the answer to what was clicked before; that click takes nothing from the next one."""
    card = visit.send(folder / "long.mp4")
    wait_for_status(card, "running")
    visit.page.evaluate(
        """() => {
            const ask = window.fetch;
            const answered = new Promise((answer) => { window.answer = answer; });
            window.fetch = async (path, ...rest) => {
                const response = await ask(path, ...rest);
                if (path.endsWith("/cancel")) await answered;
                return response;
            };
        }"""
    )
    card.get_by_role("button", name="Cancel").click()
    wait_for_status(card, "cancelled")
    card.get_by_role("button", name="Try again").click()
    api.expect(card).to_have_attribute("data-status", re.compile("pending|running"))
    visit.page.evaluate("window.answer()")
    card.get_by_role("button", name="Cancel").click()
    wait_for_status(card, "cancelled")
    card.get_by_role("button", name="Delete").click()
    api.expect(visit.page.locator(".job", has_text="long.mp4")).to_have_count(0)


def test_a_broken_video_fails_with_the_reason(visit: Visit, folder: Path) -> None:
    """A file that only looks like a video ends as a failed job that says why, and can be tried again."""
    card = visit.send(folder / "broken.mp4")
    wait_for_status(card, "failed")
    api.expect(card.locator(".fault")).to_be_visible()
    assert len(card.locator(".fault").inner_text()) > 20
    api.expect(card.get_by_role("button", name="Try again")).to_be_visible()


def test_a_file_that_is_no_media_is_refused_in_the_form(visit: Visit, folder: Path) -> None:
    """A letter is refused before it becomes a job; the form stays, and says why."""
    visit.page.set_input_files("#file", str(folder / "letter.txt"))
    visit.page.get_by_role("button", name="Start", exact=True).click()
    api.expect(visit.page.get_by_role("alert").filter(has_text=re.compile(r"\w{3}"))).to_be_visible()
    api.expect(visit.page.locator(".job", has_text="letter.txt")).to_have_count(0)


def test_a_file_that_is_missing_is_asked_for_where_it_goes(visit: Visit, folder: Path) -> None:
    """On a phone the button is a screen below; the field has the focus and says it, until a file is chosen."""
    page = visit.page
    page.locator("#operations input").first.wait_for()
    page.get_by_role("button", name="Start", exact=True).click()
    api.expect(page.locator("#file-hint")).to_have_text("Choose a file first.")
    api.expect(page.locator("#announcer")).to_have_text("Choose a file first.")
    api.expect(page.locator("#file")).to_be_focused()
    page.set_input_files("#file", str(folder / "short.mp4"))
    api.expect(page.locator("#file-hint")).to_contain_text("drop or choose another")
    api.expect(page.locator("#drop[data-wrong]")).to_have_count(0)


def test_an_end_before_the_start_is_pointed_at(visit: Visit, folder: Path) -> None:
    """What does not fit is said at the option itself, which gets the focus; nothing is sent."""
    page = visit.page
    page.set_input_files("#file", str(folder / "short.mp4"))
    page.get_by_label("From").fill("3")
    page.get_by_label("To", exact=True).fill("2")
    page.get_by_role("button", name="Start", exact=True).click()
    api.expect(page.locator("#option-end_s-error")).to_have_text("The end must be after the start.")
    api.expect(page.get_by_label("To", exact=True)).to_be_focused()


@pytest.mark.parametrize(
    ("soft_bytes", "lines", "edge", "button"),
    [
        (100 * 2**20, 2, "", "Zoom in"),
        (10 * 2**40, 0, "\u2191 soft 10 TiB, hard 12 TiB", "Show the limits"),
    ],
)
def test_memory_is_drawn_so_that_it_can_be_seen_and_told_in_words(
    browser: Any, server: str, soft_bytes: int, lines: int, edge: str, button: str
) -> None:
    """Limits that are near are drawn, those that are far off are named at the edge; a button shows it the other way."""
    context = browser.new_context()

    def budgeted(route: Any) -> None:
        response = route.fetch()
        budget = {"soft_bytes": soft_bytes, "hard_bytes": int(soft_bytes * 1.2)}
        memory = response.json()
        # What is held stays the same, whatever other tests have left warm.
        held = {"slots": [], "server": {**memory["server"], "rss_bytes": 60 * 2**20}}
        route.fulfill(response=response, json={**memory, **held, "budget": budget})

    context.route("**/health/memory", budgeted)
    visit = Visit(context, server)
    page, chart = visit.page, visit.page.locator("#chart svg")
    api.expect(chart.locator("line.limit")).to_have_count(lines)
    api.expect(chart.locator(".beyond")).to_have_text([edge] if edge else [])
    api.expect(chart).to_have_attribute("aria-label", re.compile("the server itself takes"))
    api.expect(page.locator("#legend li")).to_have_count(4)
    # It stands out from the bottom, in any case where nobody has pressed anything.
    assert (
        page.locator("#chart path.server").evaluate(
            "path => path.ownerSVGElement.viewBox.baseVal.height - 24 - path.getBBox().y"
        )
        > 20
    )
    page.wait_for_function("() => document.querySelector('#chart path.server').getAttribute('d').includes('L')")
    page.get_by_role("button", name=button).click()
    api.expect(chart.locator("line.limit")).to_have_count(0 if lines else 2)
    context.unroute_all(behavior="ignoreErrors")
    context.close()
    assert visit.faults == []


def test_what_is_known_of_growth_is_a_table(visit: Visit, folder: Path) -> None:
    """Each operation that has run has its verdict in words, with the reason, and nothing is said to grow."""
    wait_for_status(visit.send(folder / "short.mp4", "info"), "succeeded")
    visit.page.get_by_text("Slots and verdicts").click()
    table = visit.page.get_by_role("table", name="Does memory grow from job to job?")
    row = table.get_by_role("row").filter(has=visit.page.get_by_role("rowheader", name="info", exact=True))
    api.expect(row).to_contain_text("not decided yet")
    api.expect(row).to_contain_text("the first look comes at 256")
    api.expect(visit.page.locator("#growth")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_operation_that_grows_is_seen_at_once(browser: Any, server: str, scheme: str) -> None:
    """A growing operation is named in the card itself, readable in both colour schemes."""
    grows = {
        "kind": "growing", "slope_bytes": 300 * 1024.0, "interval_bytes": [250_000.0, 350_000.0], "jobs": 256,
        "slots": 2, "detectable_bytes": 60_000.0, "reason": "Grows: 300 KiB a job over 256 jobs in 2 slots.",
    }  # fmt: skip
    context = browser.new_context(color_scheme=scheme)

    def leak(route: Any) -> None:
        response = route.fetch()
        route.fulfill(response=response, json={**response.json(), "verdicts": {"gif": grows}})

    context.route("**/health/memory", leak)
    visit = Visit(context, server)
    api.expect(visit.page.locator("#growth")).to_have_text("gif leaves 300 KiB more in its slot with every job.")
    visit.page.get_by_text("Slots and verdicts").click()
    told = visit.page.locator("[data-verdict=growing] .verdict")
    api.expect(told).to_have_text("grows with every job")
    colours = told.evaluate(
        "node => [getComputedStyle(node).color, getComputedStyle(node.closest('.card')).backgroundColor]"
    )
    assert contrast(*colours) >= 4.5
    context.unroute_all(behavior="ignoreErrors")
    context.close()
    assert visit.faults == []


def contrast(ink: str, ground: str) -> float:
    """Return how two `rgb(...)` colours stand out from each other, after WCAG 2: 4.5 is enough for text."""

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    darker, lighter = sorted((luminance(ink), luminance(ground)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_page_goes_on_after_the_server_was_away(browser: Any, folder: Path, tmp_path: Path) -> None:
    """While the server is restarted the page says so; then the job that was running ends before one's eyes."""
    context = browser.new_context()
    with running_server(tmp_path / "home") as url:
        visit = Visit(context, url)
        card = visit.send(folder / "long.mp4")
        wait_for_status(card, "running")
    api.expect(visit.page.locator("#connection")).to_contain_text("No connection")
    with running_server(tmp_path / "home", port=urlsplit(url).port or 0):
        api.expect(visit.page.locator("#connection")).to_contain_text("Connected")
        wait_for_status(card, "succeeded")
    context.close()
    assert visit.faults == []


def test_a_phone_needs_no_scrolling_sideways(browser: Any, server: str, folder: Path) -> None:
    """At 360 px nothing is wider than the screen, with every option and a result unfolded."""
    context = browser.new_context(viewport=PHONE, has_touch=True)
    visit = Visit(context, server)
    card = visit.send(folder / "short.mp4")
    wait_for_status(card, "succeeded")
    card.locator("img").wait_for()
    visit.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    context.close()
    assert visit.faults == []


def test_the_keyboard_alone_is_enough(visit: Visit, folder: Path) -> None:
    """From the first Tab to a job's deletion no mouse is needed, and the focus is always to be seen."""
    page = visit.page
    page.locator("#operations input").first.wait_for()
    press_until(page, "Tab", "file")
    # The chooser that a key opens from here is the browser's own, and no part of the page.
    page.set_input_files("#file:focus", str(folder / "short.mp4"))
    press_until(page, "Tab", "gif")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    press_until(page, "Tab", "start")
    page.keyboard.press("Enter")
    card = page.locator(".job", has_text="Info of short.mp4").first
    card.wait_for()
    api.expect(card.locator("h3")).to_be_focused()
    wait_for_status(card, "succeeded")
    press_until(page, "Tab", "Delete Info of short.mp4")
    identity = card.get_attribute("data-id")
    page.keyboard.press("Enter")
    api.expect(page.locator(f".job[data-id='{identity}']")).to_have_count(0)


def press_until(page: Any, key: str, wanted: str) -> None:
    """Press a key until the focus is on the element of that id, value or text; it must be outlined all the way."""
    for _ in range(40):
        page.keyboard.press(key)
        names, outlined = page.evaluate(
            """() => {
                const node = document.activeElement;
                const shown = [node, node.parentElement, node.nextElementSibling].filter(Boolean);
                const names = [node.id, node.value, node.textContent];
                return [names, shown.some((one) => getComputedStyle(one).outlineStyle !== "none")];
            }"""
        )
        assert outlined, f"the focus is not to be seen on {names}"
        if wanted in names:
            return
    pytest.fail(f"the focus never came to {wanted!r}")


def test_a_key_is_asked_for_once(browser: Any, tmp_path: Path) -> None:
    """A server with keys asks for one; a wrong one is refused in words, the right one opens the page for good."""
    context = browser.new_context()
    with running_server(tmp_path / "home", KEY) as url:
        visit = Visit(context, url)
        field = visit.page.get_by_label("API key")
        field.fill("a key that nobody knows")
        visit.page.keyboard.press("Enter")
        api.expect(visit.page.get_by_text("This key is not known here.")).to_be_visible()
        field.fill(KEY)
        visit.page.keyboard.press("Enter")
        api.expect(visit.page.locator("#connection")).to_contain_text("Connected")
        visit.page.reload()
        api.expect(visit.page.locator("#connection")).to_contain_text("Connected")
        api.expect(field).to_be_hidden()
        context.close()
    assert visit.faults == []


def test_no_request_leaves_the_machine(visit: Visit, server: str, folder: Path) -> None:
    """Whatever the page asks for, it asks its own server."""
    card = visit.send(folder / "short.mp4")
    wait_for_status(card, "succeeded")
    card.locator("img").wait_for()
    assert len(visit.asked) > 5
    assert {urlsplit(url).netloc for url in visit.asked if not url.startswith("blob:")} == {urlsplit(server).netloc}


def test_names_from_outside_are_never_markup(visit: Visit, folder: Path, tmp_path: Path) -> None:
    """A file whose name is markup shows that name, and nothing of it comes to life."""
    name = "<img src=x onerror=document.title='owned'>.mp4"
    shutil.copy(folder / "short.mp4", tmp_path / name)
    card = visit.send(tmp_path / name, "info")
    wait_for_status(card, "succeeded")
    api.expect(card.locator("h3")).to_contain_text(name)
    assert visit.page.title() == "tightship"
