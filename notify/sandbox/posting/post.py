"""One HTTP request of a vendor or a mail program, and when it is repeated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import parse_qs

from notify.sandbox.behaviour import ReceiptFault
from notify.sandbox.inbox import Message
from notify.sandbox.posting.script import Step

FIRST_WAIT, LONGEST_WAIT, DAY = 1.0, 600.0, 86_400.0
MOST_RETRIES = 5
"""The highest `rc`: https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides."""


@dataclass(frozen=True, slots=True)
class PlannedEvent:
    """A step of a message that is due."""

    message: Message
    step: Step
    fault: ReceiptFault | None = None
    at: float = 0.0
    """When it happened, in seconds since 1970."""
    repeat: bool = False
    """Whether it was posted before."""


class RetryRule(Protocol):
    """When a post that failed is repeated."""

    def wait(self, answered: int | str, tries: int) -> float | None:
        """
        Return the seconds to wait before the next try; None for no further try.

        Args:
            answered: The HTTP status, or `connect` or `timeout` if there was none.
            tries: The tries so far.
        """
        ...


@dataclass(frozen=True, slots=True)
class Never:
    """A forger and a mail program repeat no post."""

    def wait(self, answered: int | str, tries: int) -> float | None:  # noqa: ARG002
        """Return None."""
        return None


@dataclass(frozen=True, slots=True)
class UntilAccepted:
    """SendGrid repeats until the answer is 2xx, with growing waits, for a day."""

    def wait(self, answered: int | str, tries: int) -> float | None:
        """Return the wait, which doubles; None after a 2xx or a day."""
        if isinstance(answered, int) and 200 <= answered < 300:
            return None
        waits = [min(FIRST_WAIT * 2.0**n, LONGEST_WAIT) for n in range(tries)]
        return waits[-1] if sum(waits) <= DAY else None


@dataclass(frozen=True, slots=True)
class CallbackRule:
    """
    Twilio repeats as the fragment of the callback's URL asks.

    Attributes:
        retries: `rc`; Twilio's default is one.
        policies: `rp`, the failures that are repeated; by default a failed connection only.
    """

    retries: int = 1
    policies: frozenset[str] = frozenset({"ct"})

    @classmethod
    def of(cls, fragment: str) -> CallbackRule:
        """Return the rule of a fragment such as `rc=5&rp=all`; unknown values are ignored."""
        wanted = parse_qs(fragment)
        count, policies = wanted.get("rc", [""])[-1], wanted.get("rp", [""])[-1]
        retries = int(count) if count.isdecimal() and len(count) < 3 else 1
        return cls(min(retries, MOST_RETRIES), frozenset((policies or "ct").split(",")))

    def wait(self, answered: int | str, tries: int) -> float | None:
        """Return the wait, which doubles; None if the answer is not to be repeated."""
        failure = _failure(answered)
        if failure is None or tries > self.retries or not {failure, "all"} & self.policies:
            return None
        return FIRST_WAIT * 2.0 ** (tries - 1)


@dataclass(frozen=True, slots=True)
class WebhookPost:
    """One HTTP POST, as it is repeated."""

    url: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str]
    events: tuple[PlannedEvent, ...]
    """For the record."""
    rule: RetryRule
    tries: int = 0
    """The tries so far."""


def _failure(answered: int | str) -> str | None:
    """Return Twilio's word for a failure, or None for an answer that it accepts."""
    if answered == "connect":
        return "ct"
    if isinstance(answered, str):
        return "rt"
    return f"{answered // 100}xx" if answered >= 400 else None
