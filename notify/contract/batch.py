"""
The bodies of notifications: of a batch's recipients a copy for each, or what they share only once.

Attachments are always in a shared part: all that reads a body reads as much as without them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from json.encoder import encode_basestring
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from notify.contract.limits import Limits
from notify.contract.problem import Problem, RequestInvalid
from notify.contract.size import attached_bytes, largest_request, too_large
from notify.message import Notification, SharedBody

CANONICAL = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")
)

# The recipients' copies, or their own parts, may together be this many times the largest body: a
# small request must not fill a worker's memory.
_EXPANSION = 16
# From so many bytes on, copies cost more than a row for what recipients share: 1 kB for each of
# 1,000 costs a quarter of the database's time to claim them, and is in its log twice.
_MUCH = 256 * 1024
# The namespace of the ids of shared parts.
_SHARED = UUID("6f0c2f3a-5a4e-5f0e-9d53-0a4f8a6a3c11")
# Fields of which each recipient has its own.
_OWN = ("id", "to", "data", "batch")


def members(
    whole: Notification,
    recipients: Sequence[Any],
    document: Mapping[str, Any],
    limits: Limits,
) -> Iterator[Notification]:
    """
    Yield the notifications of a batch.

    Args:
        whole: A notification with all that they have in common.
        recipients: The recipients of the request.
        document: The request.

    Raises:
        RequestInvalid: One is too large, or all together are.
    """
    shared = {
        name: value for name, value in document.items() if value is not None and name not in _OWN
    }
    shared |= {"idempotency_key": whole.idempotency_key}
    attached = attached_bytes(document)
    if attached * len(recipients) > _EXPANSION * largest_request(limits, attaches=True):
        raise RequestInvalid([_files_too_large(limits)])
    if attached:
        yield from _parts(whole, recipients, shared, limits, attached=attached)
        return
    if _copied(shared, whole.data, len(recipients), limits):
        copies = list(_copies(whole, recipients, shared, limits))
        if copies:
            yield from copies
            return
    yield from _parts(whole, recipients, shared, limits, attached=0)


def without_files(whole: Notification, document: Mapping[str, Any]) -> Notification:
    """Return the notification of one recipient with its attachments in a part of their own."""
    own = {
        name: value
        for name, value in document.items()
        if value is not None and name != "attachments"
    }
    files = CANONICAL.encode({"attachments": document["attachments"]}).encode()
    return replace(whole, body=CANONICAL.encode(own).encode(), shared=_shared_part(whole, files))


def whole_body(own: bytes, shared: bytes) -> bytes:
    """Return the complete body of a recipient from its own part and the shared one."""
    mine, common = json.loads(own), json.loads(shared)
    whole = {**common, **mine}
    if "data" in whole:
        # A request without data has none afterwards either: its digest is the same.
        whole["data"] = {**common.get("data", {}), **mine.get("data", {})}
    return CANONICAL.encode(whole).encode()


def _shared_part(whole: Notification, content: bytes) -> SharedBody:
    """Return a shared part; the copies that are tried again have that of their batch."""
    name = f"{whole.source}/{whole.batch_id or whole.id}/{whole.digest.hex()}"
    return SharedBody(uuid5(_SHARED, name), content)


def _copied(shared: Mapping[str, Any], data: Mapping[str, Any], count: int, limits: Limits) -> bool:
    """Whether each recipient has a complete body: what they share is little, even many times."""
    common = len(CANONICAL.encode({**shared, "data": data}).encode())
    return common * count <= min(_MUCH, _EXPANSION * limits.max_body_bytes)


def _copies(
    whole: Notification,
    recipients: Sequence[Any],
    shared: Mapping[str, Any],
    limits: Limits,
) -> Iterator[Notification]:
    """Yield them with complete bodies; nothing more once these are too large together."""
    found, size = [], 0
    without_data = CANONICAL.encode(shared)[:-1]
    with_data = CANONICAL.encode({**shared, "data": whole.data})[:-1]
    for position, item in enumerate(recipients):
        member = _Member.of(whole, position, item)
        data = {**whole.data, **member.own} if member.own else whole.data
        # The shared fields, which are written once, and the recipient's; no name is in both.
        if member.own:
            body = f"{without_data},{member.fields(whole, data)}}}".encode()
        else:
            body = f"{with_data},{member.fields(whole)}}}".encode()
        size += len(body)
        if size > _EXPANSION * limits.max_body_bytes:
            return
        _check(len(body), limits)
        found.append(member.notification(whole, body, data))
    yield from found


def _parts(
    whole: Notification,
    recipients: Sequence[Any],
    shared: Mapping[str, Any],
    limits: Limits,
    *,
    attached: int,
) -> Iterator[Notification]:
    """Yield them with bodies of their own parts only; *attached* bytes of the rest are files."""
    labels = f'"metadata":{CANONICAL.encode(shared["metadata"])},' if "metadata" in shared else ""
    # Events need the labels, and do not read the shared part.
    common = {name: value for name, value in shared.items() if name != "metadata"}
    content = CANONICAL.encode({**common, "data": whole.data}).encode()
    part = _shared_part(whole, content)
    size = len(content) - attached
    for position, item in enumerate(recipients):
        member = _Member.of(whole, position, item)
        own = member.own
        body = f"{{{member.fields(whole, own, labels=labels)}}}".encode()
        size += len(body)
        if size > _EXPANSION * limits.max_body_bytes:
            raise RequestInvalid([_too_large_together(limits)])
        _check(len(body) + len(content) - attached, limits)
        data = {**whole.data, **own} if own else whole.data
        yield member.notification(whole, body, data, shared=part)


class _Member(NamedTuple):
    """One recipient of a batch, with its own data."""

    id: UUID
    to: str
    position: int
    own: Mapping[str, Any]

    @classmethod
    def of(cls, whole: Notification, position: int, item: Any) -> _Member:
        """Return a recipient of the request."""
        to, own = (item, None) if isinstance(item, str) else (item.to, item.data)
        return cls(uuid5(whole.id, str(position)), to, position, own or {})

    def fields(
        self, whole: Notification, data: Mapping[str, Any] | None = None, *, labels: str = ""
    ) -> str:
        """
        Return the canonical JSON, without braces, of the fields that differ by recipient.

        Args:
            data: The field `data`, if it is one of these.
            labels: The field `metadata` with a comma, if it is to be among these.
        """
        own = "" if data is None else f'"data":{CANONICAL.encode(data)},'
        return (
            f'"batch":{{"digest":"{whole.digest.hex()}","id":"{whole.id}",'
            f'"position":{self.position}}},{own}"id":"{self.id}",{labels}'
            f'"to":{encode_basestring(self.to)}'
        )

    def notification(
        self,
        whole: Notification,
        body: bytes,
        data: Mapping[str, Any],
        *,
        shared: SharedBody | None = None,
    ) -> Notification:
        """Return its notification; `replace` would cost twice as much."""
        return Notification(
            self.id,
            whole.source,
            whole.channel,
            whole.lane,
            self.to,
            whole.idempotency_key,
            whole.digest,
            body,
            whole.shared if shared is None else shared,
            self.position,
            whole.id,
            whole.template,
            whole.category,
            whole.inline,
            data,
            whole.locale,
            whole.send_at,
            whole.expires_at,
            whole.metadata,
            whole.traceparent,
            whole.published_at,
            whole.extras,
            whole.public_id,
        )


def _check(size: int, limits: Limits) -> None:
    if problem := too_large(size, limits.max_body_bytes):
        raise RequestInvalid([problem])


def _files_too_large(limits: Limits) -> Problem:
    # Each recipient that is tried again later has a message of its own, with all files.
    limit = _EXPANSION * largest_request(limits, attaches=True)
    why = f"the files, times the recipients, are larger than {limit} bytes in base64"
    return Problem("attachments", why, "link to the files, or send fewer recipients at once")


def _too_large_together(limits: Limits) -> Problem:
    limit = _EXPANSION * limits.max_body_bytes
    why = f"the recipients' own parts are larger than {limit} bytes together"
    hint = "send fewer recipients at once, or put what they share into the request's data"
    return Problem("to", why, hint)
