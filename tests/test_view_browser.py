"""The viewer in Chromium: it tells how far a run is, and shows its report as it grows."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="needs Playwright: pip install playwright")

from playwright.sync_api import Browser, Page, expect

from linguabridge.errors import InputError
from linguabridge.progress import PROGRESS, Reporter, recorded
from linguabridge.report.shell import Watched
from linguabridge.report.viewer import serve

PATIENCE = 30_000  # milliseconds: the machine may be busy
WORDS = "Reading neurons: Hebrew, 40 %, about 50 s left"


@dataclass
class Watching:
    """A browser that looks at a run, and what went wrong in it."""

    folder: Path
    page: Page
    address: str
    troubles: list[str] = field(default_factory=list)

    def result(self, text: str) -> None:
        new = self.folder / "new"
        new.write_text(text, "utf-8")
        new.replace(self.folder / "result.txt")

    def progress(self, **changes: object) -> None:
        body = json.loads((self.folder / PROGRESS).read_text("utf-8"))
        (self.folder / PROGRESS).write_text(json.dumps(body | changes), "utf-8")


ESCAPE = """<script>
const attempts = [
  () => parent.document.title,
  () => localStorage.length,
  () => { top.location.href = "about:blank"; },
];
const outcomes = attempts.map((attempt) => { try { attempt(); return "done"; } catch { return "refused"; } });
document.body.dataset.outcomes = outcomes.join(" ");
</script>"""


def report_of(text: str) -> str:
    """A page that is longer than a window."""
    return f"""<!doctype html><html lang="en"><title>Report</title><h1>Report</h1><p id="text">{text}</p>
<label>Filter <input id="filter"></label><div style="height: 5000px"></div><p>The end</p>"""


@pytest.fixture
def watching(browser: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Watching]:
    """A run that reads neurons, and a browser that watches it."""
    folder = tmp_path / "run ‹a›"
    folder.mkdir()
    file = folder / "result.txt"

    def build() -> str | None:
        if not file.exists():
            return None
        text = file.read_text("utf-8")
        if text == "damaged":
            raise InputError("result.txt is damaged; mend it.")
        return text if text.startswith("<!doctype") else report_of(text)

    with recorded(Reporter(), folder) as reporter:
        reporter.begin()
    context = browser.new_context(viewport={"width": 1000, "height": 700})
    context.set_default_timeout(PATIENCE)
    with serve(build, [Watched(folder.name, folder, (file,))]) as address:
        one = Watching(folder, context.new_page(), address)
        one.progress(state="running", step="Reading neurons: Hebrew", done=0.4, seconds_left=50.0)
        one.page.on("console", lambda said: one.troubles.append(f"{said.type}: {said.text}"))
        one.page.on("pageerror", lambda error: one.troubles.append(f"error: {error}"))
        context.on(
            "request", lambda asked: None if asked.url.startswith(address) else one.troubles.append(f"to {asked.url}")
        )
        one.page.goto(address)
        yield one
        context.close()


def wait_for_place(page: Page, y: int) -> None:
    """Until the report is scrolled this far."""
    end = time.monotonic() + PATIENCE / 1000
    while abs((place := page.frames[1].evaluate("scrollY")) - y) > 2:
        assert time.monotonic() < end, place
        page.wait_for_timeout(50)


def test_a_run_is_followed_from_its_beginning_to_its_report(watching: Watching) -> None:
    page = watching.page
    expect(page.get_by_role("heading", name="run ‹a›")).to_be_visible()
    expect(page.get_by_text(WORDS)).to_be_visible(timeout=PATIENCE)
    bar = page.get_by_role("progressbar", name="Reading neurons: Hebrew")
    expect(bar).to_have_js_property("value", 0.4)
    expect(page.get_by_text("The report appears here as soon as there are results.")).to_be_visible(timeout=PATIENCE)
    watching.progress(step="Reading neurons: Arabic", done=0.9, seconds_left=7)
    expect(page.get_by_text("Reading neurons: Arabic, 90 %, about 7 s left")).to_be_visible(timeout=PATIENCE)
    watching.result("The first results")
    report = page.frame_locator("iframe")
    expect(report.get_by_text("The first results")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("The report appears here")).to_have_count(0)
    watching.result("More results")
    expect(report.get_by_text("More results")).to_be_visible(timeout=PATIENCE)
    watching.progress(state="stopped")
    expect(page.locator("#runs")).to_contain_text("Stopped at: Reading neurons: Arabic, 90 %", timeout=PATIENCE)
    expect(page.locator("#said")).to_contain_text("Stopped at")
    watching.progress(state="finished")
    expect(page.get_by_role("heading", name=re.compile("finished"))).to_be_visible(timeout=PATIENCE)
    expect(bar).to_be_hidden()
    assert watching.troubles == []


def test_new_results_leave_the_reader_where_he_was(watching: Watching) -> None:
    page = watching.page
    watching.result("one")
    report = page.frame_locator("iframe")
    expect(report.get_by_text("one")).to_be_visible(timeout=PATIENCE)
    page.mouse.move(500, 400)
    page.mouse.wheel(0, 2000)
    wait_for_place(page, 2000)
    watching.result("two")
    expect(report.locator("#text")).to_have_text("two", timeout=PATIENCE)
    wait_for_place(page, 2000)
    assert watching.troubles == []


def test_new_results_wait_for_who_works_in_the_report(watching: Watching) -> None:
    page = watching.page
    watching.result("one")
    report = page.frame_locator("iframe")
    report.get_by_label("Filter").fill("my words")
    watching.result("two")
    button = page.get_by_role("button", name="Show new results")
    expect(button).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#said")).to_have_text("There are new results.")
    expect(report.locator("#text")).to_have_text("one")
    expect(report.get_by_label("Filter")).to_have_value("my words")
    button.click()
    expect(report.locator("#text")).to_have_text("two", timeout=PATIENCE)
    expect(button).to_be_hidden()
    assert watching.troubles == []


def test_a_page_with_a_policy_is_followed_too(watching: Watching) -> None:
    for package in ("altair", "jinja2", "vl_convert"):
        pytest.importorskip(package, reason="needs the extra report")
    from linguabridge.report.page import page as page_of
    from linguabridge.report.section import Section

    def text(words: str) -> str:
        section = Section("a", "Title", (words,), (), None, ("A note.",) * 200, (), "linguabridge evaluate ar:he")
        return page_of([section], title="Title")

    page = watching.page
    watching.result(text("The first results."))
    report = page.frame_locator("iframe")
    expect(report.get_by_text("The first results.")).to_be_visible(timeout=PATIENCE)
    page.mouse.move(500, 400)
    page.mouse.wheel(0, 1000)
    wait_for_place(page, 1000)
    watching.result(text("The next results."))
    expect(report.get_by_text("The next results.")).to_have_count(1, timeout=PATIENCE)
    wait_for_place(page, 1000)
    assert watching.troubles == []


def test_the_report_cannot_leave_its_frame(watching: Watching) -> None:
    watching.result(ESCAPE)
    body = watching.page.frame_locator("iframe").locator("body")
    expect(body).to_have_attribute("data-outcomes", "refused refused refused", timeout=PATIENCE)
    assert watching.page.url == watching.address


def test_a_damaged_file_is_told_and_mended(watching: Watching) -> None:
    page = watching.page
    watching.result("damaged")
    expect(page.get_by_text("result.txt is damaged; mend it.")).to_be_visible(timeout=PATIENCE)
    watching.result("well again")
    expect(page.frame_locator("iframe").get_by_text("well again")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#error")).to_be_hidden()
    assert watching.troubles == []


def test_a_viewer_that_ended_is_told(browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    with serve(lambda: report_of("kept"), [Watched("run", None, ())]) as address:
        page.goto(address)
        expect(page.frame_locator("iframe").get_by_text("kept")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("The viewer has ended, and this page stays as it is.")).to_be_visible(timeout=PATIENCE)
    expect(page.frame_locator("iframe").get_by_text("kept")).to_be_visible()
    with serve(lambda: report_of("kept"), [Watched("run", None, ())], port=int(address.rstrip("/").split(":")[-1])):
        expect(page.locator("#lost")).to_be_hidden(timeout=PATIENCE)
    context.close()
