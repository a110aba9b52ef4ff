"""A large record on PostgreSQL, and what is needed to deliver beside it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from benchmarks.stage import Nginx, repeated
from benchmarks.throughput import CONFIG, Bench
from notify.ledger import PERIOD, keep_up
from notify.publisher import connect
from notify.service.broker import topology_of
from notify.settings import Settings
from notify.stack.rabbitmq import RabbitMQNode
from notify.store import Store
from notify.topology import apply
from tests.support.services import PostgreSQL

_PART = 250_000
"""Rows of one transaction that fills the record."""

# Rows of 90 days: sent, one of 100 rejected, one of 10,000 of an unknown outcome.
_ROWS = """
CREATE TEMPORARY TABLE new ON COMMIT DROP AS
SELECT n, CAST(md5('id' || n) AS uuid) AS id,
    CAST(:now AS timestamptz) - interval '3 hours'
        - interval '90 days' * ((:rows - n) / CAST(:rows AS float)) AS at,
    CASE WHEN n % 10000 = 0 THEN 'unknown' WHEN n % 100 = 0 THEN 'rejected' ELSE 'sent' END
        AS status
FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n
"""
_FILL = (
    """
INSERT INTO notifications (
    id, position, source, channel, lane, idempotency_key, digest, recipient, recipient_hash, body,
    status, attempts, spent, possible_duplicate, unsettled, fence, received_at, updated_at
)
SELECT id, 0, 'shop', 'email', 'normal', CAST(n AS text), decode(repeat('00', 32), 'hex'),
    'r' || n || '@example.com', decode(md5('r' || n), 'hex'), decode(repeat('78', 500), 'hex'),
    status, 1, 1, false, CASE WHEN status = 'unknown' THEN true END, 1, at, at
FROM new
""",
    """
INSERT INTO attempts (id, notification_id, number, provider, started_at, ended_at, outcome)
SELECT CAST(md5('call' || n) AS uuid), id, 1, 'sendgrid', at, at,
    CASE status WHEN 'sent' THEN 'accepted' WHEN 'rejected' THEN 'not_sent' ELSE status END
FROM new
""",
    """
INSERT INTO events (notification_id, at, status, to_publish)
SELECT id, at, status, false FROM new ORDER BY n
""",
    """
INSERT INTO total_changes (hour, channel, lane, status, change)
SELECT floor(date_part('epoch', at) / 3600), 'email', 'normal', status, count(*)
FROM new WHERE status <> 'unknown' GROUP BY 1, 4
""",
)

WITHOUT_METRICS = """
[metrics]
enabled = false
"""


@dataclass(frozen=True, slots=True)
class LargeRecord:
    """A filled record, and the services to deliver into it."""

    store: Store
    bench: Bench
    config: Path
    """The configuration of workers that deliver into this record."""

    @property
    def folder(self) -> Path:
        """The folder of its files and logs."""
        return self.bench.folder


@contextmanager
def large_record(rows: int, *, more: str = "") -> Iterator[LargeRecord]:
    """Start the services and fill the record; `more` is further text of the configuration."""
    server = PostgreSQL()
    with tempfile.TemporaryDirectory(prefix="notify-bench-") as name:
        folder = Path(name)
        node = RabbitMQNode.start(folder / "rabbitmq")
        try:
            server.start()
            with connect(node.url) as connection:
                apply(topology_of(Settings()), connection)
            with filled(server, rows) as store:
                keep_up(store, now=store.clock())
                provider = Nginx(folder)
                try:
                    config = folder / "notify.toml"
                    url = store._engine.url.render_as_string(hide_password=False)
                    values = {"amqp": node.url, "store": url, "provider": provider.url}
                    config.write_text(CONFIG.format(**values) + WITHOUT_METRICS + more)
                    yield LargeRecord(store, Bench(node.url, provider, folder), config)
                finally:
                    provider.stop()
        finally:
            server.stop()
            node.stop()


def upkeep(store: Store) -> AbstractContextManager[None]:
    """Keep the totals and the marks of open notifications as the dead letters' pool does."""
    return repeated(lambda: keep_up(store, now=store.clock()), pause=PERIOD)


@contextmanager
def filled(server: PostgreSQL, rows: int) -> Iterator[Store]:
    """Return a record with so many notifications, analysed and vacuumed."""
    with server.database() as url:
        store = Store.open(url)
        store.migrate()
        fill(store, rows)
        yield store
        store.close()


def fill(store: Store, rows: int) -> None:
    """Add settled notifications of the last 90 days, each with its call, event and total."""
    now = store.clock()
    for first in range(1, rows + 1, _PART):
        values = {"first": first, "last": min(first + _PART - 1, rows), "rows": rows, "now": now}
        with store.writing() as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text(_ROWS), values)
            for statement in _FILL:
                connection.execute(text(statement))
    with store._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text("RESET statement_timeout"))
