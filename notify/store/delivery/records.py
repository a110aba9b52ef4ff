"""The outcome of a claimed call, as its worker records it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self
from uuid import UUID

from notify.message import Outcome, Status
from notify.store.status_rules import LONGEST_REASON, worth_publishing

LONGEST_ID = 255
LONGEST_CODE = 64
"""Characters that the columns of a vendor's id and code hold."""

_NOT_PLAIN = re.compile("[^ -~]")


@dataclass(frozen=True, slots=True)
class Record:
    """
    How one call ended.

    Attributes:
        fence: The number under which the notification was claimed.
        status: The notification's new status.
        provider_id: The provider's id of the message, if it accepted it.
        http_status: The provider's HTTP status, if it answered.
        code: The vendor's error code, if it returned one.
        reason: Why it was not sent, without personal data.
    """

    notification_id: UUID
    attempt_id: UUID
    ended_at: datetime
    outcome: Outcome
    status: Status
    fence: int = 1
    provider_id: str | None = None
    http_status: int | None = None
    code: str | None = None
    reason: str | None = None
    spent: int = 1
    """Calls so far that count against the lane's limit."""
    due_at: datetime | None = None
    """When it is tried or looked up again; None if it is not."""
    possible_duplicate: bool = False
    """Whether it will be sent although this call may have sent it."""
    announced_until: datetime | None = None
    """Until when only this worker publishes the event; None: any worker does."""

    @property
    def to_publish(self) -> bool:
        """Whether producers get an event."""
        return worth_publishing(self.status, self.due_at)

    def of(self, notification_id: UUID, attempt_id: UUID) -> Record:
        """Return the same outcome of another notification; `replace` would cost three times it."""
        return Record(
            notification_id,
            attempt_id,
            self.ended_at,
            self.outcome,
            self.status,
            self.fence,
            self.provider_id,
            self.http_status,
            self.code,
            self.reason,
            self.spent,
            self.due_at,
            self.possible_duplicate,
            self.announced_until,
        )

    def plain(self) -> Self:
        """Return the outcome with the vendor's values reduced to what every database stores."""
        status = self.http_status
        return replace(
            self,
            provider_id=_plain(self.provider_id, LONGEST_ID),
            http_status=status if status in range(1000) else None,
            code=_plain(self.code, LONGEST_CODE),
            reason=_plain(self.reason, LONGEST_REASON),
            announced_until=None,
        )


def _plain(text: object, longest: int) -> str | None:
    """Return a text with all but printable ASCII replaced."""
    return _NOT_PLAIN.sub("?", text)[:longest] if isinstance(text, str) else None
