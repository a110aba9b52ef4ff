"""An incoming message to its notifications: one for each recipient."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from notify.channels import CHANNELS, Request, is_uuid
from notify.contract.check import check
from notify.contract.document import parse
from notify.contract.envelope import Incoming, Route, check_envelope, route, too_large, trace
from notify.contract.limits import Limits
from notify.contract.problem import Problem, RequestInvalid
from notify.message import Channel, Notification

# The namespace of the ids made from a producer's own message ids.
_MESSAGE_IDS = UUID("2f1c7c8e-9d0b-5b86-8f0e-6d3c1f4a7b21")

# Recipients' copies may together hold this many times the largest body: a small request must not
# unfold into a worker's whole memory.
_UNFOLD = 16

# What says which request it is, and not what is asked.
_NOT_MEANING = frozenset({"v", "id", "idempotency_key", "batch"})

_CANONICAL = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")
)


def decode(
    incoming: Incoming, limits: Limits, *, now: datetime | None = None
) -> list[Notification]:
    """
    Read one message as the notifications it asks for, in the order of its recipients.

    A single recipient keeps the request's id and its body byte for byte. The members of a batch
    (`to` is a list, be it of one) get the id `uuid5(request id, position)` and a body of their own
    in which `batch` tells the request's id, the position and the digest: decoded again, that body
    gives the same notification, so that publishing it once more is never a second request.

    The idempotency key is the producer's, or the id in its canonical form. The digest is the
    SHA-256 of the channel and of the body without `v`, `id`, `idempotency_key` and nulls, its keys
    sorted: the same key with the same digest is the same request, even under a new id.

    Args:
        now: The time that `send_at` is compared with; None is the present.

    Raises:
        DecodeError: With where and why, and no value.
    """
    at = route(incoming.routing_key)
    check_envelope(incoming, source=at.source, limits=limits)
    document = parse(incoming.body)
    request = check(document, channel=at.channel, max_recipients=limits.max_recipients, now=now)
    whole = _whole(request, document, incoming=incoming, at=at)
    if isinstance(request.to, list):
        return list(_members(whole, request.to, document, limits))
    return [whole]


def _whole(
    request: Request, document: Mapping[str, Any], *, incoming: Incoming, at: Route
) -> Notification:
    """Build the notification of a single recipient, or the pattern for those of a batch."""
    identity = request.id or _identity(incoming.message_id, source=at.source)
    part = request.batch
    return Notification(
        id=identity,
        source=at.source,
        channel=at.channel,
        lane=at.lane,
        to=request.to if isinstance(request.to, str) else "",
        idempotency_key=request.idempotency_key or str(identity),
        digest=bytes.fromhex(part.digest) if part else _digest(document, at.channel),
        body=incoming.body,
        position=part.position if part else 0,
        batch_id=part.id if part else None,
        template=request.template,
        inline=None if request.template else CHANNELS[at.channel].content(vars(request)),
        data=request.data or {},
        locale=request.locale,
        send_at=request.send_at,
        expires_at=request.expires_at,
        metadata=request.metadata or {},
        traceparent=trace(incoming.traceparent),
        published_at=incoming.published_at,
    )


def _members(
    whole: Notification,
    recipients: Sequence[Any],
    document: Mapping[str, Any],
    limits: Limits,
) -> Iterator[Notification]:
    shared = {
        name: value
        for name, value in document.items()
        if value is not None and name not in ("to", "data")
    }
    shared |= {"idempotency_key": whole.idempotency_key}
    size = 0
    for position, item in enumerate(recipients):
        to, own = (item, None) if isinstance(item, str) else (item.to, item.data)
        identity = uuid5(whole.id, str(position))
        data = {**whole.data, **own} if own else whole.data
        batch = {"id": str(whole.id), "position": position, "digest": whole.digest.hex()}
        copy = {**shared, "id": str(identity), "to": to, "data": data, "batch": batch}
        body = _CANONICAL.encode(copy).encode()
        size += len(body)
        if problem := too_large(body, limits.max_body_bytes) or _unfolded(size, limits):
            raise RequestInvalid([problem])
        yield replace(
            whole, id=identity, to=to, body=body, position=position, batch_id=whole.id, data=data
        )


def _unfolded(size: int, limits: Limits) -> Problem | None:
    limit = _UNFOLD * limits.max_body_bytes
    if size <= limit:
        return None
    why = f"the recipients' copies are larger than {limit} bytes together"
    hint = "send fewer recipients at once, or put what they share into a template"
    return Problem("to", why, hint)


def _identity(message_id: str | None, *, source: str) -> UUID:
    """Take a UUID from the AMQP message id, or make one of it that stays the same."""
    if not message_id:
        hint = "put a UUID there or set the AMQP message_id"
        raise RequestInvalid([Problem("id", "missing, and no AMQP message_id either", hint)])
    if not message_id.isprintable():
        why = "the AMQP message_id contains characters that do not print"
        raise RequestInvalid([Problem("", why, "use a UUID")])
    if is_uuid(message_id):
        return UUID(message_id)
    # A source holds no slash, so that the two cannot run into each other.
    return uuid5(_MESSAGE_IDS, f"{source}/{message_id}")


def _digest(document: Mapping[str, Any], channel: Channel) -> bytes:
    meaning = {
        name: value
        for name, value in document.items()
        if value is not None and name not in _NOT_MEANING
    }
    return hashlib.sha256(f"{channel} {_CANONICAL.encode(meaning)}".encode()).digest()
