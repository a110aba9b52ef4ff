"""
The provider token: the same in all workers, without a word between them.

Source: https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns.
Apple refuses a token older than an hour, and a provider that renews more often than every 20
minutes. So time is divided into windows, and the token of a window is made of its beginning alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

from notify.errors import ConfigError
from providers._shared.jwt import p256_key, signed_token

WINDOW = 2400
"""Seconds for which a token is used."""
AHEAD = 300
"""Seconds by which a token is older than its window, for clocks that are ahead of Apple's."""


class _WindowToken(NamedTuple):
    window: int
    value: str


class ProviderToken:
    """
    The token of one key, for many threads.

    Args:
        team_id: The team's id.
        key_id: The key's id.
        key: The key: the PEM text of the file `AuthKey_....p8`.
        clock: Seconds since 1970.

    Raises:
        ConfigError: It is not a private key on P-256; the text never contains it.
    """

    def __init__(self, *, team_id: str, key_id: str, key: str, clock: Callable[[], float]) -> None:
        private = p256_key(key)
        if private is None:
            raise ConfigError("apns: key must be the PEM text of an APNs key (AuthKey_....p8)")
        self._key = private
        self._team_id = team_id
        self._key_id = key_id
        self._clock = clock
        self._lock = threading.Lock()
        self._token = _WindowToken(-1, "")

    def get(self) -> str:
        """Return the token of the current window."""
        window = int(self._clock()) // WINDOW
        token = self._token
        if token.window == window:
            return token.value
        with self._lock:
            if self._token.window != window:
                self._token = _WindowToken(window, self._made(window))
            return self._token.value

    def _made(self, window: int) -> str:
        issued = window * WINDOW - AHEAD
        claims = {"iss": self._team_id, "iat": issued}
        return signed_token(self._key, header={"kid": self._key_id}, claims=claims)
