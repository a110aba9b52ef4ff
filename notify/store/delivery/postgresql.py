"""
The two hot writes on PostgreSQL: each one statement, one round trip, one commit.

A batch is sent as one array for each column. With a list of rows instead, building and parsing the
statement cost more than running it (docs/adr/0006).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from sqlalchemy import Connection, Engine

from notify.store.db.hot import run
from notify.store.db.packed import Packed, packed_array, packed_time
from notify.store.delivery.claims import Entry, FirstClaims
from notify.store.delivery.columns import CLAIMED, ENDED, NEW, claimed_row, ended_row
from notify.store.delivery.records import Record
from notify.store.sealing.row_cipher import cipher_of
from notify.store.shared_bodies import write_shared
from notify.store.status_rules import OPEN
from notify.store.suppression import SuppressionCheck, check
from notify.store.totals import HOUR_IN_SQL


def _unnested(name: str, columns: Mapping[str, str]) -> str:
    """Return the SQL of a table made of one array parameter for each column."""
    arrays = ", ".join(f"%({column})b::{type_}[]" for column, type_ in columns.items())
    return f"unnest({arrays}) AS {name} ({', '.join(columns)})"


_NEW = ", ".join(NEW)
_OPEN = ", ".join(f"'{status}'" for status in OPEN)
_ID = attrgetter("notification_id.int")
_HOUR = HOUR_IN_SQL["postgresql"] + " AS hour"
# The columns of a claim that the suppression list stops: it ends without its call.
_STOPPED = {
    "status": "CASE WHEN why IS NULL THEN wanted.status ELSE 'suppressed' END AS status",
    "reason": "coalesce(why, wanted.reason) AS reason",
    "attempt_id": "CASE WHEN why IS NULL THEN attempt_id END AS attempt_id",
}
_ASKED = ", ".join(_STOPPED.get(column, f"wanted.{column}") for column in CLAIMED)
# Sorted by id, so that two workers with the same messages do not deadlock.
_CLAIM = f"""
WITH wanted AS (
    SELECT * FROM {_unnested("wanted", CLAIMED)}
), {check.POSTGRESQL}, asked AS (
    SELECT {_ASKED}, why FROM wanted LEFT JOIN stopped USING (source, id)
), written AS (
    INSERT INTO notifications (
        {_NEW},
        unsettled,
        attempts, spent, possible_duplicate, fence, lease_until, received_at, updated_at
    )
    SELECT
        {_NEW},
        CASE WHEN attempt_id IS NULL AND status IN ({_OPEN}) THEN true END,
        CASE WHEN attempt_id IS NULL THEN 0 ELSE 1 END, 0, false, 1,
        CASE WHEN attempt_id IS NULL THEN NULL ELSE %(until)b::timestamptz END,
        %(now)b::timestamptz, %(now)b::timestamptz
    FROM asked ORDER BY id
    ON CONFLICT DO NOTHING
    RETURNING source, id
), opened AS (
    INSERT INTO attempts (id, notification_id, number, provider, started_at)
    SELECT attempt_id, id, 1, provider, %(now)b::timestamptz
    FROM asked JOIN written USING (source, id) WHERE attempt_id IS NOT NULL
), ended AS (
    INSERT INTO events (notification_id, at, status, reason, to_publish)
    SELECT id, %(now)b::timestamptz, status, reason, due_at IS NULL
    FROM asked JOIN written USING (source, id) WHERE attempt_id IS NULL
), counted AS (
    INSERT INTO total_changes (hour, channel, lane, status, change)
    SELECT {_HOUR.format("%(now)b::timestamptz")}, channel, lane, status, count(*)
    FROM asked JOIN written USING (source, id)
    WHERE attempt_id IS NULL AND status NOT IN ({_OPEN})
    GROUP BY channel, lane, status
)
SELECT source, id, written.id IS NOT NULL AS fresh, why
FROM asked LEFT JOIN written USING (source, id)
WHERE written.id IS NOT NULL OR why IS NOT NULL
"""  # noqa: S608 - the names of columns

_RECORD = f"""
WITH ended AS (
    SELECT * FROM {_unnested("ended", ENDED)}
), written AS (
    UPDATE notifications
    SET status = ended.status, reason = ended.reason, lease_until = NULL, updated_at = ended.at,
        spent = ended.spent, due_at = ended.due_at,
        unsettled = CASE WHEN ended.status IN ({_OPEN}) THEN true END,
        possible_duplicate = notifications.possible_duplicate OR ended.possible_duplicate
    FROM ended
    WHERE notifications.id = ended.id
        AND notifications.fence = ended.fence AND notifications.status = 'sending'
    RETURNING notifications.id, channel, lane, received_at
), closed AS (
    UPDATE attempts
    SET ended_at = ended.at, outcome = ended.outcome, provider_id = ended.provider_id,
        http_status = ended.http_status, code = ended.code, reason = ended.reason
    FROM ended JOIN written USING (id)
    WHERE attempts.id = ended.attempt_id
), noted AS (
    INSERT INTO events (notification_id, at, status, reason, to_publish, relay_until)
    SELECT id, at, status, reason, to_publish, relay_until FROM ended JOIN written USING (id)
    RETURNING notification_id, id
), counted AS (
    INSERT INTO total_changes (hour, channel, lane, status, change)
    SELECT {_HOUR.format("received_at")}, channel, lane, status, count(*)
    FROM ended JOIN written USING (id) WHERE status NOT IN ({_OPEN})
    GROUP BY hour, channel, lane, status
)
SELECT notification_id, id FROM noted
"""  # noqa: S608 - the names of columns


def claim(
    engine: Engine, entries: Sequence[Entry], *, now: datetime, until: datetime
) -> FirstClaims:
    """Insert what is new, with its attempt or its end; check all against the suppression list."""
    write_shared(engine, (entry.notification for entry in entries), now=now)
    cipher = cipher_of(engine)
    rows = [claimed_row(entry, cipher) for entry in entries]
    values = {
        **_arrays(CLAIMED, rows),
        "now": packed_time(now),
        "until": packed_time(until),
        "hashes": packed_array("bytea", _hashes(rows)),
    }
    answers = run(engine, _CLAIM, values)
    return FirstClaims(
        {(source, id_) for source, id_, fresh, _ in answers if fresh},
        {(source, id_): why for source, id_, _, why in answers if why is not None},
    )


def _hashes(rows: Sequence[tuple[object, ...]]) -> list[object]:
    """Return the hashes to look for on the suppression list."""
    keyed, clear, checked = map([*CLAIMED].index, ("recipient_hash", "clear_hash", "checked"))
    checks = [row for row in rows if row[checked] != SuppressionCheck.NONE]
    return [hash_ for row in checks for hash_ in (row[keyed], row[clear]) if hash_ is not None]


def record(engine: Engine, records: Sequence[Record]) -> dict[UUID, int]:
    """Write how calls ended; return the event of each that this worker still owned."""
    # The first outcome of a notification: the statement would write an event for each.
    first = {each.notification_id: each for each in reversed(records)}
    # Rows are locked in this order, in which a receipts worker and a claim lock them as well.
    in_order = sorted(first.values(), key=_ID)
    written = run(engine, _RECORD, _arrays(ENDED, [ended_row(each) for each in in_order]))
    return dict(written)


@contextmanager
def booking(engine: Engine) -> Iterator[Connection]:
    """Run statements that are each a transaction, which may disable its own synchronous commit."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection


def _arrays(columns: Mapping[str, str], rows: Sequence[tuple[object, ...]]) -> dict[str, Packed]:
    values: Iterable[Sequence[object]] = zip(*rows, strict=True) if rows else ((),) * len(columns)
    named = zip(columns.items(), values, strict=True)
    return {column: packed_array(type_, each) for (column, type_), each in named}
