"""The outbox's table, as a part of the producer's own schema."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Integer, MetaData, String, Table, Text


def outbox_table(
    metadata: MetaData, *, name: str = "notify_outbox", schema: str | None = None
) -> Table:
    """
    Add the table to the producer's metadata, for its own migrations or `create_all` to make.

    Whatever writes rows of this shape is published, in any language: `routing_key`, `message_id`
    (the request's id) and `body` (the request as JSON) are enough.
    """
    return Table(
        name,
        metadata,
        # Requests leave in this order.
        Column(
            "id",
            BigInteger().with_variant(Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        Column("routing_key", String(255), nullable=False),
        Column("message_id", String(255), nullable=False),
        Column("body", Text, nullable=False),
        Column("traceparent", String(64)),
        # Which relay has it in hand, so to say: the others leave it alone until then (UTC).
        Column("held_until", DateTime(timezone=True)),
        schema=schema,
    )
