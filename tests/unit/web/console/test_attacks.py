"""Attacks on the console: each is refused, and leaves no session and no act."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from notify.errors import ConfigError
from notify.people import Role, Sessions, remove_account
from notify.settings import ConsoleSettings, ProxySettings, Settings
from notify.store import Actor
from notify.web.console.attempts import (
    MOST_FAILURES,
    MOST_OF_ADDRESS,
    PERIOD,
    SignInLimit,
    client_address,
)
from notify.web.console.origins import Origins
from notify.web.console.pages_out import own_path
from notify.web.console.params import FormMistake, Params
from notify.web.console.process import refuse_exposure
from tests.support.console import ORIGIN, PASSWORD, QUICK, Browser, ConsoleRig
from tests.support.tables import each_of

PUBLIC = "https://console.example.com"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleRig]:
    with ConsoleRig(tmp_path_factory.mktemp("console")) as rig:
        yield rig


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[ConsoleRig]:
    """A console whose failed sign-ins no other test shares."""
    # Of a clock that stands: on a busy machine, failures would be forgiven between attempts.
    with ConsoleRig(tmp_path, monotonic=lambda: 1000.0) as rig:
        yield rig


def _https(tmp_path: Path, **options: object) -> ConsoleRig:
    console = ConsoleSettings.model_validate({"public_url": PUBLIC} | options)
    return ConsoleRig(tmp_path, Settings(console=console))


@pytest.mark.parametrize("path", ["/sign-in", "/", "/nowhere", "/static/nothing.css"])
def test_no_page_can_be_framed_or_stored(rig: ConsoleRig, path: str) -> None:
    """Clickjacking needs a frame; a shared computer's cache would keep what an operator saw."""
    answer = rig.browser(Role.VIEWER).get(path)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    if not path.startswith("/static/"):
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-frame-options"] == "DENY"


def test_pages_have_nothing_inline(rig: ConsoleRig) -> None:
    """The policy would block it; a style or a handler that is written would simply be lost."""
    browser = rig.browser(Role.ADMIN)
    pages = [rig.browser().get("/sign-in")]
    pages += [browser.get(path) for path in ("/", "/events", "/audit", "/doctor", "/nowhere")]
    for page in pages:
        assert " style=" not in page.text
        assert "<style" not in page.text
        assert " onclick=" not in page.text
        assert "<script>" not in page.text
        assert "javascript:" not in page.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN},
        {"Sec-Fetch-Site": "", "Origin": ORIGIN},
    ],
)
def test_another_site_signs_no_user_in_or_out(rig: ConsoleRig, headers: dict[str, str]) -> None:
    """Also a sign-in with the attacker's own account."""
    browser = rig.browser(Role.VIEWER)
    assert browser.request("POST", "/sign-out", headers=headers).status_code == 403
    assert browser.get("/").status_code == 200
    form = {"name": "viewer-1", "password": PASSWORD}
    answer = rig.browser().request("POST", "/sign-in", headers=headers, data=form)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("origin", "accepted"),
    [
        (ORIGIN, True),
        ("http://localhost:8490", True),
        (None, False),
        ("null", False),
        ("http://127.0.0.1:8491", False),
        ("http://127.0.0.1:8490.evil.example", False),
        ("https://127.0.0.1:8490", False),
    ],
)
def test_without_sec_fetch_site_the_configured_origin_decides(
    origin: str | None, *, accepted: bool
) -> None:
    """An old browser over plain HTTP sends an Origin; a program sends neither."""
    origins = Origins.of(ConsoleSettings(), port=8490)
    headers = {} if origin is None else {"origin": origin}
    assert origins.may_change("POST", headers) is accepted
    assert origins.may_change("DELETE", headers) is accepted
    assert origins.may_change("GET", {"sec-fetch-site": "cross-site"})


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8490", 200),
        ("LOCALHOST:8490", 200),
        ("evil.example", 421),
        ("evil.example:8490", 421),
        ("127.0.0.1", 421),
        ("127.0.0.1:8490@evil.example", 421),
        ("", 421),
    ],
)
def test_another_host_is_refused(rig: ConsoleRig, host: str, status: int) -> None:
    """A DNS name that an attacker points to this machine would be the same site for a browser."""
    assert rig.browser().get("/sign-in", headers={"Host": host}).status_code == status


def test_no_answer_repeats_the_host(tmp_path: Path) -> None:
    """Links are paths: a poisoned Host, or what a proxy adds, changes none."""
    with _https(tmp_path) as rig:
        headers = {
            "Host": "console.example.com",
            "X-Forwarded-Host": "evil.example",
            "X-Forwarded-Proto": "http",
            "Forwarded": "host=evil.example",
        }
        answer = rig.browser().get("/audit", headers=headers)
        assert answer.headers["location"] == "/sign-in?next=/audit"
        page = rig.browser().get("/sign-in?next=/audit", headers=headers)
        assert "evil" not in page.text + str(page.headers)


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "\\\\evil.example",
        "/ /evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "javascript:alert(1)",
        "/sign-in",
        "/sign-out",
        "",
        "evil",
        "/" + "a" * 3000,
    ],
)
def test_a_sign_in_leads_to_pages_of_the_console_only(rig: ConsoleRig, to: str) -> None:
    """Any other address becomes the first page."""
    assert own_path(to) == "/"
    answer = rig.browser().sign_in("viewer-1", next=to)
    assert answer.headers["location"] == "/"


def test_a_sign_in_leads_back_to_the_page_with_its_query(rig: ConsoleRig) -> None:
    """All state is in the address."""
    browser = rig.browser()
    begun = browser.get("/audit?actor=ann&since=7d")
    assert begun.headers["location"] == "/sign-in?next=/audit%3Factor%3Dann%26since%3D7d"
    form = browser.get(begun.headers["location"])
    assert 'value="/audit?actor=ann&amp;since=7d"' in form.text
    answer = browser.sign_in("viewer-1", next="/audit?actor=ann&since=7d")
    assert answer.headers["location"] == "/audit?actor=ann&since=7d"


def _cookies(browser: Browser) -> dict[str, str]:
    return dict(browser.client.cookies)


@pytest.mark.parametrize("referer", ["http://[::1", "//[", "http://\u2100.example/"])
def test_an_odd_referer_is_no_fault(rig: ConsoleRig, referer: str) -> None:
    """A page without a session reads it as well."""
    headers = [("Sec-Fetch-Site", "same-origin"), ("Referer", referer.encode())]
    assert rig.browser().get("/sign-in", headers=headers).status_code == 200


def test_a_session_that_was_planted_before_the_sign_in_is_worth_nothing(rig: ConsoleRig) -> None:
    """Session fixation: the token after a sign-in is new, and the one before opens nothing."""
    victim = rig.browser()
    victim.client.cookies.set("notify-8490", "a" * 43)
    assert victim.get("/").status_code == 303
    assert victim.sign_in("viewer-1").status_code == 303
    token = rig.browser(Role.VIEWER).client.cookies["notify-8490"]
    assert token != "a" * 43
    attacker = rig.browser()
    attacker.client.cookies.set("notify-8490", "a" * 43)
    assert attacker.get("/").status_code == 303


def test_a_session_ends_with_the_sign_out_and_with_its_user(alone: ConsoleRig) -> None:
    """A cookie that was copied is worth nothing afterwards."""
    browser, thief = alone.browser(Role.VIEWER), alone.browser()
    thief.client.cookies.update(_cookies(browser))
    assert thief.get("/").status_code == 200
    assert browser.post("/sign-out").status_code == 303
    assert thief.get("/").status_code == 303
    kept = alone.browser(Role.OPERATOR)
    remove_account(alone.store, "operator-1", actor=Actor("ann@ops-1", "left"))
    assert kept.get("/").status_code == 303


def test_the_record_has_no_token(alone: ConsoleRig) -> None:
    """Its reader could otherwise use the sessions."""
    token = alone.browser(Role.ADMIN).client.cookies["notify-8490"]
    with alone.store.reading() as connection:
        for table in ("sessions", "people", "audit"):
            rows = connection.exec_driver_sql(f"SELECT * FROM {table}").all()  # noqa: S608
            assert rows
            assert token not in str(rows)
            assert PASSWORD not in str(rows)


def test_the_cookie_belongs_to_this_host_over_https(tmp_path: Path) -> None:
    """`__Host-`, Secure, HttpOnly, for every path and 8 hours."""
    with _https(tmp_path) as rig:
        headers = {"Host": "console.example.com"}
        form = {"name": "viewer-1", "password": PASSWORD}
        answer = rig.browser().request("POST", "/sign-in", headers=headers, data=form)
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-notify=")
        for part in ("Secure", "HttpOnly", "Path=/", "SameSite=lax", "Max-Age=28800"):
            assert part in cookie
        assert "Domain" not in cookie
        assert "max-age" in answer.headers["strict-transport-security"]


def test_guesses_are_limited_and_the_right_one_does_not_stand_out(alone: ConsoleRig) -> None:
    """After five failures an attempt is not even checked; other users are not concerned."""
    browser = alone.browser()
    for _ in range(MOST_FAILURES):
        wrong = browser.sign_in("admin-1", "wrong password")
        assert wrong.status_code == 401
        assert "set-cookie" not in wrong.headers
    limited = browser.sign_in("admin-1")
    assert limited.status_code == 429
    assert 0 < int(limited.headers["retry-after"]) <= PERIOD
    assert browser.sign_in("viewer-1").status_code == 303


def test_many_names_from_one_address_are_limited(alone: ConsoleRig) -> None:
    """A proxy on this machine names it; what the browser wrote before does not count."""
    for number in range(MOST_OF_ADDRESS):
        browser = Browser(alone, **{"X-Forwarded-For": f"198.51.100.{number}, 192.0.2.1"})
        assert browser.sign_in(f"user-{number}", "wrong password").status_code == 401
    same = Browser(alone, **{"X-Forwarded-For": "192.0.2.1"})
    assert same.sign_in("viewer-1").status_code == 429
    other = Browser(alone, **{"X-Forwarded-For": "192.0.2.2"})
    assert other.sign_in("viewer-1").status_code == 303


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("127.0.0.1", "198.51.100.7, 192.0.2.1", "192.0.2.1"),
        (None, "2001:db8::1", "2001:db8::1"),
        ("127.0.0.1", "", None),
        ("::1", "unknown", None),
    ],
)
def test_an_address_is_believed_from_this_machine_only(
    peer: str | None, forwarded: str, address: str | None
) -> None:
    """Behind a proxy that names none, one user's failures do not lock out all."""
    assert client_address(peer, forwarded) == address


def test_a_failure_is_forgiven_after_a_minute() -> None:
    """One guess a minute goes on; the count of keys is bounded."""
    now = 0.0
    limit = SignInLimit(monotonic=lambda: now)
    for _ in range(MOST_FAILURES):
        assert limit.wait("name ann") == 0
        limit.failed("name ann")
    assert limit.wait("name ann") == pytest.approx(PERIOD / MOST_FAILURES)
    assert limit.wait("name bob") == 0
    now = PERIOD / MOST_FAILURES
    assert limit.wait("name ann") == 0
    limit.failed("name ann")
    assert limit.wait("name ann") > 0
    limit.succeeded("name ann")
    assert limit.wait("name ann") == 0


def test_an_unknown_name_and_a_wrong_password_have_one_answer(alone: ConsoleRig) -> None:
    """The text and the check are the same: a hash is computed for both."""
    browser = alone.browser()
    unknown = browser.sign_in("no-such-user", "some long password")
    known = browser.sign_in("viewer-1", "some long password")
    assert unknown.status_code == known.status_code == 401
    assert unknown.text.replace("no-such-user", "viewer-1") == known.text


@pytest.mark.parametrize("password", ["", "x" * 5000, "\udcff", "correct horse batter"])
def test_odd_passwords_are_wrong(alone: ConsoleRig, password: str) -> None:
    """And cause no error."""
    sessions = Sessions(alone.store, passwords=QUICK)
    assert sessions.sign_in("viewer-1", password) is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"a=" + b"b" * 2_000_000, 413),
        (b"&".join(b"a=b" for _ in range(3000)), 400),
        (b"name=%ff%fe", 400),
        (b"name=%00", 400),
        (b"name=\xff", 400),
    ],
)
def test_a_hostile_form_is_refused(rig: ConsoleRig, body: bytes, status: int) -> None:
    """Too large, too many fields, not UTF-8, NUL."""
    answer = rig.browser(Role.ADMIN).request("POST", "/doctor", content=body)
    assert answer.status_code == status


@each_of("text", ["-1", "0", "501", "1e3", "99999999999", "\u0663", "1--100000000"])
def test_a_number_is_bounded(text: str) -> None:
    """Oban 2.12.5 allocated gigabytes for `1--100000000`."""
    with pytest.raises(FormMistake):
        Params([("limit", text)]).number("limit", default=1, most=500)


def _proxied(tmp_path: Path) -> ConsoleRig:
    roles = {"ops": "operator", "staff": "viewer"}
    proxy = {"socket": str(tmp_path / "socket"), "roles": roles}
    return _https(tmp_path, proxy=proxy)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("Remote-User", "ann"), ("Remote-Groups", "staff")], 200),
        ([("Remote-User", "ann"), ("Remote-Groups", "all, staff")], 200),
        ([("Remote-User", "ann")], 403),
        ([("Remote-User", "ann"), ("Remote-Groups", "Staff")], 403),
        ([("Remote-User", "ann"), ("Remote-Groups", "staff2")], 403),
        ([("Remote-Groups", "staff")], 403),
        ([("Remote-User", ""), ("Remote-Groups", "staff")], 403),
        # A client's own header that a proxy did not remove.
        ([("Remote-User", "root"), ("Remote-User", "ann"), ("Remote-Groups", "staff")], 403),
        ([("Remote-User", "ann"), ("Remote-Groups", "staff"), ("Remote-Groups", "ops")], 403),
    ],
)
def test_a_proxys_user_has_the_role_of_exact_groups(
    tmp_path: Path, headers: list[tuple[str, str]], status: int
) -> None:
    """There is no other sign-in then."""
    with _proxied(tmp_path) as rig:
        browser = rig.browser()
        own = [("Host", "console.example.com"), *headers]
        assert browser.get("/", headers=own).status_code == status
        assert browser.get("/sign-in", headers=own).status_code in (403, 404)
        assert rig.browser().request("POST", "/doctor", headers=own).status_code == 403


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"listen": "0.0.0.0"}, "needs an address that begins with"),  # noqa: S104 - refused
        ({"listen": "192.0.2.1", "public_url": "http://a.example"}, "begins with https"),
        ({"public_url": "http://a.example"}, "begins with https"),
        ({"listen": "::", "public_url": PUBLIC}, "no one could sign in"),
        ({"public_url": PUBLIC}, "no one could sign in"),
    ],
)
def test_a_console_beyond_this_machine_must_be_protected(
    tmp_path: Path, options: dict[str, str], part: str
) -> None:
    """It refuses to start, and says what to set."""
    settings = Settings(console=ConsoleSettings.model_validate(options))
    with ConsoleRig(tmp_path) as rig:
        for role in Role:
            remove_account(rig.store, f"{role}-1", actor=Actor("ann@ops-1", "test"))
        with pytest.raises(ConfigError, match=part):
            refuse_exposure(settings, rig.sessions)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"listen": "::1"},
        {"public_url": PUBLIC, "listen": "0.0.0.0"},  # noqa: S104 - it has HTTPS and users
    ],
)
def test_a_protected_console_starts(rig: ConsoleRig, options: dict[str, str]) -> None:
    """On this machine alone, or with HTTPS and a user."""
    console = ConsoleSettings.model_validate(options)
    refuse_exposure(Settings(console=console), rig.sessions)


def test_a_proxy_needs_the_public_address(rig: ConsoleRig, tmp_path: Path) -> None:
    """The origin of forms is compared with it."""
    proxy = ProxySettings.model_validate({"socket": tmp_path / "s", "roles": {"ops": "admin"}})
    with pytest.raises(ConfigError, match="needs the address"):
        refuse_exposure(Settings(console=ConsoleSettings(proxy=proxy)), rig.sessions)
