"""The values of the suppression list: an entry to add, and entries to lift."""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from notify.message import Channel

ALL = "all"
"""The scope of an entry that stops every message to the recipient on its channel."""

LONGEST_EVIDENCE = 255
"""Characters that the column of the evidence holds."""


class SuppressionReason(enum.StrEnum):
    """Why a recipient must not be written to."""

    BOUNCE = "bounce"
    """The address does not exist, or can never receive this."""
    COMPLAINT = "complaint"
    """The recipient reported a message as spam."""
    OPT_OUT = "opt_out"
    """The recipient wants no more messages of the scope."""
    OPERATOR = "operator"
    IMPORTED = "imported"
    """From another list, which does not say why."""

    @property
    def binding(self) -> bool:
        """Whether it also stops categories that the operator exempts."""
        return self in (SuppressionReason.COMPLAINT, SuppressionReason.OPT_OUT)


def source_scope(source: str) -> str:
    """Return the scope of one producer's messages."""
    return f"source:{source}"


def category_scope(category: str, source: str | None = None) -> str:
    """Return the scope of one category: of one producer's messages, or of all."""
    return f"category:{category}" if source is None else f"category:{category}/{source}"


def sender_scope(sender: str) -> str:
    """Return the scope of one sender of a provider: a number, or a messaging service."""
    return f"sender:{sender}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """
    One reason not to write to a recipient.

    Attributes:
        recipient: The address in any spelling; empty if only its hash is known.
        recipient_hash: The hash, as a notification's row has it; None to hash the recipient.
        scope: `ALL`, or from `source_scope`, `category_scope` or `sender_scope`.
        since: When the evidence is from: an entry that was lifted later stays lifted.
        until: When it ends; None if it does not.
        binding: Whether it also stops exempt categories; None for the reason's own rule.
        evidence: What shows it, such as `5.1.1`, without personal data.
        provider: The provider whose vendor reported it.
    """

    channel: Channel
    reason: SuppressionReason
    since: datetime
    recipient: str = field(default="", repr=False)
    recipient_hash: bytes | None = None
    scope: str = ALL
    until: datetime | None = None
    binding: bool | None = None
    evidence: str = ""
    provider: str | None = None

    @property
    def binds(self) -> bool:
        """Whether it also stops exempt categories."""
        return self.reason.binding if self.binding is None else self.binding


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """
    The end of one reason not to write to a recipient.

    Attributes:
        at: When the recipient or an operator lifted it; later evidence suppresses again.
        provider: The provider whose vendor reported it.
        evidence: What shows it, without personal data.
    """

    channel: Channel
    at: datetime
    reason: SuppressionReason = SuppressionReason.OPT_OUT
    recipient: str = field(default="", repr=False)
    recipient_hash: bytes | None = None
    scope: str = ALL
    evidence: str = ""
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """
    An entry that `suppress` wrote, because the list lacked it or had it for a shorter time.

    Attributes:
        id: The entry's number.
    """

    id: int
    channel: Channel
    scope: str
    reason: SuppressionReason


def by_reason(added: Collection[Added]) -> dict[tuple[Channel, SuppressionReason], int]:
    """Return how many entries were written, for the metric of each channel and reason."""
    counts: dict[tuple[Channel, SuppressionReason], int] = {}
    for each in added:
        counts[each.channel, each.reason] = counts.get((each.channel, each.reason), 0) + 1
    return counts
