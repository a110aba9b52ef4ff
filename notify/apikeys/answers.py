"""The answers for notifications that came by the API."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from notify.errors import NotifyError


class Acceptance(enum.StrEnum):
    """The answer for one notification."""

    ACCEPTED = "accepted"
    """RabbitMQ has confirmed it."""
    REPLAYED = "replayed"
    """The same request was accepted before; nothing was published."""
    UNCONFIRMED = "unconfirmed"
    """RabbitMQ did not confirm it. It may have arrived: send it again with the same id or key."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """One notification, and what is known about it."""

    id: UUID
    """Of the batch, if it has several recipients."""
    status: Acceptance
    members: Sequence[UUID] | None = None
    """The ids of a batch's recipients, in their order."""


class KeyConflict(NotifyError):
    """
    An idempotency key belongs to another request; nothing was published.

    Attributes:
        indices: The notifications whose keys these are.
    """

    def __init__(self, indices: Sequence[int]) -> None:
        self.indices = indices
        super().__init__("the idempotency key belongs to another request of this source")


class NotConfirmed(NotifyError):
    """
    RabbitMQ did not confirm all notifications.

    Attributes:
        results: What is known of each, in their order.
    """

    def __init__(self, results: Sequence[Accepted]) -> None:
        self.results = results
        count = sum(each.status is Acceptance.UNCONFIRMED for each in results)
        super().__init__(f"RabbitMQ did not confirm {count} of {len(results)} notifications")
