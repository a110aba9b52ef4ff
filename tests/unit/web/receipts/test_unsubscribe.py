"""One-click unsubscribe by RFC 8058, as a table of requests; and its page."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from notify.categories import OptOut, UnsubscribeTokens
from notify.message import Channel
from notify.receipt import Posted
from notify.receipts.intake import NotStored
from notify.telemetry.metrics import Metrics
from notify.templating import Templates
from notify.web import WebLimits
from notify.web.receipts import receipts_app, unsubscribe_routes
from tests.support.sealing import KEYRING

TOKENS = UnsubscribeTokens(KEYRING)
NEWSLETTER = OptOut(Channel.EMAIL, "shop", "newsletter", b"r" * 16)
TOKEN = TOKENS.write(NEWSLETTER)
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@dataclass
class Desk:
    """Reads real tokens, and keeps the opt-outs in a list."""

    error: Exception | None = None
    written: list[OptOut] = field(default_factory=list)

    def read(self, token: str) -> OptOut | None:
        """Return the opt-out of a token."""
        return TOKENS.read(token)

    def unsubscribe(self, token: str, opt_out: OptOut) -> None:
        """Keep it, or fail."""
        del token
        if self.error is not None:
            raise self.error
        self.written.append(opt_out)


class NoIntake:
    """Accepts no receipts."""

    def accept_all(
        self, provider: str, requests: Sequence[Posted], /
    ) -> Sequence[Exception | None]:
        """Fail: no test posts a receipt."""
        raise AssertionError((provider, requests))


@pytest.fixture
def desk() -> Desk:
    """A desk that works."""
    return Desk()


@pytest.fixture
def ask(desk: Desk) -> Any:
    """Return a function that makes one request."""
    return asking(desk, Templates())


def asking(desk: Desk, templates: Templates) -> Any:
    """Return a function that makes one request of an application, without a server."""
    routes = unsubscribe_routes(
        desk,
        templates=templates,
        titles={"newsletter": "Shop <news>"},
        limits=WebLimits(),
    )
    app = receipts_app(NoIntake(), metrics=Metrics(), routes=routes)

    def ask(method: str, path: str, **more: Any) -> httpx.Response:
        async def one() -> httpx.Response:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="https://n.test") as client:
                return await client.request(method, path, **more)

        return asyncio.run(one())

    return ask


FLIPPED = TOKEN[:-1] + ("A" if TOKEN[-1] != "A" else "B")


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "written"),
    [
        pytest.param("GET", f"/u/{TOKEN}", {}, 200, 0, id="a scanner follows the link"),
        pytest.param("HEAD", f"/u/{TOKEN}", {}, 200, 0, id="a scanner asks for its head"),
        pytest.param("POST", f"/u/{TOKEN}", {"data": ONE_CLICK}, 200, 1, id="one click, RFC 8058"),
        pytest.param(
            "POST", f"/u/{TOKEN}", {"files": {"List-Unsubscribe": (None, "One-Click")}}, 200, 1,
            id="one click as multipart/form-data",
        ),
        pytest.param("POST", f"/u/{TOKEN}", {}, 200, 1, id="the button of the page"),
        pytest.param(
            "POST", f"/u/{TOKEN}", {"headers": {"Cookie": "a=b"}}, 200, 1, id="cookies ignored",
        ),
        pytest.param("POST", f"/u/{FLIPPED}", {"data": ONE_CLICK}, 404, 0, id="forged"),
        pytest.param("GET", f"/u/{FLIPPED}", {}, 404, 0, id="forged, the page"),
        pytest.param("POST", "/u/x", {}, 404, 0, id="not a token"),
        pytest.param("POST", f"/u/{TOKEN}/", {}, 404, 0, id="another path, not a redirect"),
        pytest.param("PUT", f"/u/{TOKEN}", {}, 405, 0, id="another method"),
        pytest.param("DELETE", f"/u/{TOKEN}", {}, 405, 0, id="yet another method"),
    ],
)  # fmt: skip
def test_each_request(
    ask: Any, desk: Desk, method: str, path: str, more: Mapping[str, Any], status: int, written: int
) -> None:
    """GET changes nothing; POST acts without a cookie, a login, a redirect or a second step."""
    answer = ask(method, path, **more)
    assert answer.status_code == status
    assert len(desk.written) == written
    assert "set-cookie" not in answer.headers
    assert "location" not in answer.headers
    assert "www-authenticate" not in answer.headers


def test_a_repeated_post_is_answered_as_the_first(ask: Any, desk: Desk) -> None:
    """Mail clients repeat it; the recipient sees the same page."""
    first, second = (ask("POST", f"/u/{TOKEN}", data=ONE_CLICK) for _ in range(2))
    assert first.status_code == second.status_code == 200
    assert words(first) == words(second)
    assert desk.written == [NEWSLETTER, NEWSLETTER]


def test_nothing_is_confirmed_that_is_not_stored(ask: Any, desk: Desk) -> None:
    """Record and broker away: the mail client tries again later, and so may a person."""
    desk.error = NotStored("both are away")
    answer = ask("POST", f"/u/{TOKEN}", data=ONE_CLICK)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert '<form method="post">' in answer.text


def test_the_page_loads_nothing_and_runs_nothing(ask: Any) -> None:
    """No script, no foreign host, no frame; the policy permits its own style and form alone."""
    answer = ask("GET", f"/u/{TOKEN}")
    policy = answer.headers["content-security-policy"]
    found = re.search(r"style-src 'nonce-([\w-]+)'", policy)
    assert found
    assert f'<style nonce="{found[1]}">' in answer.text
    assert policy.startswith("default-src 'none'; ")
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"<script|src=|https?://|//|@import|url\(", answer.text)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert 'name="viewport"' in answer.text
    other = ask("GET", f"/u/{TOKEN}")
    assert other.headers["content-security-policy"] != policy


@pytest.mark.parametrize(
    ("header", "language", "word"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de", "Abmelden"),
        ("fr", "fr", "Se désabonner"),
        ("en;q=0.3, fr-CA;q=0.9", "fr", "Se désabonner"),
        ("ja", "en", "Unsubscribe"),
        ("", "en", "Unsubscribe"),
        ("de;q=0, en", "en", "Unsubscribe"),
        ("x" * 5000 + ",,;q=;q=x,../../etc", "en", "Unsubscribe"),
    ],
)
def test_the_page_is_in_the_readers_language(
    ask: Any, header: str, language: str, word: str
) -> None:
    """The browser names it; unknown and malformed tags are ignored."""
    answer = ask("GET", f"/u/{TOKEN}", headers={"Accept-Language": header})
    assert answer.headers["content-language"] == language
    assert f'<html lang="{language}"' in answer.text
    assert f">{word}</button>" in answer.text


def test_every_language_has_every_state(ask: Any, desk: Desk) -> None:
    """No page is empty, and each is a page of its own."""
    for language in ("en", "de", "fr"):
        spoken = {"Accept-Language": language}
        texts = {words(ask("GET", f"/u/{path}", headers=spoken)) for path in (TOKEN, FLIPPED)}
        texts.add(words(ask("POST", f"/u/{TOKEN}", headers=spoken)))
        desk.error = NotStored("away")
        texts.add(words(ask("POST", f"/u/{TOKEN}", headers=spoken)))
        desk.error = None
        assert len(texts) == 4
        assert all(len(text) > 40 for text in texts)


def test_a_category_has_its_title_escaped_and_a_removed_one_its_name(ask: Any) -> None:
    """The token of a removed category is valid: its mail is still in mailboxes."""
    assert "Shop &lt;news&gt;" in ask("GET", f"/u/{TOKEN}").text
    gone = TOKENS.write(OptOut(Channel.SMS, "crm", "old-digest", b"x" * 16))
    answer = ask("POST", f"/u/{gone}")
    assert answer.status_code == 200
    assert "old-digest" in answer.text


def test_an_unknown_token_gets_no_hint(ask: Any) -> None:
    """A forged one, one of another version and a stranger's text have the same page."""
    texts = {words(ask("GET", f"/u/{path}")) for path in (FLIPPED, "x", "%00", "a" * 4000)}
    assert len(texts) == 1


def test_operators_replace_the_page_and_add_languages(desk: Desk, tmp_path: Path) -> None:
    """As with templates, by a file of the same path in their folder."""
    for locale, text in (("en", "Ours"), ("pl", "Nasza")):
        folder = tmp_path / "_pages" / locale
        folder.mkdir(parents=True)
        (folder / "unsubscribe.html.j2").write_text(f"<p>{text} {{{{ state }}}}</p>")
    ask = asking(desk, Templates(tmp_path))
    assert ask("GET", f"/u/{TOKEN}").text == "<p>Ours asked</p>"
    assert ask("GET", f"/u/{TOKEN}", headers={"Accept-Language": "pl"}).text == "<p>Nasza asked</p>"
    assert "Abmelden" in ask("GET", f"/u/{TOKEN}", headers={"Accept-Language": "de"}).text


def test_a_broken_page_does_not_keep_an_opt_out(desk: Desk, tmp_path: Path) -> None:
    """The answer of a mail client's click has no reader."""
    folder = tmp_path / "_pages" / "en"
    folder.mkdir(parents=True)
    (folder / "unsubscribe.html.j2").write_text("{{ missing }}")
    answer = asking(desk, Templates(tmp_path))("POST", f"/u/{TOKEN}", data=ONE_CLICK)
    assert (answer.status_code, answer.text) == (200, "")
    assert desk.written == [NEWSLETTER]


def words(answer: httpx.Response) -> str:
    """Return the text of a page, without its style."""
    main = re.search(r"<main>(.*)</main>", answer.text, re.DOTALL)
    assert main, answer.text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main[1])).strip()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH"])
def test_another_method_is_refused_with_those_that_work(desk: Desk, ask: Any, method: str) -> None:
    """A client that asks with OPTIONS must not conclude that it cannot post."""
    answer = ask(method, "/u/good")
    assert answer.status_code == 405
    assert {*answer.headers["allow"].split(", ")} == {"GET", "HEAD", "POST"}
    assert desk.written == []
