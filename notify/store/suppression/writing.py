"""Adding and lifting entries of the suppression list, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    false,
    literal_column,
    null,
    or_,
    text,
    update,
)

from notify.message import Channel
from notify.store.db import upsert
from notify.store.sealing.row_cipher import RowCipher, cipher_of
from notify.store.suppression.entries import (
    LONGEST_EVIDENCE,
    Added,
    Lift,
    Suppression,
    SuppressionReason,
)
from notify.store.suppression.hashes import clear_hashes, rehash
from notify.store.tables import UtcDateTime, suppressions

_KEY = ("channel", "recipient_hash", "scope", "reason")
_Row = dict[str, Any]


def suppress(connection: Connection, items: Sequence[Suppression], *, now: datetime) -> list[Added]:
    """
    Add entries to the list, in any number and order; a repeated one changes nothing.

    An entry that exists ends at the later of both times. One that was lifted is renewed by later
    evidence only. An opt-out keeps the time of the latest, so that an older opt-in does not end it.
    Items without a recipient, or that have ended, are skipped. Rows are locked in one order, so
    that two batches do not deadlock.

    Returns:
        The entries that were added, renewed or extended.
    """
    cipher = cipher_of(connection)
    rehash(connection, clear_hashes(items, cipher))
    rows = _merged(_new(item, cipher, now=now) for item in items if _counts(item, now=now))
    if not rows:
        return []
    statement = upsert.insert(suppressions, connection)
    new = statement.excluded
    columns = suppressions.c
    ended = or_(columns.lifted_at.is_not(None), columns.until <= _inline(connection, now))
    longer = and_(columns.until.is_not(None), or_(new.until.is_(None), new.until > columns.until))
    later = or_(columns.lifted_at.is_(None), columns.lifted_at < new.since)
    statement = statement.on_conflict_do_update(
        index_elements=_KEY,
        set_={
            "since": case((ended, new.since), else_=columns.since),
            "until": case((or_(ended, longer), new.until), else_=columns.until),
            "binding": case((ended, new.binding), else_=or_(columns.binding, new.binding)),
            "evidence": new.evidence,
            "provider": new.provider,
            "lifted_at": null(),
            "vendor_lift": false(),
        },
        where=and_(later, or_(ended, longer, and_(new.binding, ~columns.binding))),
    )
    returned = statement.returning(columns.id, columns.channel, columns.scope, columns.reason)
    added = [
        Added(row.id, Channel(row.channel), row.scope, SuppressionReason(row.reason))
        for row in connection.execute(returned, rows)
    ]
    _keep_latest(connection, [row for row in rows if row["reason"] == SuppressionReason.OPT_OUT])
    return added


def lift(connection: Connection, items: Sequence[Lift], *, now: datetime) -> int:
    """
    Lift entries as their recipients asked; return how many were in effect.

    Each lift is kept, even if the list has no such entry: an older report that arrives later
    changes nothing.
    """
    cipher = cipher_of(connection)
    rehash(connection, clear_hashes(items, cipher))
    known = [each for each in items if _named(each)]
    rows = _latest(_lifted(each, _hash_of(each, cipher), now=now) for each in known)
    if not rows:
        return 0
    statement = upsert.insert(suppressions, connection)
    new, columns = statement.excluded, suppressions.c
    statement = statement.on_conflict_do_update(
        index_elements=_KEY,
        set_={
            "lifted_at": new.lifted_at,
            "vendor_lift": false(),
            "until": case((columns.lifted_at.is_not(None), new.until), else_=columns.until),
        },
        where=or_(
            and_(columns.lifted_at.is_(None), columns.since <= new.lifted_at),
            columns.lifted_at < new.lifted_at,
        ),
    )
    done = connection.execute(statement.returning(columns.until, columns.lifted_at), rows)
    # The others were new, had ended, or were lifted before.
    return sum(row.until is None or row.until > row.lifted_at for row in done)


def _keep_latest(connection: Connection, opt_outs: Sequence[_Row]) -> None:
    """Move the time of opt-outs in effect to that of later ones."""
    if not opt_outs:
        return
    columns = suppressions.c
    statement = update(suppressions).where(
        *(columns[name] == bindparam(f"its_{name}") for name in _KEY),
        columns.lifted_at.is_(None),
        columns.since < bindparam("latest"),
    )
    values = [
        {**{f"its_{name}": row[name] for name in _KEY}, "latest": row["since"]} for row in opt_outs
    ]
    connection.execute(statement.values(since=bindparam("latest")), values)


def refresh_statistics(connection: Connection) -> None:
    """Have PostgreSQL count the table again, after many entries were added."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("ANALYZE suppressions"))


def _inline(connection: Connection, at: datetime) -> ColumnElement[datetime]:
    """
    Return a time as part of the statement's text.

    With a parameter outside its values, SQLAlchemy sends an insert row by row, and not at once.
    """
    if connection.dialect.name == "sqlite":
        stored = at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
        return literal_column(f"'{stored}'", UtcDateTime)
    return literal_column(f"CAST('{at.isoformat()}' AS timestamptz)", UtcDateTime)


def _counts(item: Suppression, *, now: datetime) -> bool:
    return _named(item) and (item.until is None or item.until > now)


def _named(item: Suppression | Lift) -> bool:
    return bool(item.recipient.strip()) or item.recipient_hash is not None


def _hash_of(item: Suppression | Lift, cipher: RowCipher) -> bytes:
    return item.recipient_hash or cipher.hashes(item.recipient)[0]


def _new(item: Suppression, cipher: RowCipher, *, now: datetime) -> _Row:
    return {
        "channel": item.channel.value,
        "recipient_hash": _hash_of(item, cipher),
        "scope": item.scope,
        "reason": item.reason.value,
        "binding": item.binds,
        "evidence": item.evidence[:LONGEST_EVIDENCE],
        "provider": item.provider,
        # A vendor's clock may be ahead.
        "since": min(item.since, now),
        "until": item.until,
        "lifted_at": None,
        "vendor_lift": False,
    }


def _merged(rows: Iterable[_Row]) -> list[_Row]:
    """Return one row a key, as a statement may not change a row twice; in the order of the keys."""
    merged: dict[tuple[Any, ...], _Row] = {}
    for row in rows:
        before = merged.setdefault(_key(row), row)
        longest = _longer(before, row)
        merged[_key(row)] = longest | {
            "since": max(before["since"], row["since"]),
            "binding": before["binding"] or row["binding"],
        }
    return [merged[key] for key in sorted(merged)]


def _longer(one: _Row, other: _Row) -> _Row:
    if one["until"] is None:
        return one
    return other if other["until"] is None or other["until"] > one["until"] else one


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _KEY)


def _lifted(item: Lift, hash_: bytes, *, now: datetime) -> _Row:
    at = min(item.at, now)
    return {
        "channel": item.channel.value,
        "recipient_hash": hash_,
        "scope": item.scope,
        "reason": item.reason.value,
        "binding": item.reason.binding,
        "evidence": item.evidence[:LONGEST_EVIDENCE],
        "provider": item.provider,
        "since": at,
        "until": at,
        "lifted_at": at,
        "vendor_lift": False,
    }


def _latest(rows: Iterable[_Row]) -> list[_Row]:
    latest: dict[tuple[Any, ...], _Row] = {}
    for row in rows:
        before = latest.setdefault(_key(row), row)
        if row["lifted_at"] > before["lifted_at"]:
            latest[_key(row)] = row
    return [latest[key] for key in sorted(latest)]
