"""A limit on failed sign-ins, by name and by address."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address

MOST_FAILURES = 5
"""Failures of one name within a period, after which further attempts wait."""
MOST_OF_ADDRESS = 30
"""The same of one address, which many users of an office may share."""
PERIOD = 300.0
"""Seconds in which all failures are forgiven, one after the other."""
MOST_KEYS = 10_000
"""Names and addresses that are counted; then the oldest are forgotten."""


class SignInLimit:
    """
    Counts failures of one kind of key, each forgiven after `PERIOD / most` seconds. Thread-safe.

    A correct password does not pass while a key waits: otherwise an attacker could go on guessing
    and see which guess is answered differently.
    """

    def __init__(
        self, *, most: int = MOST_FAILURES, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Permit *most* failures at once."""
        self._forgiving = PERIOD / most
        self._monotonic = monotonic
        self._lock = threading.Lock()
        # By key: when its last failure will be forgiven.
        self._forgiven: OrderedDict[str, float] = OrderedDict()

    def wait(self, key: str) -> float:
        """Return the seconds until an attempt may be made; 0 if it may be made now."""
        now = self._monotonic()
        with self._lock:
            until = self._forgiven.get(key, now)
        return max(0.0, until - now - PERIOD + self._forgiving)

    def failed(self, key: str) -> None:
        """Count a failure."""
        now = self._monotonic()
        with self._lock:
            until = max(self._forgiven.pop(key, now), now)
            self._forgiven[key] = until + self._forgiving
            while len(self._forgiven) > MOST_KEYS:
                self._forgiven.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forgive all failures: the user has signed in."""
        with self._lock:
            self._forgiven.pop(key, None)


class SignInLimits:
    """The limits of a sign-in: by the name, and by the client's address where it is known."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._names = SignInLimit(monotonic=monotonic)
        self._addresses = SignInLimit(most=MOST_OF_ADDRESS, monotonic=monotonic)

    def wait(self, name: str, address: str | None) -> float:
        """Return the seconds until an attempt may be made; 0 if it may be made now."""
        of_address = self._addresses.wait(address) if address else 0.0
        return max(self._names.wait(name), of_address)

    def failed(self, name: str, address: str | None) -> None:
        """Count a failure."""
        self._names.failed(name)
        if address:
            self._addresses.failed(address)

    def succeeded(self, name: str, address: str | None) -> None:
        """Forgive the failures of a user who has signed in."""
        self._names.succeeded(name)
        if address:
            self._addresses.succeeded(address)


def client_address(peer: str | None, forwarded: str) -> str | None:
    """
    Return the address of a browser; None if it is not known.

    Args:
        peer: The other end of the connection.
        forwarded: The header X-Forwarded-For. A reverse proxy on this machine adds the browser's
            address at its end; the rest is the browser's own text, and so is all of it if the peer
            is not on this machine.
    """
    if peer is not None and not _is_loopback(peer):
        return peer
    last = forwarded.rpartition(",")[2].strip()
    try:
        return str(ip_address(last))
    except ValueError:
        return None


def _is_loopback(text: str) -> bool:
    try:
        return ip_address(text).is_loopback
    except ValueError:
        return False
