"""Decode an incoming message into its notifications: one for each recipient."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from notify.channels import CHANNELS, Request, is_uuid
from notify.contract.batch import CANONICAL, members, without_files
from notify.contract.check import check
from notify.contract.document import parse
from notify.contract.envelope import Incoming, Route, check_envelope, route, trace
from notify.contract.limits import Limits
from notify.contract.problem import Problem, RequestInvalid
from notify.contract.size import most_bytes, size_problem
from notify.message import Channel, Extras, Notification

# The namespace of ids that are derived from a producer's own message ids.
_MESSAGE_IDS = UUID("2f1c7c8e-9d0b-5b86-8f0e-6d3c1f4a7b21")

# Fields that identify a request and do not change its meaning.
_IDENTIFYING = frozenset({"v", "id", "idempotency_key", "batch"})


def decode(
    incoming: Incoming, limits: Limits, *, now: datetime | None = None
) -> list[Notification]:
    """
    Return the notifications that one message asks for, in the order of its recipients.

    A single recipient keeps the request's id and its body byte for byte; attachments are apart from
    it, in a shared part. Each member of a batch (`to` is a list, even of one) gets the id
    `uuid5(request id, position)` and a body of its own, in which `batch` has the request's id, the
    position and the digest. Decoded again, that body is the same notification, so that publishing
    it again is never a second request.

    The idempotency key is the producer's, or the id in its canonical form. The digest is the
    SHA-256 of the channel and of the body without `v`, `id`, `idempotency_key` and nulls, its keys
    sorted: the same key with the same digest is the same request, even under a new id.

    Args:
        now: The time that `send_at` is compared with; None is the present.

    Raises:
        DecodeError: A `RequestInvalid`; its text names where and why, never a value.
    """
    at = route(incoming.routing_key)
    channel, size = CHANNELS[at.channel], len(incoming.body)
    largest = most = limits.max_body_bytes
    if size > most:
        largest = most_bytes(incoming.body, limits, attaches=channel.attaches)
    check_envelope(incoming, source=at.source, limits=limits, largest=largest)
    document = parse(incoming.body)
    request = check(document, channel=at.channel, max_recipients=limits.max_recipients, now=now)
    extras = channel.extras(request)
    if request.category is not None or extras is not None or size > most:
        _check_limits(request, extras, at, limits, document=document, size=size)
    notification = _notification(request, extras, document, limits, incoming=incoming, at=at)
    if isinstance(request.to, list):
        return list(members(notification, request.to, document, limits))
    if extras is not None and extras.attachments:
        return [without_files(notification, document)]
    return [notification]


def _check_limits(
    request: Request,
    extras: Extras | None,
    at: Route,
    limits: Limits,
    *,
    document: Mapping[str, Any],
    size: int,
) -> None:
    """Check a request against what the operators have configured."""
    found = []
    if request.category is not None and limits.categories is not None:
        found.append(limits.categories.problem(request.category, at.lane))
    if extras is not None and extras.sender is not None and limits.senders is not None:
        problem = limits.senders.problem(extras.sender, source=at.source, channel=at.channel)
        found.append(problem)
    if size > limits.max_body_bytes or (extras is not None and extras.attachments):
        found.append(size_problem(document, size, limits))
    if problems := [problem for problem in found if problem is not None]:
        raise RequestInvalid(problems)


def _category(request: Request, at: Route, limits: Limits) -> str | None:
    if request.category is not None or limits.categories is None:
        return request.category
    return limits.categories.default(at.source, at.lane)


def _notification(
    request: Request,
    extras: Extras | None,
    document: Mapping[str, Any],
    limits: Limits,
    *,
    incoming: Incoming,
    at: Route,
) -> Notification:
    """Build the notification of a single recipient, or the template for those of a batch."""
    id_ = request.id or _id_of(incoming.message_id, source=at.source)
    batch = request.batch
    return Notification(
        id=id_,
        source=at.source,
        channel=at.channel,
        lane=at.lane,
        to=request.to if isinstance(request.to, str) else "",
        idempotency_key=request.idempotency_key or str(id_),
        digest=bytes.fromhex(batch.digest) if batch else digest_of(document, at.channel),
        body=incoming.body,
        position=batch.position if batch else 0,
        batch_id=batch.id if batch else None,
        template=request.template,
        inline=None if request.template else CHANNELS[at.channel].content(vars(request)),
        data=request.data or {},
        locale=request.locale,
        send_at=request.send_at,
        expires_at=request.expires_at,
        metadata=request.metadata or {},
        category=_category(request, at, limits),
        traceparent=trace(incoming.traceparent),
        published_at=incoming.published_at,
        extras=extras,
    )


def _id_of(message_id: str | None, *, source: str) -> UUID:
    """Return the AMQP message id as a UUID, or a UUID that is always the same for that id."""
    if not message_id:
        hint = "put a UUID there or set the AMQP message_id"
        raise RequestInvalid([Problem("id", "missing, and no AMQP message_id either", hint)])
    if not message_id.isprintable():
        why = "the AMQP message_id contains characters that do not print"
        raise RequestInvalid([Problem("", why, "use a UUID")])
    if is_uuid(message_id):
        return UUID(message_id)
    # A source has no slash, so no two pairs of source and id give one name.
    return uuid5(_MESSAGE_IDS, f"{source}/{message_id}")


def digest_of(document: Mapping[str, Any], channel: Channel) -> bytes:
    """Return the SHA-256 of a request's meaning: equal for the same request under another id."""
    meaning = {
        name: value
        for name, value in document.items()
        if value is not None and name not in _IDENTIFYING
    }
    return hashlib.sha256(f"{channel} {CANONICAL.encode(meaning)}".encode()).digest()
