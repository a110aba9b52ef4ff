"""Writing requests into the producer's own transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, insert
from sqlalchemy.orm import Session, scoped_session

from notify.contract import DEFAULT_LIMITS, Incoming, Limits, decode
from notify.message import time_id

MAX_BODY_BYTES = DEFAULT_LIMITS.max_body_bytes
MAX_RECIPIENTS = DEFAULT_LIMITS.max_recipients
"""The service's defaults."""


class Outbox:
    """Writes requests into a table made by `outbox_table`. Safe to share among threads."""

    def __init__(
        self,
        table: Table,
        *,
        max_body_bytes: int = MAX_BODY_BYTES,
        max_recipients: int = MAX_RECIPIENTS,
    ) -> None:
        """
        Prepare to write.

        Args:
            table: The table of requests that wait for a relay.
            max_body_bytes: The largest request that the service accepts.
            max_recipients: The longest list of recipients that the service accepts.
        """
        self._table = table
        self._max_body_bytes = max_body_bytes
        self._max_recipients = max_recipients

    def put(
        self,
        transaction: Connection | Session | scoped_session[Session],
        routing_key: str,
        request: Mapping[str, Any],
        *,
        traceparent: str | None = None,
    ) -> UUID:
        """
        Write a request in the caller's transaction: it is published when that commits.

        Args:
            transaction: The connection or session of the caller's transaction.
            routing_key: `<channel>.<lane>.<source>`, such as `email.normal.shop`.
            request: The request, as `notify schema` describes it; Python's UUIDs and times may
                be values.
            traceparent: The W3C trace context that the delivery belongs to.

        Returns:
            The request's id; a new one if it has none.

        Raises:
            DecodeError: The request violates the contract; the text says where and why. No row was
                written, and the caller's transaction is unchanged.
            TypeError: It contains a value that JSON has no form for.
        """
        row = outbox_row(
            routing_key,
            request,
            traceparent=traceparent,
            max_body_bytes=self._max_body_bytes,
            max_recipients=self._max_recipients,
        )
        transaction.execute(insert(self._table).values(row))
        return UUID(row["message_id"])


def outbox_row(
    routing_key: str,
    request: Mapping[str, Any],
    *,
    traceparent: str | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
    max_recipients: int = MAX_RECIPIENTS,
) -> dict[str, Any]:
    """
    Check a request and return its outbox row, for producers that write it themselves.

    Arguments and errors are those of `Outbox` and its `put`.

    Returns:
        Values by the table's columns. `message_id` is the request's id as text.
    """
    id_ = time_id() if request.get("id") is None else request["id"]
    body = json.dumps({**request, "id": id_}, ensure_ascii=False, default=_as_text)
    decode(
        Incoming(
            # A lone surrogate, which no database accepts either, is refused with its position.
            body=body.encode(errors="surrogatepass"),
            routing_key=routing_key,
            content_type="application/json",
        ),
        Limits(max_body_bytes, max_recipients=max_recipients),
    )
    return {
        "routing_key": routing_key,
        "message_id": str(id_),
        "body": body,
        "traceparent": traceparent,
    }


def _as_text(value: object) -> str:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a request cannot contain a {type(value).__name__}")
