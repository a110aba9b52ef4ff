"""Firebase Cloud Messaging: sending, and reading its answers."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from notify.errors import (
    ConfigError,
    ProviderError,
    RecipientGone,
    Throttled,
    TransientError,
    Unauthorized,
)
from notify.message import Channel, Receipt, Rendered
from providers._shared import verdict
from providers._shared.answer import Answer
from providers._shared.oauth import AccessToken
from providers._shared.options import wrong_addresses, wrong_texts
from providers._shared.transport import Transport
from providers.fcm.message import message_of

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
LONGEST_LIFE = 2_419_200
"""Seconds: the four weeks for which FCM keeps a message at most."""
PAUSE = 60.0
"""Seconds to wait after a 429 without `Retry-After`: the quota is refilled every minute."""

# https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send: not delivered.
_TRIAL = b"""
{"validate_only": true, "message": {"topic": "notify-check", "notification": {"title": "check"}}}
"""

_PROJECT = re.compile(r"[a-z0-9.:-]+")
_CODE = re.compile(r"[A-Z_]{1,40}")
_OF_OTHERS = re.compile(r"(?:[0-9A-Fa-f]{2}){32,100}|https?://.*")

# https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
_CODES: dict[str, type[ProviderError]] = {
    "QUOTA_EXCEEDED": Throttled,
    # The token belongs to another project: either a user registered a foreign token with a
    # producer's app, or the key is of the wrong project. So the message is not rejected for good,
    # and the first one does not stop all others; a share of them opens the circuit.
    "SENDER_ID_MISMATCH": TransientError,
    "THIRD_PARTY_AUTH_ERROR": Unauthorized,
    "UNREGISTERED": RecipientGone,
}


class Fcm:
    """
    Sends push messages through Firebase Cloud Messaging.

    Args:
        project: The Firebase project's id.
        service_account: The key file of an account that may send: the JSON text.
        base_url: The address of the API.
        token_uri: The token endpoint; by default the one in the key file.
        timeout: Seconds for a call. A call that must first fetch a token may take twice as long.
        connect_timeout: Seconds for a connection.
        pool: The most idle connections to keep.
        clock: Seconds since 1970.
        monotonic: Seconds of a clock that never steps.

    Raises:
        ConfigError: The project, the key file or an address cannot be used.
    """

    channel: ClassVar[Channel] = Channel.PUSH

    def __init__(
        self,
        *,
        project: str,
        service_account: str,
        base_url: str = "https://fcm.googleapis.com",
        token_uri: str | None = None,
        timeout: float = 10.0,
        connect_timeout: float = 3.0,
        pool: int = 64,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not _PROJECT.fullmatch(project):
            raise ConfigError("fcm: project is not a Firebase project id")
        self._path = f"/v1/projects/{project}/messages:send"
        self._clock = clock
        self._monotonic = monotonic
        self._timeout = timeout
        self._transport = Transport(
            "fcm", base_url, timeout=timeout, connect_timeout=connect_timeout, pool=pool
        )
        self._token = AccessToken(
            "fcm",
            service_account,
            scope=SCOPE,
            token_uri=token_uri,
            # Waiting for another thread's fetch and then fetching take one timeout together.
            timeout=timeout / 2,
            connect_timeout=connect_timeout,
            clock=clock,
        )
        self._head = ("", b"")

    @staticmethod
    def takes(to: str, /) -> bool:
        """Whether an address can be FCM's: not Apple's own token, and not a browser's address."""
        return not _OF_OTHERS.fullmatch(to)

    def send(self, message: Rendered, /) -> Receipt:
        """Send one push message; the receipt's id is the message's resource name."""
        return Receipt(self._posted(self._body(message)))

    @staticmethod
    def wrong_options(options: Mapping[str, Any], /) -> Iterator[tuple[str, str]]:
        """Yield the options with which no message can be sent."""
        text = "must be a Firebase project's id, such as example-project"
        yield from wrong_texts(options, {"project": (_PROJECT.fullmatch, text)})
        yield from wrong_addresses(options, "base_url", "token_uri")

    def check(self) -> None:
        """Fetch a token, and have FCM validate a message that it does not send."""
        self._posted(_TRIAL)

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()
        self._token.close()

    def _posted(self, body: bytes) -> str:
        began = self._monotonic()
        token, head = self._authorized()
        answer = self._transport.post(head, body)
        if _blames_the_access_token(answer):
            answer = self._posted_again(token, body, began=began)
        found = answer.json()
        if answer.status == 200 and isinstance(found.get("name"), str):
            return str(found["name"])
        raise self._failure(answer, found)

    def _posted_again(self, token: str, body: bytes, *, began: float) -> Answer:
        """
        Retry once with a fresh token: the old one may have expired early, or been revoked.

        Only if a fresh one is refused too is the account at fault. Both attempts together take no
        longer than one that must first fetch a token.
        """
        self._token.forget(token)
        if self._monotonic() - began < self._timeout:
            token, head = self._authorized()
            left = 2 * self._timeout - (self._monotonic() - began)
            if left > 0:
                answer = self._transport.post(head, body, within=left)
                if _blames_the_access_token(answer):
                    self._token.forget(token)
                return answer
        text = "fcm refused the access token, and there was no time to try another (HTTP 401)"
        raise TransientError(text, provider="fcm", status=401)

    def _authorized(self) -> tuple[str, bytes]:
        token = self._token.get()
        current = self._head
        if current[0] != token:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            current = self._head = (token, self._transport.head(self._path, headers))
        return current

    def _body(self, message: Rendered) -> bytes:
        life = message.push_life(self._clock(), longest=LONGEST_LIFE)
        push = message_of(message, life=life, now=int(self._clock()))
        return json.dumps({"message": push}, separators=(",", ":")).encode()

    def _failure(self, answer: Answer, found: dict[str, Any]) -> ProviderError:
        error = found.get("error")
        error = error if isinstance(error, dict) else {}
        code = _code(error)
        return verdict.failure(
            "fcm",
            answer,
            genuine=code is not None,
            now=self._clock(),
            kind=_kind(answer.status, code, error) if code else None,
            code=code,
            pause=PAUSE,
        )


def _blames_the_access_token(answer: Answer) -> bool:
    """Whether a 401 is about the access token, and not about credentials for Apple or browsers."""
    if answer.status != 401:
        return False
    error = answer.json().get("error")
    return _code(error if isinstance(error, dict) else {}) != "THIRD_PARTY_AUTH_ERROR"


def _details(error: dict[str, Any]) -> Iterator[dict[str, Any]]:
    details = error.get("details")
    if isinstance(details, list):
        yield from (detail for detail in details if isinstance(detail, dict))


def _code(error: dict[str, Any]) -> str | None:
    """Return FCM's own code if there is one, else Google's general one."""
    for code in (*(detail.get("errorCode") for detail in _details(error)), error.get("status")):
        if isinstance(code, str) and _CODE.fullmatch(code):
            return code
    return None


def _kind(status: int, code: str, error: dict[str, Any]) -> type[ProviderError] | None:
    if code in _CODES and status < 500:
        return _CODES[code]
    if status == 400 and _blames_the_token(error):
        return RecipientGone
    return None


def _blames_the_token(error: dict[str, Any]) -> bool:
    for detail in _details(error):
        violations = detail.get("fieldViolations")
        for violation in violations if isinstance(violations, list) else []:
            if isinstance(violation, dict) and violation.get("field") == "message.token":
                return True
    # Often there is no such detail, only the text "The registration token is not a valid ...".
    return "registration token" in str(error.get("message")).lower()
