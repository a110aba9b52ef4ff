"""
Keep an order's mail status up to date from events, each exactly once.

    AMQP_URL=pyamqp://guest:guest@127.0.0.1:5672// python examples/events_consumer/consume.py shop

It does not import notify: it needs only py-amqp, and a table for the statuses.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

import amqp

TABLE = """
CREATE TABLE IF NOT EXISTS mails (
    id TEXT PRIMARY KEY, status TEXT NOT NULL, sequence INTEGER NOT NULL, reason TEXT
)
"""
# An event may come twice, and rarely an older one after a newer: the larger sequence wins.
LEARN = """
INSERT INTO mails (id, status, sequence, reason) VALUES (:id, :status, :sequence, :reason)
ON CONFLICT (id) DO UPDATE
SET status = excluded.status, sequence = excluded.sequence, reason = excluded.reason
WHERE excluded.sequence > mails.sequence
"""


def main() -> None:
    """Subscribe to the statuses of one source's notifications, and record the newest of each."""
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/events_consumer/consume.py SOURCE")
    source = sys.argv[1]
    mails = sqlite3.connect(os.environ.get("MAILS", "mails.db"))
    mails.execute(TABLE)
    with connect() as connection, connection.channel() as channel:
        # Our own queue keeps events while we are stopped; its length limit drops the oldest
        # if we never start again.
        queue = f"{source}.events"
        arguments = {"x-queue-type": "quorum", "x-max-length": 1_000_000}
        channel.queue_declare(queue, durable=True, auto_delete=False, arguments=arguments)
        channel.queue_bind(queue, "notify.events", f"*.*.{source}")
        channel.basic_qos(0, 100, False)

        def learn(message: amqp.Message) -> None:
            event = json.loads(message.body)
            if event["status"] == "refused":
                # A message of ours is wrong and did not become a mail: a developer must correct it.
                sys.stdout.write(f"{event['id'] or event['message_id']} refused {faults(event)}\n")
                sys.stdout.flush()
            elif note(mails, event):
                sys.stdout.write(f"{event['id']} {event['status']} {event['reason'] or ''}\n")
                sys.stdout.flush()
            # Only now: RabbitMQ delivers an event again that we had not committed.
            channel.basic_ack(message.delivery_tag)

        channel.basic_consume(queue, callback=learn)
        sys.stderr.write(f"waiting for the events of {source}; Ctrl-C stops\n")
        while True:
            with suppress(TimeoutError):
                connection.drain_events(timeout=5)
            connection.heartbeat_tick()


def faults(event: dict[str, Any]) -> str:
    """Return where a refused message is wrong, why, and what to do."""
    return "; ".join(
        f"{problem['where']} {problem['why']} ({problem['hint']})".strip()
        for problem in event["problems"]
    )


def note(mails: sqlite3.Connection, event: dict[str, Any]) -> bool:
    """Commit an event; return False if a newer one is recorded already."""
    with mails:
        return bool(mails.execute(LEARN, event).rowcount)


def connect() -> amqp.Connection:
    """Open the connection that AMQP_URL describes."""
    url = urlsplit(os.environ.get("AMQP_URL", "pyamqp://guest:guest@127.0.0.1:5672//"))
    return amqp.Connection(
        f"{url.hostname}:{url.port or 5672}",
        userid=unquote(url.username or "guest"),
        password=unquote(url.password or "guest"),
        virtual_host=unquote(url.path[1:]) or "/",
        heartbeat=30,
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(0)
