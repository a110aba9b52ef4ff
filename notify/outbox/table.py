"""The outbox's table in the producer's own schema."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Integer, MetaData, String, Table, Text


def outbox_table(
    metadata: MetaData, *, name: str = "notify_outbox", schema: str | None = None
) -> Table:
    """
    Add the table to the producer's metadata, for its migrations or `create_all` to create.

    A program in any language may write rows. The columns `routing_key`, `message_id` (the request's
    id) and `body` (the request as JSON) are enough.
    """
    return Table(
        name,
        metadata,
        # Requests are published in this order.
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
        # Leased by a relay until then (UTC).
        Column("held_until", DateTime(timezone=True)),
        schema=schema,
    )
