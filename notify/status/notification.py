"""One notification and its timeline, batches and lists of them; recipients masked on request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from notify.message import Status
from notify.store import RecordedAttempt, RecordedReceipt, Story, Summary
from notify.store.delivery import Cancelled

_HOST = re.compile("[/?#]")
_LONGEST_HOST = 60
_SHORT = 12
"""Characters up to which nothing of a token is shown."""


def masked(summary: Summary) -> Summary:
    """Return a notification with its recipient masked."""
    return replace(summary, recipient=mask(summary.recipient))


def mask(recipient: str) -> str:
    """Return `ann@example.com` as `a•••@example.com`, and of others both ends."""
    local, at, domain = recipient.rpartition("@")
    if recipient.startswith("https://"):
        # A browser's subscription: its push service is not personal, and all else is.
        host = _HOST.split(recipient, 3)[2].rpartition("@")[2]
        return f"https://{host[:_LONGEST_HOST]}/•••{recipient[-2:]}"
    if at:
        return f"{local[:1]}•••@{domain}"
    if recipient.startswith("+"):
        return f"{recipient[:3]}•••••{recipient[-2:]}"
    return f"{recipient[:4]}•••{recipient[-2:]}" if len(recipient) > _SHORT else "•••"


@dataclass(frozen=True, slots=True)
class TimelineStep:
    """One thing that happened to a notification."""

    at: datetime
    name: str
    """Such as `received`, `attempt 1 begun` or a status."""
    status: Status | None
    """The status that it changed to; None for other steps."""
    details: str


def timeline(story: Story) -> list[TimelineStep]:
    """Return what happened to a notification, in the order of time; causes before effects."""
    return sorted(_steps(story), key=lambda step: step.at)


def _steps(story: Story) -> Iterator[TimelineStep]:
    summary = story.summary
    request = f"{summary.channel} for lane {summary.lane} from {summary.source}"
    yield TimelineStep(summary.received_at, "received", None, request)
    for attempt in story.attempts:
        name = f"attempt {attempt.number}"
        provider = f"through {attempt.provider}"
        yield TimelineStep(attempt.started_at, f"{name} begun", None, provider)
        if attempt.ended_at is not None and attempt.outcome is not None:
            outcome = attempt.outcome.value.replace("_", " ")
            yield TimelineStep(attempt.ended_at, f"{name} {outcome}", None, _answer(attempt))
    for receipt in story.receipts:
        yield _reported(receipt)
    reasons = {attempt.reason for attempt in story.attempts}
    for event in story.events:
        # The change that an attempt caused need not repeat the attempt's reason.
        reason = event.reason if event.reason not in reasons else None
        yield TimelineStep(event.at, event.status.value, event.status, reason or "")


def _reported(receipt: RecordedReceipt) -> TimelineStep:
    """Return the step of a receipt, at its arrival: vendors' clocks differ, and count seconds."""
    parts = [
        f"{receipt.provider}: {receipt.word}",
        receipt.code and f"code {receipt.code}",
        receipt.reason,
        receipt.at and f"at {receipt.at:%Y-%m-%d %H:%M:%S}",
        None if receipt.applied_at else "waits for its attempt",
    ]
    name = f"receipt {receipt.event.value.replace('_', ' ')}"
    details = ", ".join(part for part in parts if part)
    return TimelineStep(receipt.received_at, name, None, details)


def _answer(attempt: RecordedAttempt) -> str:
    parts = [
        f"{milliseconds(attempt)} ms",
        attempt.http_status and f"HTTP {attempt.http_status}",
        attempt.code and f"code {attempt.code}",
        attempt.provider_id and f"provider id {attempt.provider_id}",
        attempt.reason,
    ]
    return ", ".join(part for part in parts if part)


def milliseconds(attempt: RecordedAttempt) -> int | None:
    """Return how long a call took; None while it is open."""
    if attempt.ended_at is None:
        return None
    return round((attempt.ended_at - attempt.started_at).total_seconds() * 1000)


def summary_as_json(summary: Summary) -> dict[str, Any]:
    """
    Return a notification as `notify ls --json` prints it.

    It is named by its producer's id, and by its row's for commands that must tell two apart.
    """
    values = asdict(summary)
    row_id = values.pop("id")
    return {"id": values.pop("public_id"), "row_id": row_id, **values}


def story_as_json(story: Story, summary: Summary) -> dict[str, Any]:
    """
    Return a notification as `notify show --json` prints it.

    Args:
        summary: The story's own, with its recipient masked or not.
    """
    attempts = [
        asdict(attempt) | {"duration_ms": milliseconds(attempt)} for attempt in story.attempts
    ]
    events = [asdict(event) for event in story.events]
    receipts = [asdict(receipt) for receipt in story.receipts]
    return summary_as_json(summary) | {
        "attempts": attempts,
        "events": events,
        "receipts": receipts,
    }


def batch_as_json(
    batch_id: UUID, counts: Mapping[Status, int], members: Sequence[Summary]
) -> dict[str, Any]:
    """Return a batch as `notify show --json` prints it, its members in the batch's order."""
    rows = [summary_as_json(each) for each in sorted(members, key=lambda each: each.position)]
    return {"batch_id": batch_id, "counts": counts, "members": rows}


def cancelled_as_json(result: Cancelled) -> dict[str, Any]:
    """Return the result of a cancellation as `notify cancel --json` prints it."""
    left = {str(each): status.value for each, status in result.others.items()}
    return {"cancelled": [str(each) for each in result.ids], "left": left}
