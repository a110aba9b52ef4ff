"""Single sign-on against a small real OpenID provider: who is confirmed, and who is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey

from notify.settings import ConsoleSettings, OidcSettings, Settings
from notify.web.console.oidc import CALLBACK, SingleSignOn, UserNotConfirmed
from tests.support.console import ORIGIN, Browser, ConsoleRig
from tests.support.oidc import CLIENT, SECRET, OidcProvider

ROLES = {"ops": "operator", "admins": "admin"}


@pytest.fixture(scope="module")
def running() -> Iterator[OidcProvider]:
    with OidcProvider().running() as provider:
        yield provider


@pytest.fixture
def provider(running: OidcProvider) -> OidcProvider:
    """A provider with one user of the group `ops`."""
    running.claims = {"email": "ann@example.com", "email_verified": True, "groups": ["ops"]}
    running.about, running.wrong, running.sign_with = {}, {}, None
    return running


@pytest.fixture
def rig(provider: OidcProvider, tmp_path: Path) -> Iterator[ConsoleRig]:
    oidc = OidcSettings.model_validate(
        {
            "issuer": provider.issuer,
            "client_id": CLIENT,
            "client_secret": "OIDC_SECRET",
            "roles": ROLES,
        }
    )
    settings = Settings(console=ConsoleSettings(oidc=oidc))
    single = SingleSignOn(oidc, secret=SECRET, callback=f"{ORIGIN}{CALLBACK}")
    with ConsoleRig(tmp_path, settings, single=single) as rig:
        yield rig


def _to_provider(browser: Browser, path: str = "/sign-in/oidc?next=/audit") -> str:
    """Follow the link to the provider, and return the address that it sends the browser back to."""
    begun = browser.get(path)
    assert begun.status_code == 303, begun.text
    return httpx.get(begun.headers["location"]).headers["location"]


def _back(browser: Browser, address: str) -> httpx.Response:
    parts = urlsplit(address)
    return browser.get(f"{parts.path}?{parts.query}", headers={"Sec-Fetch-Site": "cross-site"})


def test_a_confirmed_user_has_the_role_of_the_group(rig: ConsoleRig) -> None:
    """The session is new, the page is the one that was asked for, and the audit has the name."""
    browser = rig.browser()
    answer = _back(browser, _to_provider(browser))
    assert (answer.status_code, answer.headers["location"]) == (303, "/audit")
    page = browser.get("/audit")
    assert page.status_code == 200
    assert "ann@example.com" in page.text
    assert rig.acts()[0].actor == "oidc:ann@example.com@console"
    assert browser.request("POST", "/doctor").status_code == 303
    assert browser.post("/sign-out").status_code == 303
    assert browser.get("/audit").status_code == 303


def test_groups_may_come_with_the_users_information(
    rig: ConsoleRig, provider: OidcProvider
) -> None:
    """Many providers leave them out of the ID token; an unverified address is not a name."""
    provider.claims = {"email": "root@example.com", "email_verified": False}
    provider.about = {"groups": ["admins", "ops"]}
    browser = rig.browser()
    assert _back(browser, _to_provider(browser)).status_code == 303
    assert (rig.acts()[0].actor, rig.acts()[0].details["role"]) == ("oidc:u-1@console", "admin")


@pytest.mark.parametrize(("slash", "status"), [("/", 303), ("", 403)])
def test_an_issuer_may_end_with_a_slash(
    rig: ConsoleRig,
    provider: OidcProvider,
    monkeypatch: pytest.MonkeyPatch,
    slash: str,
    status: int,
) -> None:
    """Auth0's and authentik's do, in the document and in each token: the two must be the same."""
    document = provider.discovery() | {"issuer": f"{provider.issuer}/"}
    monkeypatch.setattr(provider, "discovery", lambda: document)
    provider.wrong = {"iss": f"{provider.issuer}{slash}"}
    browser = rig.browser()
    assert _back(browser, _to_provider(browser)).status_code == status


@pytest.mark.parametrize("groups", [[], ["Ops"], ["ops-readers"], "opsx", [["ops"]], {"ops": 1}])
def test_a_group_counts_by_its_exact_name(
    rig: ConsoleRig, provider: OidcProvider, groups: object
) -> None:
    """Never by a part, a pattern or another case."""
    provider.claims["groups"] = groups
    browser = rig.browser()
    answer = _back(browser, _to_provider(browser))
    assert answer.status_code == 403
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://other.example.com"},
        {"aud": "another-client"},
        {"nonce": "another"},
        {"exp": 1_700_000_000},
        {"aud": [CLIENT, "x"], "azp": "x"},
    ],
)
def test_an_id_token_for_another_purpose_is_refused(
    rig: ConsoleRig, provider: OidcProvider, wrong: dict[str, object]
) -> None:
    """Issuer, audience, nonce and end are checked."""
    provider.wrong = wrong
    browser = rig.browser()
    assert _back(browser, _to_provider(browser)).status_code == 403


def test_an_id_token_with_another_signature_is_refused(
    rig: ConsoleRig, provider: OidcProvider
) -> None:
    """Although it names the provider's key."""
    provider.sign_with = RSAKey.generate_key(2048)
    browser = rig.browser()
    assert _back(browser, _to_provider(browser)).status_code == 403


def test_a_new_key_of_the_provider_is_read(rig: ConsoleRig, provider: OidcProvider) -> None:
    """Providers rotate keys without notice."""
    for _ in range(2):
        browser = rig.browser()
        assert _back(browser, _to_provider(browser)).status_code == 303
        provider.rotate()


def test_a_state_belongs_to_one_browser_and_is_used_once(rig: ConsoleRig) -> None:
    """Otherwise an attacker could sign a victim in as the attacker, or use a logged address."""
    mine, victim = rig.browser(), rig.browser()
    address = _to_provider(mine)
    assert _back(victim, address).status_code == 403
    # The refusal did not use it up: it is still this browser's.
    assert _back(mine, address).status_code == 303
    assert _back(mine, address).status_code == 403


def test_a_code_of_another_sign_in_is_refused(rig: ConsoleRig) -> None:
    """PKCE binds the code to the browser's own sign-in."""
    mine, other = rig.browser(), rig.browser()
    code = parse_qs(urlsplit(_to_provider(other)).query)["code"][0]
    state = parse_qs(urlsplit(_to_provider(mine)).query)["state"][0]
    assert mine.get(f"{CALLBACK}?code={code}&state={state}").status_code == 403


def test_a_provider_that_is_away_or_lies_confirms_no_user(provider: OidcProvider) -> None:
    """The log has the reason, and no claim."""
    oidc = OidcSettings.model_validate(
        {
            "issuer": f"{provider.issuer}/other",
            "client_id": CLIENT,
            "client_secret": "OIDC_SECRET",
            "roles": ROLES,
        }
    )
    single = SingleSignOn(oidc, secret=SECRET, callback=f"{ORIGIN}{CALLBACK}")
    with pytest.raises(UserNotConfirmed, match="the provider cannot be read"):
        single.begin("/")
