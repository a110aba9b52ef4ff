"""Key rotation: sealing rows again with the current key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)

from notify.keyring import HASH
from notify.store.deadletters.archive import PARTS, open_parts
from notify.store.sealing.row_cipher import RowCipher, SealedFields, cipher_of
from notify.store.suppression import rehash
from notify.store.tables import dead_letters, keys, notifications, receipt_inbox, shared_bodies


@dataclass(frozen=True, slots=True)
class Sealing:
    """
    How many rows each key has sealed, by its name; None counts rows in clear.

    Attributes:
        notifications: Notifications on record.
        letters: Dead letters in the archive.
        receipts: Stored receipts that wait for the broker; they are soon deleted, so those in
            clear are not counted, and none is sealed again.
    """

    notifications: Counter[str | None]
    letters: Counter[str | None]
    receipts: Counter[str | None]
    shared: Counter[str | None]
    """The shared parts of large batches' bodies."""

    def rows(self, key: str | None) -> int:
        """Return the number of rows of all kinds that a key has sealed."""
        kinds = (self.notifications, self.letters, self.receipts, self.shared)
        return sum(counts[key] for counts in kinds)


def count(connection: Connection) -> Sealing:
    """Count the rows by the key that sealed them."""
    receipts = _count(connection, receipt_inbox)
    del receipts[None]
    return Sealing(
        notifications=_count(connection, notifications),
        letters=_count(connection, dead_letters),
        receipts=receipts,
        shared=_count(connection, shared_bodies),
    )


def _count(connection: Connection, table: Table) -> Counter[str | None]:
    query = select(table.c.key_id, func.count().label("count_")).group_by(table.c.key_id)
    return Counter({row.key_id: row.count_ for row in connection.execute(query)})


_NOTIFICATION = (
    update(notifications)
    .where(notifications.c.id == bindparam("of_row"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in ("key_id", "recipient", "recipient_hash", "digest", "body")
        }
    )
)


def reseal_notifications(
    connection: Connection, *, after: UUID | None, limit: int
) -> Sequence[UUID]:
    """
    Seal the next notifications again, in the order of their ids.

    Args:
        after: The last id of the previous batch; None for the first.

    Returns:
        The ids of this batch; fewer than *limit* in the last one.

    Raises:
        Sealed: The keyring cannot open one of them; none was changed.
    """
    columns, cipher = notifications.c, cipher_of(connection)
    query = select(
        *(columns.id, columns.key_id, columns.recipient, columns.recipient_hash, columns.digest),
        *(columns.body, columns.erased_at),
    )
    rows = _next(connection, query, columns.id, columns.key_id, cipher, after=after, limit=limit)
    if rows:
        resealed = [(row, _resealed(row, cipher)) for row in rows]
        changes = [{"of_row": row.id, **_renamed(values)} for row, values in resealed]
        connection.execute(_NOTIFICATION, changes)
        hashes = {
            row.recipient_hash: values["recipient_hash"]
            for row, values in resealed
            if row.key_id is None and row.recipient_hash is not None
        }
        rehash(connection, hashes)
    return [row.id for row in rows]


def _resealed(row: Row[Any], cipher: RowCipher) -> dict[str, Any]:
    if row.erased_at is not None:
        # It has nothing left to seal, and its digest, a hash, does not depend on the key.
        sealed = SealedFields(
            cipher.keyring.current, row.recipient, row.recipient_hash, row.digest, row.body
        )
        return asdict(sealed)
    to = cipher.open_recipient(row.id, row.key_id, row.recipient)
    body = cipher.open_body(row.id, row.key_id, row.body)
    digest = row.digest if row.key_id is not None else cipher.digest(row.digest)
    return asdict(cipher.seal_parts(row.id, to=to, body=body, digest=digest))


def _renamed(values: dict[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in values.items()}


def reseal_letters(connection: Connection, *, after: int | None, limit: int) -> Sequence[int]:
    """
    Seal the next dead letters again, in the order of their ids, as `reseal_notifications` does.

    Raises:
        Sealed: The keyring cannot open one of them; none was changed.
    """
    columns, cipher = dead_letters.c, cipher_of(connection)
    query = select(*PARTS, columns.erased_at)
    rows = _next(connection, query, columns.id, columns.key_id, cipher, after=after, limit=limit)
    for row in rows:
        values: dict[str, Any] = {"key_id": cipher.keyring.current}
        if row.erased_at is None:
            fingerprint = _fingerprint(connection, row, cipher)
            values = {"fingerprint": fingerprint}
            values |= cipher.seal_letter(fingerprint, open_parts(cipher, row))
        connection.execute(update(dead_letters).where(columns.id == row.id).values(values))
    return [row.id for row in rows]


def reseal_shared(connection: Connection, *, after: UUID | None, limit: int) -> Sequence[UUID]:
    """
    Seal the next shared parts of bodies again, in the order of their ids.

    Raises:
        Sealed: The keyring cannot open one of them; none was changed.
    """
    columns, cipher = shared_bodies.c, cipher_of(connection)
    query = select(columns.id, columns.key_id, columns.content)
    rows = _next(connection, query, columns.id, columns.key_id, cipher, after=after, limit=limit)
    for row in rows:
        content = cipher.open_shared(row.id, row.key_id, row.content)
        key_id, sealed = cipher.seal_shared(row.id, content)
        change = update(shared_bodies).where(columns.id == row.id)
        connection.execute(change.values(key_id=key_id, content=sealed))
    return [row.id for row in rows]


def _fingerprint(connection: Connection, row: Row[Any], cipher: RowCipher) -> bytes:
    """Return the fingerprint by which the same message is recognised if it dies again."""
    plain: bytes = row.fingerprint
    if row.key_id is not None:
        return plain
    found = cipher.fingerprint(plain)
    taken = select(dead_letters.c.id).where(dead_letters.c.fingerprint == found)
    # It died again already, under the keyring: the later letter is the one to recognise.
    return plain if connection.execute(taken).first() else found


def _next(
    connection: Connection,
    query: Any,
    id_: ColumnElement[Any],
    key_id: ColumnElement[Any],
    cipher: RowCipher,
    *,
    after: Any,
    limit: int,
) -> Sequence[Row[Any]]:
    query = query.where(or_(key_id.is_(None), key_id != cipher.keyring.current))
    if after is not None:
        query = query.where(id_ > after)
    return connection.execute(query.order_by(id_).limit(limit).with_for_update()).all()


def forget_keys(connection: Connection) -> list[str]:
    """Delete keys that seal no row, except for the current one, and return their names."""
    cipher = cipher_of(connection)
    found = count(connection)
    used = {HASH, cipher.keyring.current, *found.notifications, *found.letters, *found.receipts}
    used |= found.shared.keys()
    statement = delete(keys).where(keys.c.id.not_in([name for name in used if name]))
    return sorted(connection.execute(statement.returning(keys.c.id)).scalars())
