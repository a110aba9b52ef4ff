"""A Google service account's access token, renewed before it expires and shared by all calls."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC

from google.auth.transport import Request, Response
from google.oauth2.service_account import Credentials

from notify.errors import ConfigError, OutcomeUnknown, Throttled, TransientError, Unauthorized
from providers._shared.answer import Answer
from providers._shared.transport import Transport

EARLY = 300.0
"""Seconds before its expiry at which a token is renewed."""

PAUSE = 15.0
"""Seconds between two attempts to renew a token that is still valid."""

LONGEST_LIFE = 31_536_000.0
"""Seconds: a year. Google's tokens are valid for an hour; a longer validity is not believed."""

_CODE = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    renew_at: float
    ends_at: float


class AccessToken:
    """
    The token of one service account, for many threads.

    Args:
        provider: The provider's name, for errors.
        service_account: The account's key file: the JSON text.
        scope: The OAuth scope of the token.
        token_uri: The token endpoint; by default the one in the key file.
        timeout: Seconds for a call to it.
        connect_timeout: Seconds for a connection.
        clock: Seconds since 1970.

    Raises:
        ConfigError: The key file or the address cannot be used.
    """

    def __init__(
        self,
        provider: str,
        service_account: str,
        *,
        scope: str,
        token_uri: str | None,
        timeout: float,
        connect_timeout: float,
        clock: Callable[[], float],
    ) -> None:
        try:
            info = json.loads(service_account)
            uri = token_uri or info["token_uri"]
            self._credentials = Credentials.from_service_account_info(info, scopes=[scope])
        except (ValueError, KeyError, TypeError, AttributeError):
            # The inner error may quote the key.
            raise ConfigError(
                f"{provider}: service_account must be the JSON text of a service account's key file"
            ) from None
        self._provider = provider
        self._transport = Transport(
            provider,
            uri,
            timeout=timeout,
            connect_timeout=connect_timeout,
            pool=1,
            option="token_uri",
        )
        self._timeout = timeout
        self._clock = clock
        self._lock = threading.Lock()
        self._token: _Token | None = None

    def get(self) -> str:
        """
        Return a valid token, fetched if there is none.

        Raises:
            TransientError: None could be fetched; `Unauthorized` if the account was refused.
        """
        token, now = self._token, self._clock()
        if token and now < token.renew_at:
            return token.value
        valid = token is not None and now < token.ends_at
        # While the old token is valid, one thread renews it and the others use it.
        if not self._lock.acquire(timeout=0 if valid else self._timeout):
            if token and valid:
                return token.value
            raise TransientError(
                f"{self._provider}: no access token in time, nothing was sent",
                provider=self._provider,
            )
        try:
            return self._renewed(now)
        finally:
            self._lock.release()

    def forget(self, value: str) -> None:
        """Discard a token that was refused, so that the next call fetches another."""
        with self._lock:
            if self._token and self._token.value == value:
                self._token = None

    def close(self) -> None:
        """Close the idle connection."""
        self._transport.close()

    def _renewed(self, now: float) -> str:
        token = self._token
        if token and now < token.renew_at:
            return token.value  # another thread renewed it
        try:
            self._credentials.refresh(_Fetch(self._transport))
        except TransientError:
            if token is None or now >= token.ends_at:
                raise
            self._token = replace(token, renew_at=min(now + PAUSE, token.ends_at))
            return token.value
        ends_at = self._credentials.expiry.replace(tzinfo=UTC).timestamp()
        self._token = _Token(self._credentials.token, ends_at - EARLY, ends_at)
        return self._token.value


class _Fetch(Request):  # type: ignore[misc]
    """
    Sends google-auth's request for a token through the providers' transport.

    It raises the errors of `notify.errors` itself, through google-auth, which would otherwise retry
    after a bad answer up to three times and sleep in between.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __call__(
        self,
        url: str,  # noqa: ARG002 - the transport has its own
        method: str = "POST",  # noqa: ARG002
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002
        **_: object,
    ) -> Response:
        """Request a token; return only an answer that contains one."""
        provider = self._transport.provider
        try:
            answer = self._transport.post(self._transport.head("", headers or {}), body or b"")
        except OutcomeUnknown as error:
            # Only the token's outcome is unknown; no message was sent.
            text = f"{provider}: no access token, nothing was sent"
            raise TransientError(text, provider=provider) from error
        found = answer.json()
        token, seconds = found.get("access_token"), _seconds(found.get("expires_in"))
        if answer.status == 200 and _usable(token) and seconds is not None:
            return _CheckedResponse(answer, {"access_token": token, "expires_in": seconds})
        raise _refusal(provider, answer)


def _usable(token: object) -> bool:
    return isinstance(token, str) and token.isascii() and token.isprintable() and token != ""


def _seconds(value: object) -> int | None:
    """Return a token's validity in whole seconds from 3599, 3599.0 or "3599"; None if malformed."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return int(seconds) if 0 <= seconds <= LONGEST_LIFE else None


def _refusal(provider: str, answer: Answer) -> TransientError:
    error = answer.json().get("error")
    code = error if isinstance(error, str) and _CODE.fullmatch(error) else None
    kind: type[TransientError] = TransientError
    if answer.status == 429:
        kind = Throttled
    elif answer.status in (400, 401, 403) and code:
        kind = Unauthorized
    named = f"HTTP {answer.status}" + (f", {code}" if code else "")
    text = f"{provider}: no access token, nothing was sent ({named})"
    return kind(text, provider=provider, status=answer.status, code=code)


class _CheckedResponse(Response):  # type: ignore[misc]
    """An answer as google-auth reads it; its body has only the checked values."""

    def __init__(self, answer: Answer, checked: Mapping[str, object]) -> None:
        self._answer = answer
        self._checked = checked

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._answer.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The answer's headers."""
        return dict(self._answer.headers.items())

    @property
    def data(self) -> bytes:
        """The token and its validity, as JSON."""
        return json.dumps(self._checked).encode()
