"""Tables of the HTTP API: its keys, and the requests that came with an idempotency key."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, LargeBinary, String, Table, Uuid

from notify.store.tables.kinds import NUMBER, UtcDateTime, metadata

# A row is never deleted: the audit names its number.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column("source", String(63), nullable=False),
    # Chosen by an operator, such as the program that uses it.
    Column("name", String(64), nullable=False),
    # Separated by spaces.
    Column("scopes", String(64), nullable=False),
    # SHA-256 of the key. It has 256 random bits, so that a slow hash would protect nothing.
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    # To the minute.
    Column("used_at", UtcDateTime),
    # The key that it replaces.
    Column("replaces", NUMBER, unique=True),
)

# With these the API answers a repeat before a worker has claimed the request. Only requests
# with an idempotency key have a row, and only for some days: later the notification answers.
api_requests = Table(
    "api_requests",
    metadata,
    Column("source", String(63), primary_key=True),
    Column("idempotency_key", String(255), primary_key=True),
    # The id under which it was published: a batch's, if it has several recipients.
    Column("id", Uuid, nullable=False),
    # As in `notifications`: sealed by the keyring's hash key, which never changes, or in clear.
    Column("digest", LargeBinary(32), nullable=False),
    Column("sealed", Boolean, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    # When RabbitMQ confirmed it; null while that is not known.
    Column("confirmed_at", UtcDateTime),
)
Index("ix_api_requests_at", api_requests.c.at)
