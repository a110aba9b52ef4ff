"""A newsletter's whole way: sent with its headers, unsubscribed by one click, then suppressed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from notify.contract import read_receipts
from notify.keyring import HASH, NAME, new_key
from notify.message import Status
from notify.receipts.unsubscribe import UNSUBSCRIBE
from notify.stack.rabbitmq import free_ports
from notify.topology import RECEIPTS
from tests.support.patience import connect
from tests.support.rig import Rig, surroundings, until

CATEGORY = """
[receipts]
public_url = "http://127.0.0.1:{port}"
port = {port}
[categories.newsletter]
title = "Shop news"
subscription = true
sender = "news@example.com"
sender_name = "Shop"
list_id = "newsletter.shop.example"
"""
GONE = "postgresql+psycopg://n:n@127.0.0.1:1/n"


@pytest.fixture
def rig(tmp_path: Path, broker_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """A worker's surroundings on SQLite, with a subscription and a keyring."""
    monkeypatch.setenv(NAME, f"k1:{new_key()} {HASH}:{new_key()}")
    (port,) = free_ports(1)
    url = f"sqlite:///{tmp_path}/notify.db"
    with surroundings(tmp_path, broker_url=broker_url, store_url=url) as rig:
        rig.config.write_text(rig.config.read_text() + CATEGORY.format(port=port))
        yield rig


@pytest.fixture
def link(rig: Rig) -> str:
    """The link in a newsletter that was sent."""
    with rig.worker():
        id_ = rig.request(category="newsletter", to="Ada@example.com")
        until(lambda: rig.status(id_) is Status.SENT)
    headers = sent_headers(rig)
    assert headers["List-Id"] == "<newsletter.shop.example>"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    found = re.fullmatch(r"<(http://127\.0\.0\.1:\d+/u/[\w-]+)>", headers["List-Unsubscribe"])
    assert found
    return found[1]


def sent_headers(rig: Rig) -> dict[str, str]:
    """Return the headers of the one email in the sandbox's inbox."""
    (message,) = rig.sandbox.inbox
    assert "news@example.com" in message.sender
    headers: dict[str, str] = message.details["headers"]
    return headers


class Web:
    """`notify web receipts` as a process."""

    def __init__(self, rig: Rig, **environ: str) -> None:
        ready = rig.folder / "web.ready"
        ready.unlink(missing_ok=True)
        self._process = rig.command("web", "receipts", "--ready-file", ready, **environ)
        until(lambda: ready.exists() or self._process.poll() is not None)
        assert self._process.poll() is None, self._process.err()

    def __enter__(self) -> Web:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        assert self._process.wait(40) == 0, self._process.err()

    @property
    def log(self) -> str:
        """Its log lines."""
        return self._process.err()


def click(link: str) -> int:
    """Post as a mail client does; return the status."""
    return httpx.post(link, data={"List-Unsubscribe": "One-Click"}, timeout=60).status_code


def test_the_message_after_the_click_is_suppressed(rig: Rig, link: str) -> None:
    """A scanner's GET changes nothing; other mail still arrives."""
    with Web(rig) as web:
        assert httpx.get(link, timeout=60).status_code == 200
        with rig.worker():
            seen = rig.request(category="newsletter")
            until(lambda: rig.status(seen) is Status.SENT)
            assert click(link) == 200
            stopped = rig.request(category="newsletter")
            code = rig.request()
            until(lambda: rig.status(stopped) is Status.SUPPRESSED)
            until(lambda: rig.status(code) is Status.SENT)
        assert str(stopped) in rig.notify("ls", "--category", "newsletter", "--json").out
        assert str(code) not in rig.notify("ls", "--category", "newsletter", "--json").out
        assert re.search(r"category +newsletter", rig.notify("show", stopped).out)
        assert '"notify.unsubscribed"' in web.log
        assert "ada" not in web.log.lower()
        assert link.rpartition("/")[2] not in web.log


def test_a_click_while_the_record_is_away_reaches_the_broker(rig: Rig, link: str) -> None:
    """It is answered only then; nothing in the message names the recipient."""
    with Web(rig, NOTIFY_STORE__URL=GONE):
        # A click that RabbitMQ confirms too late is answered with 503.
        until(lambda: click(link) == 200)
    with connect(rig.broker_url) as connection:
        message = connection.channel().basic_get(RECEIPTS, no_ack=True)
    body = bytes(message.body)
    assert read_receipts(body).provider == UNSUBSCRIBE
    assert b"ada" not in body.lower()


def test_a_click_while_both_are_away_is_not_confirmed(rig: Rig, link: str) -> None:
    """503 with Retry-After: a mail client tries again."""
    away = {"NOTIFY_STORE__URL": GONE, "NOTIFY_AMQP__URL": "pyamqp://n:n@127.0.0.1:1//"}
    with Web(rig, **away):
        answer = httpx.post(link, timeout=60)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0


def test_a_browser_shows_the_page_without_an_error(rig: Rig, link: str, chromium: Browser) -> None:
    """The policy blocks none of the page's own parts, and nothing is wider than a phone."""
    said: list[str] = []
    with Web(rig), chromium.new_context(locale="de-DE") as context:
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        for width, height in ((390, 844), (1280, 800)):
            page.set_viewport_size({"width": width, "height": height})
            page.goto(link)
            expect(page.get_by_role("button", name="Abmelden", exact=True)).to_be_visible()
            expect(page.get_by_text("Shop news").first).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert len(page.screenshot()) > 5_000
    assert said == []
