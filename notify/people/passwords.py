"""Passwords: argon2id hashes, and checks that take equally long for unknown users."""

from __future__ import annotations

from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST_PASSWORD = 12
"""Characters. NIST SP 800-63B-4 asks for 8 with, and 15 without a second factor."""
LONGEST_PASSWORD = 1024
"""Characters; a longer one would only cost time."""


class Passwords:
    """Hashes and checks passwords. Thread-safe. A check needs 64 MiB and about 50 ms."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """Hash with *hasher*, else with argon2-cffi's defaults, RFC 9106's low-memory profile."""
        self._hasher = hasher or PasswordHasher()

    def hash(self, password: str) -> str:
        """Return the hash to store, with its salt and parameters."""
        return self._hasher.hash(password)

    def matches(self, password: str, stored: str | None) -> bool:
        """
        Return whether a password has this hash.

        None, for an unknown user, takes as long as a wrong password: the time of an answer does not
        show which users exist.
        """
        if len(password) > LONGEST_PASSWORD:
            return False
        try:
            self._hasher.verify(stored or self._unknown, password)
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False
        return stored is not None

    def outdated(self, stored: str) -> bool:
        """Return whether a hash was made with other parameters than those of now."""
        return self._hasher.check_needs_rehash(stored)

    @cached_property
    def _unknown(self) -> str:
        return self._hasher.hash("the password of an unknown user")
