"""The links with which recipients unsubscribe."""

from __future__ import annotations

from notify.categories.token import HASH_SIZE, OptOut, UnsubscribeTokens
from notify.contract import case_folded
from notify.keyring import Keyring
from notify.message import Notification

PATH = "/u/"
"""The path of the page, below the public URL; the token follows."""


class UnsubscribeLinks:
    """
    Makes the links of messages. Thread-safe.

    Args:
        keyring: The record's, with keys.
        public_url: The address under which recipients reach the page.
    """

    def __init__(self, keyring: Keyring, public_url: str) -> None:
        self._keyring = keyring
        self._tokens = UnsubscribeTokens(keyring)
        self._address = public_url + PATH

    def link(self, notification: Notification, category: str) -> str:
        """Return the link for a notification's recipient."""
        hashed = self._keyring.hashed("recipient", case_folded(notification.to).encode())
        opt_out = OptOut(notification.channel, notification.source, category, hashed[:HASH_SIZE])
        return self._address + self._tokens.write(opt_out)
