"""The two hot writes on PostgreSQL: each one statement, one round trip, one commit.

A batch travels as one array a column. With a list of rows instead, building and parsing the
statement cost more than running it (docs/adr/0006).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Row

from notify.message import Identity, Status
from notify.store.delivery.claims import Entry
from notify.store.delivery.records import Record
from notify.store.sealing.row_cipher import cipher_of

# Sorted by id, so that two workers with the same messages wait for each other, not in a circle.
_CLAIM = """
WITH asked AS (
    SELECT * FROM unnest(
        %(id)s::uuid[], %(public_id)s::uuid[], %(batch_id)s::uuid[], %(position)s::int[],
        %(source)s::text[],
        %(channel)s::text[], %(lane)s::text[], %(idempotency_key)s::text[], %(digest)s::bytea[],
        %(recipient)s::text[], %(template)s::text[], %(body)s::bytea[], %(status)s::text[],
        %(reason)s::text[], %(expires_at)s::timestamptz[], %(traceparent)s::text[],
        %(attempt_id)s::uuid[], %(provider)s::text[], %(due_at)s::timestamptz[],
        %(hold_id)s::bigint[], %(key_id)s::text[], %(recipient_hash)s::bytea[]
    ) AS asked (
        id, public_id, batch_id, position, source, channel, lane, idempotency_key, digest,
        recipient, template, body, status, reason, expires_at, traceparent, attempt_id, provider,
        due_at, hold_id, key_id, recipient_hash
    )
), written AS (
    INSERT INTO notifications (
        id, public_id, batch_id, position, source, channel, lane, idempotency_key, digest,
        recipient, template, body, status, reason, expires_at, traceparent, due_at, hold_id,
        key_id, recipient_hash,
        attempts, spent, possible_duplicate, fence, lease_until, received_at, updated_at
    )
    SELECT
        id, public_id, batch_id, position, source, channel, lane, idempotency_key, digest,
        recipient, template, body, status, reason, expires_at, traceparent, due_at, hold_id,
        key_id, recipient_hash,
        CASE WHEN attempt_id IS NULL THEN 0 ELSE 1 END, 0, false, 1,
        CASE WHEN attempt_id IS NULL THEN NULL ELSE %(until)s::timestamptz END,
        %(now)s::timestamptz, %(now)s::timestamptz
    FROM asked ORDER BY id
    ON CONFLICT DO NOTHING
    RETURNING source, id
), opened AS (
    INSERT INTO attempts (id, notification_id, number, provider, started_at)
    SELECT attempt_id, id, 1, provider, %(now)s::timestamptz
    FROM asked JOIN written USING (source, id) WHERE attempt_id IS NOT NULL
), ended AS (
    INSERT INTO events (notification_id, at, status, reason, to_publish)
    SELECT id, %(now)s::timestamptz, status, reason, due_at IS NULL
    FROM asked JOIN written USING (source, id) WHERE attempt_id IS NULL
)
SELECT source, id FROM written
"""

_RECORD = """
WITH ended AS (
    SELECT * FROM unnest(
        %(id)s::uuid[], %(attempt_id)s::uuid[], %(fence)s::int[], %(at)s::timestamptz[],
        %(outcome)s::text[], %(status)s::text[], %(provider_id)s::text[],
        %(http_status)s::int[], %(code)s::text[], %(reason)s::text[], %(spent)s::int[],
        %(due_at)s::timestamptz[], %(possible_duplicate)s::bool[], %(news)s::bool[]
    ) AS ended (
        id, attempt_id, fence, at, outcome, status, provider_id, http_status, code, reason,
        spent, due_at, possible_duplicate, news
    )
), written AS (
    UPDATE notifications
    SET status = ended.status, reason = ended.reason, lease_until = NULL, updated_at = ended.at,
        spent = ended.spent, due_at = ended.due_at,
        possible_duplicate = notifications.possible_duplicate OR ended.possible_duplicate
    FROM ended
    WHERE notifications.id = ended.id
        AND notifications.fence = ended.fence AND notifications.status = 'sending'
    RETURNING notifications.id
), closed AS (
    UPDATE attempts
    SET ended_at = ended.at, outcome = ended.outcome, provider_id = ended.provider_id,
        http_status = ended.http_status, code = ended.code, reason = ended.reason
    FROM ended JOIN written USING (id)
    WHERE attempts.id = ended.attempt_id
), noted AS (
    INSERT INTO events (notification_id, at, status, reason, to_publish)
    SELECT id, at, status, reason, news FROM ended JOIN written USING (id)
)
SELECT id FROM written
"""


def claim(
    engine: Engine, entries: Sequence[Entry], *, now: datetime, until: datetime
) -> set[Identity]:
    """Insert what is new, with its attempt or its end; return the sources and ids that were."""
    asked = [entry.notification for entry in entries]
    cipher = cipher_of(engine)
    kept = [cipher.seal_notification(each) for each in asked]
    written = _run(
        engine,
        _CLAIM,
        {
            "id": [each.id for each in asked],
            "public_id": [each.public_id for each in asked],
            "batch_id": [each.batch_id for each in asked],
            "position": [each.position for each in asked],
            "source": [each.source for each in asked],
            "channel": [each.channel.value for each in asked],
            "lane": [each.lane for each in asked],
            "idempotency_key": [each.idempotency_key for each in asked],
            "digest": [each.digest for each in kept],
            "recipient": [each.recipient for each in kept],
            "template": [each.template for each in asked],
            "body": [each.body for each in kept],
            "status": [entry.status.value for entry in entries],
            "reason": [entry.reason for entry in entries],
            "expires_at": [each.expires_at for each in asked],
            "traceparent": [each.traceparent for each in asked],
            "attempt_id": [
                entry.attempt_id if entry.status is Status.SENDING else None for entry in entries
            ],
            "provider": [entry.provider for entry in entries],
            "due_at": [entry.due_at for entry in entries],
            "hold_id": [entry.hold_id for entry in entries],
            "key_id": [each.key_id for each in kept],
            "recipient_hash": [each.recipient_hash for each in kept],
            "now": now,
            "until": until,
        },
    )
    return {(row.source, row.id) for row in written}


def record(engine: Engine, records: Sequence[Record]) -> set[UUID]:
    """Write how calls ended; give the ids that were still this worker's, so were written."""
    written = _run(
        engine,
        _RECORD,
        {
            "id": [each.notification_id for each in records],
            "attempt_id": [each.attempt_id for each in records],
            "fence": [each.fence for each in records],
            "at": [each.ended_at for each in records],
            "outcome": [each.outcome.value for each in records],
            "status": [each.status.value for each in records],
            "provider_id": [each.provider_id for each in records],
            "http_status": [each.http_status for each in records],
            "code": [each.code for each in records],
            "reason": [each.reason for each in records],
            "spent": [each.spent for each in records],
            "due_at": [each.due_at for each in records],
            "possible_duplicate": [each.possible_duplicate for each in records],
            "news": [each.news for each in records],
        },
    )
    return {row.id for row in written}


@contextmanager
def booking(engine: Engine) -> Iterator[Connection]:
    """Run statements that are each a transaction; one that need not survive a crash says so."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection


def _run(engine: Engine, statement: str, values: dict[str, Any]) -> Sequence[Row[Any]]:
    # One statement is its own transaction: no BEGIN and no COMMIT travel.
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return connection.exec_driver_sql(statement, values).all()
