"""
Entries of before the keyring, whose hashes confirm a guess of the recipient.

The check finds them under both hashes. Their own hash cannot be turned into a keyed one: that
happens when the recipient's address is seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.exc import IntegrityError

from notify.message import Channel
from notify.store.sealing.row_cipher import RowCipher
from notify.store.suppression.entries import Lift, Suppression
from notify.store.tables import suppressions

_AT_ONCE = 500

_ITSELF, _OTHER = suppressions, suppressions.alias("other")
_SAME = select(_OTHER.c.id).where(
    _OTHER.c.channel == _ITSELF.c.channel,
    _OTHER.c.recipient_hash == bindparam("new_hash"),
    _OTHER.c.scope == _ITSELF.c.scope,
    _OTHER.c.reason == _ITSELF.c.reason,
)
_REPLACE = (
    update(_ITSELF)
    .where(_ITSELF.c.id == bindparam("of_id"), ~_SAME.exists())
    .values(recipient_hash=bindparam("new_hash"))
)


def clear_hashes(items: Iterable[Suppression | Lift], cipher: RowCipher) -> dict[bytes, bytes]:
    """Return the keyed hash for each hash without a key; empty if no keyring is used."""
    if cipher.keyring.current is None:
        return {}
    found = (cipher.hashes(each.recipient) for each in items if each.recipient.strip())
    return {clear: keyed for keyed, clear in found}


def rehash(connection: Connection, hashes: Mapping[bytes, bytes]) -> int:
    """
    Replace hashes of entries, by their old values; return how many were replaced.

    An entry stays as it is if the list already has the same one under the new hash: both count.
    """
    columns = suppressions.c
    olds = sorted(old for old, new in hashes.items() if old != new)
    changed = 0
    for start in range(0, len(olds), _AT_ONCE):
        query = select(columns.id, columns.recipient_hash).where(
            # The channels are named for the index.
            columns.channel.in_([each.value for each in Channel]),
            columns.recipient_hash.in_(olds[start : start + _AT_ONCE]),
        )
        for row in connection.execute(query.order_by(columns.id)).all():
            changed += _replace(connection, row.id, hashes[row.recipient_hash])
    return changed


def _replace(connection: Connection, id_: int, new_hash: bytes) -> int:
    try:
        # A failed statement would end the transaction.
        with connection.begin_nested():
            values = {"of_id": id_, "new_hash": new_hash}
            return connection.execute(_REPLACE, values).rowcount
    except IntegrityError:
        # Another transaction has added the same entry under the new hash in the meantime.
        return 0
