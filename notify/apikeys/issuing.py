"""The use cases of operators: keys made, replaced and revoked, each with its audit row."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from notify.apikeys.key import ApiKey, KeyScope, hash_of, key_of, new_secret
from notify.errors import NotifyError
from notify.store import Actor, Store, write_audit
from notify.store.apikeys import find_keys, insert_key, key_by_id, limit_key


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key with its secret, which is nowhere else."""

    key: ApiKey
    secret: str


def issue_key(
    store: Store,
    *,
    source: str,
    scopes: Collection[KeyScope],
    name: str,
    expires_at: datetime | None,
    actor: Actor,
) -> IssuedKey:
    """
    Make a key for a source.

    Raises:
        StoreError: The record cannot be written.
    """
    now = store.clock()
    values = {
        "source": source,
        "name": name,
        "scopes": _written(scopes),
        "expires_at": expires_at,
    }
    with store.writing() as connection:
        issued = _insert(connection, values, now=now)
        details = {"id": issued.key.id, "source": source, "scopes": values["scopes"]}
        write_audit(connection, actor, "key.new", details=details, at=now)
    return issued


def rotate_key(store: Store, id_: int, *, overlap: timedelta, actor: Actor) -> IssuedKey:
    """
    Make a key with the source, scopes and name of a live one, which ends after the overlap.

    So both are valid while the programs that use it are changed. A span until the old key's end
    passes to the new one.

    Raises:
        NotifyError: There is no such key, it has ended, or it was replaced already.
        StoreError: The record cannot be written.
    """
    now = store.clock()
    with store.writing() as connection:
        key, successor = _live(connection, id_, now=now)
        if successor is not None:
            raise NotifyError(f"key {id_} was replaced by key {successor}: rotate that one")
        ends = now + overlap if key.expires_at is None else min(now + overlap, key.expires_at)
        lasts = None if key.expires_at is None else key.expires_at - key.created_at
        values = {
            "source": key.source,
            "name": key.name,
            "scopes": _written(key.scopes),
            "expires_at": None if lasts is None else now + lasts,
            "replaces": id_,
        }
        issued = _insert(connection, values, now=now)
        limit_key(connection, id_, {"expires_at": ends})
        details = {"id": issued.key.id, "replaces": id_, "source": key.source}
        write_audit(connection, actor, "key.rotate", details=details, at=now)
    return issued


def revoke_key(store: Store, id_: int, actor: Actor) -> ApiKey:
    """
    Revoke a live key; return it as it was. The API refuses it within two seconds.

    Raises:
        NotifyError: There is no such key, or it has ended.
        StoreError: The record cannot be written.
    """
    now = store.clock()
    with store.writing() as connection:
        key, _ = _live(connection, id_, now=now)
        limit_key(connection, id_, {"revoked_at": now})
        details = {"id": id_, "source": key.source}
        write_audit(connection, actor, "key.revoke", details=details, at=now)
    return key


def list_keys(store: Store, *, source: str | None = None, ended: bool = False) -> list[ApiKey]:
    """
    Return the keys, the oldest first.

    Args:
        source: Only those of this source.
        ended: Whether to include those that were revoked or have expired.

    Raises:
        StoreError: The record cannot be read.
    """
    now = None if ended else store.clock()
    with store.reading() as connection:
        return [key_of(row) for row in find_keys(connection, source=source, live_at=now)]


def _insert(connection: Connection, values: dict[str, Any], *, now: datetime) -> IssuedKey:
    secret = new_secret()
    id_ = insert_key(connection, {**values, "hash": hash_of(secret), "created_at": now})
    found = key_by_id(connection, id_)
    assert found is not None  # noqa: S101 - it was written just now
    return IssuedKey(key_of(found[0]), secret)


def _live(connection: Connection, id_: int, *, now: datetime) -> tuple[ApiKey, int | None]:
    """Return a live key, locked, and the key that replaces it."""
    found = key_by_id(connection, id_)
    if found is None:
        raise NotifyError(f"there is no key {id_}; `notify key ls` lists them")
    key = key_of(found[0])
    if not key.live(now):
        ended = "was revoked" if key.revoked_at is not None else "has expired"
        raise NotifyError(f"key {id_} {ended}; make another with `notify key new`")
    return key, found[1]


def _written(scopes: Collection[KeyScope]) -> str:
    return " ".join(each.value for each in KeyScope if each in scopes)
