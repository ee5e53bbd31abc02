"""Make a picture of a report: ``python scripts/screenshot.py report.html docs/report.png [--figure NAME] [--dark]``.

Needs Playwright (in the extra ``dev``) and Chromium, which LINGUABRIDGE_CHROMIUM names or PATH holds.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

# No sandbox: in containers, where this mostly runs, it cannot be set up. The page is one that we made.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium() -> str | None:
    """Find the browser: the one that LINGUABRIDGE_CHROMIUM names, else the first that PATH holds."""
    named = os.environ.get("LINGUABRIDGE_CHROMIUM")
    return named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def main() -> None:
    """Draw the page with all its plots, and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--dark", action="store_true", help="dark colours")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, help="of the part from the top; the whole page by default")
    parser.add_argument("--figure", help="only the figure whose anchor ends so: matrix")
    given = parser.parse_args()
    browser_file = find_chromium()
    if browser_file is None:
        parser.error("no Chromium found: install it, or name it in LINGUABRIDGE_CHROMIUM")
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_file, args=ARGUMENTS)
        page = browser.new_page(
            viewport={"width": given.width, "height": given.height or 900},
            color_scheme="dark" if given.dark else "light",
            device_scale_factor=2 if given.height else 1,
        )
        page.goto(given.report.resolve().as_uri())
        expect(page.locator("figure:not([data-drawn=true], [data-failed])")).to_have_count(0, timeout=60_000)
        if given.figure:
            page.locator(f'figure[id$="{given.figure}"]').screenshot(path=given.picture)
        else:
            page.screenshot(path=given.picture, full_page=given.height is None)
        browser.close()


if __name__ == "__main__":
    main()
