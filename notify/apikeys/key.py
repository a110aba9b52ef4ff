"""A key of the API: its scopes, its life, and the hash by which it is found."""

from __future__ import annotations

import enum
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from notify.store.apikeys import KeyRow

PREFIX = "notify_"
"""The beginning of every key, by which scanners find one that was published by mistake."""
_BYTES = 32


class KeyScope(enum.StrEnum):
    """A permission of a key."""

    SEND = "send"
    """Send and cancel notifications, and report feedback."""
    READ = "read"
    """Read the source's notifications, events and suppressions, and the templates."""
    SUPPRESS = "suppress"
    """Add and lift suppressions of the source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One key, without its secret."""

    id: int
    source: str
    name: str
    scopes: frozenset[KeyScope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None
    replaces: int | None

    def live(self, now: datetime) -> bool:
        """Return whether it may be used at *now*."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


def key_of(row: KeyRow) -> ApiKey:
    """Return the key of a row; a scope of a newer version is left out."""
    known = {each.value for each in KeyScope}
    return ApiKey(
        id=row.id,
        source=row.source,
        name=row.name,
        scopes=frozenset(KeyScope(each) for each in row.scopes.split() if each in known),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        used_at=row.used_at,
        replaces=row.replaces,
    )


def new_secret(random: Callable[[int], str] = secrets.token_urlsafe) -> str:
    """Return a new key, with 256 random bits."""
    return PREFIX + random(_BYTES)


def hash_of(secret: str) -> bytes:
    """
    Return the hash by which a key is found.

    A look-up by a hash has no comparison whose time depends on how much of a guess is right.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
