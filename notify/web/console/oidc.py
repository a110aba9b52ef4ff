"""Single sign-on by OpenID Connect: the authorization code flow with PKCE, state and nonce."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from notify.errors import NotifyError
from notify.people import SignedIn
from notify.settings import OidcSettings
from notify.web.console.users import role_of

CALLBACK = "/sign-in/oidc/callback"
WAITS = 600.0
"""Seconds that a user has at the identity provider."""
_MOST = 1000
"""Sign-ins in progress; then the oldest is forgotten."""
_TIMEOUT = 5.0
_LEEWAY = 60
_REREAD = 3600.0
"""Seconds for which the provider's addresses and keys are kept."""
# Asymmetric ones only: a client's secret must not be able to sign an ID token.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
_LONGEST_NAME = 200


class UserNotConfirmed(NotifyError):
    """The identity provider did not confirm a user; the text is for the log, and has no claim."""


@dataclass(frozen=True, slots=True)
class OidcStart:
    """A sign-in that has begun: where to send the browser, and the value of its cookie."""

    url: str
    state: str


@dataclass(frozen=True, slots=True)
class _Pending:
    nonce: str
    verifier: str
    to: str
    until: float


@dataclass(frozen=True, slots=True)
class _Provider:
    """The provider's name, addresses and keys, as it publishes them."""

    issuer: str
    """As in each token: it may end with a slash."""
    authorize: str
    token: str
    userinfo: str | None
    keys: KeySet
    until: float


class SingleSignOn:
    """Signs users in at one identity provider. Thread-safe; its methods wait for the provider."""

    def __init__(
        self,
        settings: OidcSettings,
        *,
        secret: str,
        callback: str,
        client: httpx.Client | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Prepare a client; nothing is read from the provider yet.

        Args:
            settings: The provider, the client, and the roles.
            secret: The client's secret.
            callback: The address that the provider sends the browser back to.
            client: Makes the requests.
            monotonic: Seconds that never go back.
        """
        self._settings = settings
        self._auth = httpx.BasicAuth(settings.client_id, secret)
        self._callback = callback
        self._client = client or httpx.Client(timeout=_TIMEOUT, follow_redirects=False)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._pending: OrderedDict[str, _Pending] = OrderedDict()
        self._provider: _Provider | None = None

    def begin(self, to: str) -> OidcStart:
        """
        Begin a sign-in; *to* is the path of the console to show afterwards.

        Raises:
            UserNotConfirmed: The provider cannot be reached.
        """
        provider = self._read()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        with self._lock:
            self._pending[state] = _Pending(nonce, verifier, to, self._monotonic() + WAITS)
            while len(self._pending) > _MOST:
                self._pending.popitem(last=False)
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._callback,
            "scope": f"openid {self._settings.scopes}".strip(),
            "state": state,
            "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in provider.authorize else "?"
        return OidcStart(f"{provider.authorize}{joint}{urlencode(query)}", state)

    def finish(self, state: str, code: str) -> tuple[SignedIn, str]:
        """
        Return the user that the provider confirms, and the path to show.

        Each state is valid once. The caller has compared it with the browser's cookie.

        Raises:
            UserNotConfirmed: The provider did not confirm the user, or no group has a role.
        """
        with self._lock:
            pending = self._pending.pop(state, None)
        if pending is None or pending.until < self._monotonic():
            raise UserNotConfirmed("the sign-in is not in progress, or took too long")
        try:
            claims = self._claims(pending, code)
        except (httpx.HTTPError, JoseError, ValueError, KeyError) as error:
            raise UserNotConfirmed(f"the answer cannot be used: {type(error).__name__}") from None
        return self._user(claims), pending.to

    def _claims(self, pending: _Pending, code: str) -> Mapping[str, Any]:
        provider = self._read()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._callback,
            "code_verifier": pending.verifier,
        }
        answer = self._client.post(provider.token, data=form, auth=self._auth)
        answer.raise_for_status()
        tokens = answer.json()
        claims = self._verified(tokens["id_token"], provider, pending.nonce)
        if self._settings.claim in claims or provider.userinfo is None:
            return claims
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        more = self._client.get(provider.userinfo, headers=headers)
        more.raise_for_status()
        about = dict(more.json())
        if about.get("sub") != claims["sub"]:
            raise UserNotConfirmed("the user's information is about another user")
        return about | claims

    def _verified(self, id_token: str, provider: _Provider, nonce: str) -> dict[str, Any]:
        try:
            token = jwt.decode(id_token, provider.keys, algorithms=_ALGORITHMS)
        except (JoseError, ValueError):
            # The provider may have a new key.
            provider = self._read(again=True)
            token = jwt.decode(id_token, provider.keys, algorithms=_ALGORITHMS)
        claims = CodeIDToken(
            token.claims,
            token.header,
            options={
                "iss": {"essential": True, "value": provider.issuer},
                "aud": {"essential": True, "value": self._settings.client_id},
            },
            params={"nonce": nonce, "client_id": self._settings.client_id},
        )
        claims.validate(leeway=_LEEWAY)
        return dict(claims)

    def _user(self, claims: Mapping[str, Any]) -> SignedIn:
        found = claims.get(self._settings.claim, [])
        groups = [found] if isinstance(found, str) else found
        if not isinstance(groups, list):
            raise UserNotConfirmed(f"the claim {self._settings.claim} is neither text nor a list")
        role = role_of([each for each in groups if isinstance(each, str)], self._settings.roles)
        if role is None:
            raise UserNotConfirmed("none of the user's groups has a role in console.oidc.roles")
        return SignedIn(self._name(claims), role, "oidc")

    def _name(self, claims: Mapping[str, Any]) -> str:
        """Return the name for the audit; the subject, if the address was not verified."""
        name = claims.get(self._settings.name_claim)
        unverified = self._settings.name_claim == "email" and not claims.get("email_verified")
        if not isinstance(name, str) or not name or unverified:
            name = str(claims["sub"])
        return name[:_LONGEST_NAME]

    def _read(self, *, again: bool = False) -> _Provider:
        """Return the provider's addresses and keys, read at most once an hour."""
        known, now = self._provider, self._monotonic()
        if known is not None and known.until > now and not again:
            return known
        issuer = self._settings.issuer
        try:
            found = self._json(f"{issuer}/.well-known/openid-configuration")
            own_name = str(found["issuer"])
            if own_name.rstrip("/") != issuer:
                raise UserNotConfirmed("the discovery document names another issuer")
            self._provider = _Provider(
                own_name,
                str(found["authorization_endpoint"]),
                str(found["token_endpoint"]),
                found.get("userinfo_endpoint"),
                KeySet.import_key_set(self._json(str(found["jwks_uri"]))),
                now + _REREAD,
            )
        except (httpx.HTTPError, JoseError, ValueError, KeyError) as error:
            raise UserNotConfirmed(f"the provider cannot be read: {type(error).__name__}") from None
        return self._provider

    def _json(self, url: str) -> Any:
        answer = self._client.get(url)
        answer.raise_for_status()
        return answer.json()
