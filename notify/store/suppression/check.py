"""
The check of a message against the list, as a part of the statement that claims it.

Each claim looks up one index entry for each hash that the recipient may have.
"""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, or_, select

from notify.message import Notification
from notify.store.sealing.row_cipher import cipher_of
from notify.store.suppression.entries import SuppressionReason, sender_scope
from notify.store.tables import suppressions


class SuppressionCheck(enum.StrEnum):
    """Which entries of the list stop a message."""

    ALL = "all"
    BINDING = "binding"
    """Only complaints and opt-outs, and what an operator made binding: its category is exempt."""
    NONE = "none"
    """None: there is no call, or it was made already."""


# The hashes of a whole batch are one scan of the index, which usually finds nothing: a lookup for
# each row costs three times as much. Binding entries first, so that the text names the one that is
# the hardest to lift.
POSTGRESQL = """listed AS MATERIALIZED (
    SELECT * FROM suppressions
    WHERE recipient_hash = ANY (%(hashes)b::bytea[])
        AND lifted_at IS NULL AND (until IS NULL OR until > %(now)b::timestamptz)
), stopped AS (
    SELECT DISTINCT ON (wanted.source, wanted.id) wanted.source, wanted.id,
        'suppressed: ' || listed.reason || ', see notify suppress show ' || listed.id AS why
    FROM listed JOIN wanted
        ON listed.recipient_hash IN (wanted.recipient_hash, wanted.clear_hash)
        AND listed.channel = wanted.channel
    WHERE wanted.checked <> 'none' AND (listed.binding OR wanted.checked = 'all')
        AND listed.scope IN (
            'all', 'source:' || wanted.source, 'category:' || wanted.category,
            'category:' || wanted.category || '/' || wanted.source, 'sender:' || wanted.sender
        )
    ORDER BY wanted.source, wanted.id, listed.binding DESC, listed.id
)"""
"""Two tables of a statement: the entries of `hashes`, and the text for each row that one stops."""

SQLITE = """
SELECT 'suppressed: ' || reason || ', see notify suppress show ' || id
FROM suppressions
WHERE channel = ? AND recipient_hash IN (?, ?)
    AND lifted_at IS NULL AND (until IS NULL OR until > ?)
    AND scope IN (
        'all', 'source:' || ?, 'category:' || ?, 'category:' || ? || '/' || ?, 'sender:' || ?
    )
    AND (binding OR ?)
ORDER BY binding DESC, id
LIMIT 1
"""
"""
The same for one message: its channel, both hashes, time, source, category, category again, source
again, sender, if all.
"""


def reason_in(why: str) -> SuppressionReason:
    """Return the reason in the text of the check."""
    return SuppressionReason(why.removeprefix("suppressed: ").partition(",")[0])


def sender_refused(
    connection: Connection, asked: Notification, *, sender: str | None, now: datetime
) -> bool:
    """Return whether the recipient opted out of messages of a provider's sender."""
    if sender is None:
        return False
    matching = _in_effect(connection, asked, now=now)
    query = select(suppressions.c.id).where(matching, suppressions.c.scope == sender_scope(sender))
    return connection.execute(query.limit(1)).first() is not None


def _in_effect(
    connection: Connection, asked: Notification, *, now: datetime
) -> ColumnElement[bool]:
    columns = suppressions.c
    return (
        (columns.channel == asked.channel.value)
        & columns.recipient_hash.in_(cipher_of(connection).hashes(asked.to))
        & columns.lifted_at.is_(None)
        & or_(columns.until.is_(None), columns.until > now)
    )
