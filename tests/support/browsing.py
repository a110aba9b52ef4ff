"""A real browser: Debian's chromium without a screen, driven by Playwright."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.node import node_modules
from tests.support.patience import PATIENCE
from tests.support.services import missing

# It needs half of the processor time of the whole browser in its headless mode.
CHROMIUM = Path("/usr/bin/chromium-headless-shell")
# Only violations are described in full: a page has many more elements that break no rule. A frame
# shows a template's mail, sandboxed: no script can enter it, and the browser would log the attempt.
_RULES = """
axe.run({resultTypes: ["violations"], iframes: false})
    .then(all => all.violations.map(each => [each.id, each.nodes[0].html]))
"""


@contextmanager
def opened_chromium() -> Iterator[Browser]:
    """Run chromium; skip the test where it is not installed."""
    if not CHROMIUM.exists():
        missing("chromium is not installed: apt-get install chromium-headless-shell")
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        # Tests in a container run as root, for which the browser has no sandbox of its own.
        options = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        try:
            yield browser
        finally:
            browser.close()


def axe_violations(page: Page) -> list[object]:
    """Return the rules of accessibility that the page breaks, by axe, with one place of each."""
    page.evaluate((node_modules() / "axe-core" / "axe.min.js").read_text())
    return [(page.url, *each) for each in page.evaluate(_RULES)]


def sign_in(page: Page, *, url: str, name: str, password: str) -> None:
    """Fill in the form of the sign-in, and wait for the overview."""
    page.set_default_timeout(PATIENCE * 1000)
    page.goto(url)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").first.click()
    page.wait_for_url(f"{url}/")
