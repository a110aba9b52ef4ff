"""The console's frame in a real browser: keys, refresh, themes, times, and accessibility."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, StorageState, expect

from notify.people import Role
from notify.settings import Settings
from notify.web.server import listening
from tests.support import planting
from tests.support.browsing import axe_violations, sign_in
from tests.support.console import PASSWORD, ConsoleRig

# No broker answers there: pages show that, and work.
SETTINGS = Settings.model_validate({"amqp": {"url": "pyamqp://guest:guest@127.0.0.1:1//"}})
PAGES = ("/", "/events", "/audit", "/workers", "/doctor", "/ledger", "/nowhere")
LIVE = "#live time"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a console with two dead letters."""
    with closing(listening("127.0.0.1", 0, table="console")) as listener:
        port = listener.getsockname()[1]
        folder = tmp_path_factory.mktemp("console")
        with ConsoleRig(folder, SETTINGS, port=port) as rig:
            for _ in range(2):
                planting.bury(rig.store, source="shop", reason="too often")
            with rig.served(listener):
                yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def session(chromium: Browser, url: str) -> StorageState:
    """The cookies of an administrator who has signed in: one sign-in for all tests."""
    with chromium.new_context() as context:
        sign_in(context.new_page(), url=url, name=f"{Role.ADMIN}-1", password=PASSWORD)
        return context.storage_state()


@contextmanager
def _blank(chromium: Browser, **options: Any) -> Iterator[Page]:
    """Open an empty page, in which no script may fail."""
    with chromium.new_context(**options) as context:
        page = context.new_page()
        mistakes: list[str] = []
        page.on("pageerror", lambda error: mistakes.append(str(error)))
        yield page
        assert mistakes == []


def _violations(page: Page, url: str, paths: tuple[str, ...]) -> list[object]:
    found: list[object] = []
    for path in paths:
        page.goto(url + path)
        found += axe_violations(page)
    return found


def test_the_pages_break_no_rule_of_accessibility(
    chromium: Browser, url: str, session: StorageState
) -> None:
    """In light and dark, with the dialog of keys, on the sign-in, a confirmation and a result."""
    with _blank(chromium, storage_state=session, color_scheme="light") as page:
        page.goto(url)
        page.keyboard.press("?")
        expect(page.locator("#keys")).to_be_visible()
        assert axe_violations(page) == []
        assert _violations(page, url, PAGES) == []
        page.goto(f"{url}/dead-letters")
        page.get_by_label("All waiting letters").check()
        page.get_by_role("button", name="Discard").click()
        expect(page.get_by_role("heading", name="Discard 2")).to_be_visible()
        assert axe_violations(page) == []
    with _blank(chromium, color_scheme="dark") as page:
        page.goto(url)
        assert axe_violations(page) == []
        sign_in(page, url=url, name="viewer-1", password=PASSWORD)
        assert axe_violations(page) == []
        assert _violations(page, url, ("/audit", "/dead-letters")) == []


def test_the_page_refreshes_unless_the_user_is_busy(
    chromium: Browser, url: str, session: StorageState
) -> None:
    """It pauses in another window, while a dialog is open, and while rows are selected."""
    with _blank(chromium, storage_state=session) as page:
        page.goto(f"{url}/?refresh=1")
        expect(page.locator("#refresh")).to_have_value("1")
        first = page.locator(LIVE).first.get_attribute("datetime")
        expect(page.locator(LIVE).first).not_to_have_attribute("datetime", first or "")

        page.keyboard.press("?")
        expect(page.locator("#refreshing")).to_have_text("paused: a dialog is open")
        # A refresh that began before may still change the page.
        begun: list[str] = []
        page.on("request", lambda request: begun.append(request.url))
        page.wait_for_timeout(1500)
        assert begun == []
        shown = page.locator(LIVE).first.get_attribute("datetime")
        page.keyboard.press("Escape")
        expect(page.locator(LIVE).first).not_to_have_attribute("datetime", shown or "")

        page.evaluate("document.hasFocus = () => false")
        expect(page.locator("#refreshing")).to_have_text("paused: the window is not in front")

        page.goto(f"{url}/dead-letters?refresh=1")
        page.locator("main tbody input[type=checkbox]").first.check()
        expect(page.locator("#refreshing")).to_have_text("paused: rows are selected")


def _away(route: Route) -> None:
    """Answer a refresh as a console whose record is away does."""
    if "hx-request" in route.request.headers:
        route.fulfill(status=503, body="<p>no</p>")
    else:
        route.continue_()


def test_a_refresh_that_fails_leaves_the_page_as_it_is(
    chromium: Browser, url: str, session: StorageState
) -> None:
    """It says so, and goes on once the console answers; a session that ended leads to the form."""
    with _blank(chromium, storage_state=session) as page:
        page.goto(f"{url}/audit?refresh=1")
        shown = page.locator("#live tbody tr").count()
        assert shown
        page.route("**/audit*", _away)
        expect(page.locator("#refreshing")).to_contain_text("not refreshed")
        assert page.locator("#live tbody tr").count() == shown
        page.unroute("**/audit*")
        expect(page.locator("#refreshing")).to_have_text("")
        page.context.clear_cookies()
        page.wait_for_url("**/sign-in?next=**")


def test_the_refresh_that_was_chosen_stays(
    chromium: Browser, url: str, session: StorageState
) -> None:
    """In the address, and on the next page."""
    with _blank(chromium, storage_state=session) as page:
        page.goto(url)
        page.locator("#refresh").select_option("15")
        expect(page).to_have_url(f"{url}/?refresh=15")
        page.get_by_role("link", name="Audit").click()
        expect(page.locator("#refresh")).to_have_value("15")
        page.go_back()
        expect(page.locator("#refresh")).to_have_value("15")


def test_keys_do_what_the_dialog_says(chromium: Browser, url: str, session: StorageState) -> None:
    """`/ ? r j k x t`, and none of them while the user types."""
    with _blank(chromium, storage_state=session) as page:
        page.goto(f"{url}/dead-letters?refresh=off")
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("k")
        boxes = page.locator("main tbody input[type=checkbox]")
        page.keyboard.press("x")
        expect(boxes.nth(0)).to_be_checked()
        expect(boxes.nth(1)).not_to_be_checked()
        page.keyboard.press("t")
        expect(page.locator("html")).to_have_attribute("data-theme", "light")
        page.keyboard.press("t")
        page.reload()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")

        page.goto(f"{url}/audit?refresh=off")
        page.keyboard.press("/")
        search = page.locator("input[type=search]").first
        expect(search).to_be_focused()
        page.keyboard.type("r?t")
        expect(search).to_have_value("r?t")
        expect(page.locator("#keys")).not_to_be_visible()
        with page.expect_response(lambda answer: "/audit" in answer.url):
            page.keyboard.press("Escape")
            page.keyboard.press("r")


def test_a_time_is_local_on_hover_and_an_id_is_copied(
    chromium: Browser, url: str, session: StorageState
) -> None:
    """The text is UTC."""
    rights = ["clipboard-write", "clipboard-read"]
    options = {"timezone_id": "Asia/Tokyo", "permissions": rights}
    with _blank(chromium, storage_state=session, **options) as page:
        page.goto(f"{url}/audit?refresh=off")
        time = page.locator(LIVE).first
        assert time.get_attribute("title") is None
        time.hover()
        assert "GMT+9" in (time.get_attribute("title") or "")
        page.goto(f"{url}/dead-letters/1")
        copied = page.locator("[data-copy]").first
        copied.click()
        text = page.evaluate("navigator.clipboard.readText()")
        assert text == copied.get_attribute("data-copy")


def test_the_keyboard_alone_reaches_everything(
    chromium: Browser, url: str, session: StorageState
) -> None:
    """The first tab skips the menu; focus is visible."""
    with _blank(chromium, storage_state=session) as page:
        page.goto(url)
        page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the content")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()


def test_pages_work_without_scripts(chromium: Browser, url: str) -> None:
    """The refresh is the browser's own, and is set by a button."""
    with _blank(chromium, java_script_enabled=False) as page:
        sign_in(page, url=url, name=f"{Role.ADMIN}-1", password=PASSWORD)
        page.locator("#refresh").select_option("2")
        page.get_by_role("button", name="Set").click()
        expect(page).to_have_url(f"{url}/?refresh=2")
        first = page.locator(LIVE).first.get_attribute("datetime")
        expect(page.locator(LIVE).first).not_to_have_attribute("datetime", first or "")


def test_a_phone_shows_all_without_scrolling_aside(
    chromium: Browser, url: str, session: StorageState
) -> None:
    """Tables become lists, and the menu folds."""
    with _blank(chromium, storage_state=session, viewport={"width": 360, "height": 740}) as page:
        for path in PAGES:
            page.goto(url + path)
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(wide) == 0, path
        expect(page.get_by_role("link", name="Audit")).not_to_be_visible()
        page.get_by_role("checkbox", name="Pages").check()
        page.get_by_role("link", name="Audit").click()
        expect(page.get_by_role("heading", name="Audit")).to_be_visible()
