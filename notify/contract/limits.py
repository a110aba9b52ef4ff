"""The limits on a message that do not depend on its content."""

from __future__ import annotations

from dataclasses import dataclass

from notify.contract.categories import CategoryNames
from notify.contract.senders import SenderNames


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a message may be, and which AMQP users may publish it."""

    max_body_bytes: int = 1_048_576
    """
    The largest body. The recipients' own parts of a batch may together have 16 times as many bytes.
    """
    max_attachment_bytes: int = 7_000_000
    """
    The most bytes of a request's files together, decoded. Their base64 is not part of the largest
    body: a request may be larger by as much.
    """
    max_recipients: int = 1000
    """The longest list of recipients."""
    require_user_id: bool = False
    """Whether the AMQP user must be the source."""
    trusted_users: frozenset[str] = frozenset()
    """The AMQP users that may publish for any source: the service's own."""
    categories: CategoryNames | None = None
    """The configured categories; if None they are not known, and a request may name any."""
    senders: SenderNames | None = None
    """The configured senders; if None they are not known, and a request may name any."""


DEFAULT_LIMITS = Limits()
