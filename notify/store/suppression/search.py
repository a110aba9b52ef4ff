"""Reading the list: entries by number, by recipient or by what they have in common."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select, update

from notify.message import Channel, Notification
from notify.store.db.clock import Moment, moment
from notify.store.sealing.row_cipher import cipher_of
from notify.store.suppression.entries import (
    ALL,
    SuppressionReason,
    category_scope,
    source_scope,
)
from notify.store.tables import suppressions

_VENDORS_LISTS = (
    SuppressionReason.BOUNCE,
    SuppressionReason.COMPLAINT,
    SuppressionReason.OPT_OUT,
)
_AT_ONCE = 1000
SEARCHED = 100_000
"""Numbers of entries that one page examines, where no index finds them."""


@dataclass(frozen=True, slots=True)
class ListedSuppression:
    """
    One entry of the list.

    Attributes:
        lifted_at: When it was lifted; None if it was not.
        vendor_lift: Whether the vendor's own list still has to lose the recipient.
    """

    id: int
    channel: Channel
    recipient_hash: bytes
    scope: str
    reason: SuppressionReason
    binding: bool
    evidence: str
    provider: str | None
    since: datetime
    until: datetime | None
    lifted_at: datetime | None
    vendor_lift: bool

    def in_effect(self, now: datetime) -> bool:
        """Return whether it stops messages at *now*."""
        return self.lifted_at is None and (self.until is None or self.until > now)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionFilter:
    """
    Which entries to read; each part that is given must match.

    Attributes:
        recipient: In any spelling.
        recipient_hashes: In place of the recipient, its hashes.
        before_id: Older entries than this one.
        since: Entries since then.
        ended: Whether to include entries that were lifted or have ended.
        owner: Only entries whose scope is this source, or a category of its messages.
        before: Only entries with a smaller number, and at most 100,000 numbers below it.
    """

    ids: Collection[int] = ()
    channel: Channel | None = None
    recipient: str | None = None
    recipient_hashes: Sequence[bytes] = ()
    before_id: int | None = None
    reason: SuppressionReason | None = None
    scope: str | None = None
    since: Moment | None = None
    ended: bool = False
    owner: str | None = None
    before: int | None = None


def find_entries(
    connection: Connection, wanted: SuppressionFilter, *, now: datetime, limit: int
) -> list[ListedSuppression]:
    """Return the newest entries that match."""
    query = _matching(connection, wanted, now=now).order_by(suppressions.c.id.desc()).limit(limit)
    return [_entry(row) for row in connection.execute(query)]


def newest_entry(connection: Connection) -> int:
    """Return the largest number of an entry; 0 if there is none."""
    return connection.execute(select(func.max(suppressions.c.id))).scalar() or 0


def stream_entries(
    connection: Connection, wanted: SuppressionFilter, *, now: datetime
) -> Iterator[ListedSuppression]:
    """Yield all entries that match, oldest first, in constant memory."""
    query = _matching(connection, wanted, now=now).order_by(suppressions.c.id)
    for row in connection.execute(query.execution_options(yield_per=_AT_ONCE)):
        yield _entry(row)


def count_entries(connection: Connection, wanted: SuppressionFilter, *, now: datetime) -> int:
    """Count the entries that match."""
    query = _matching(connection, wanted, now=now).subquery()
    return connection.execute(select(func.count()).select_from(query)).scalar_one()


def count_in_effect(
    connection: Connection, *, now: datetime
) -> dict[tuple[Channel, SuppressionReason], int]:
    """Count the entries in effect, by channel and reason."""
    matching = _matching(connection, SuppressionFilter(), now=now).subquery()
    keys = matching.c.channel, matching.c.reason
    query = select(*keys, func.count().label("count_")).group_by(*keys)
    return {
        (Channel(row.channel), SuppressionReason(row.reason)): row.count_
        for row in connection.execute(query)
    }


def stopped_messages(
    connection: Connection,
    asked: Sequence[Notification],
    *,
    exempt: Collection[str],
    now: datetime,
) -> dict[tuple[str, str, int], str]:
    """
    Return, by key, why the claims of these messages would end them as suppressed.

    Opt-outs of a provider's sender are not included: the provider is chosen later.

    Args:
        exempt: The categories that only binding entries stop.
    """
    cipher = cipher_of(connection)
    hashes = {each.key: cipher.hashes(each.to) for each in asked}
    columns = suppressions.c
    some = columns.recipient_hash.in_({hash_ for found in hashes.values() for hash_ in found})
    query = _matching(connection, SuppressionFilter(), now=now).where(some)
    entries = [_entry(row) for row in connection.execute(query.order_by(columns.id))]
    stopped: dict[tuple[str, str, int], str] = {}
    for each in asked:
        scopes = {ALL, source_scope(each.source)}
        if each.category:
            scopes |= {category_scope(each.category), category_scope(each.category, each.source)}
        for entry in entries:
            applies = entry.channel is each.channel and entry.scope in scopes
            bound = entry.binding or each.category not in exempt
            if applies and bound and entry.recipient_hash in hashes[each.key]:
                why = f"suppressed: {entry.reason}, see notify suppress show {entry.id}"
                stopped.setdefault(each.key, why)
    return stopped


def lift_entries(
    connection: Connection, wanted: SuppressionFilter, *, now: datetime
) -> Sequence[ListedSuppression]:
    """Lift the entries in effect that match, and return them."""
    columns = suppressions.c
    query = _matching(connection, wanted, now=now).order_by(columns.id).with_for_update()
    found = [_entry(row) for row in connection.execute(query)]
    ids = [each.id for each in found]
    for start in range(0, len(ids), _AT_ONCE):
        some = columns.id.in_(ids[start : start + _AT_ONCE])
        connection.execute(update(suppressions).where(some).values(lifted_at=now))
        known_there = columns.reason.in_(_VENDORS_LISTS)
        connection.execute(update(suppressions).where(some, known_there).values(vendor_lift=True))
    return found


def _matching(connection: Connection, wanted: SuppressionFilter, *, now: datetime) -> Select[Any]:
    return select(suppressions).where(and_(True, *_conditions(connection, wanted, now=now)))


def _conditions(
    connection: Connection, wanted: SuppressionFilter, *, now: datetime
) -> Iterator[ColumnElement[bool]]:
    columns = suppressions.c
    yield from _of_recipient(connection, wanted)
    if wanted.ids:
        yield columns.id.in_(wanted.ids)
    if wanted.before_id is not None:
        yield columns.id < wanted.before_id
    if wanted.reason is not None:
        yield columns.reason == wanted.reason
    if wanted.scope is not None:
        yield columns.scope == wanted.scope
    yield from _owned(wanted)
    if wanted.since is not None:
        yield columns.since >= moment(wanted.since)
    if not wanted.ended:
        yield columns.lifted_at.is_(None)
        yield or_(columns.until.is_(None), columns.until > now)


def _of_recipient(
    connection: Connection, wanted: SuppressionFilter
) -> Iterator[ColumnElement[bool]]:
    columns = suppressions.c
    if wanted.channel is not None or wanted.recipient is not None:
        # The index begins with the channel.
        yield columns.channel.in_([wanted.channel] if wanted.channel else list(Channel))
    if wanted.recipient is not None:
        yield columns.recipient_hash.in_(cipher_of(connection).hashes(wanted.recipient))
    if wanted.recipient_hashes:
        yield columns.recipient_hash.in_(wanted.recipient_hashes)


def _owned(wanted: SuppressionFilter) -> Iterator[ColumnElement[bool]]:
    columns = suppressions.c
    if wanted.owner is not None:
        of_category = columns.scope.endswith(f"/{wanted.owner}", autoescape=True)
        category = and_(columns.scope.startswith("category:"), of_category)
        yield or_(columns.scope == source_scope(wanted.owner), category)
    if wanted.before is not None:
        yield columns.id.between(wanted.before - SEARCHED, wanted.before - 1)


def _entry(row: Row[Any]) -> ListedSuppression:
    values = row._asdict()
    return ListedSuppression(
        **values | {"channel": Channel(row.channel), "reason": SuppressionReason(row.reason)}
    )
