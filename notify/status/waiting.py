"""Why a notification waits: its own state, and the holds, circuits and limits at this moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from notify.ledger import GRACE
from notify.message import Status
from notify.policies.holds import Hold
from notify.settings import Settings
from notify.status.overrides import OverridesSnapshot
from notify.status.plain import utc
from notify.store import Summary
from notify.topology import queue_name


@dataclass(frozen=True, slots=True)
class WaitReason:
    """One reason why a notification waits."""

    text: str
    needs_operator: bool = False
    """Whether it waits until an operator acts."""
    hold_id: int | None = None
    """The hold that stops it, if one does."""


def waits(
    summary: Summary, settings: Settings, overrides: OverridesSnapshot, *, now: datetime
) -> list[WaitReason]:
    """Return why a notification waits; nothing if it has ended."""
    return list(_reasons(summary, settings, overrides, now=now))


def _reasons(
    summary: Summary, settings: Settings, overrides: OverridesSnapshot, *, now: datetime
) -> Iterator[WaitReason]:
    match summary.status:
        case Status.SCHEDULED | Status.QUEUED:
            yield from _stopped(summary, settings, overrides)
            yield _due(summary, now=now)
        case Status.SENDING:
            yield _sending(summary, now=now)
        case Status.UNKNOWN:
            yield _unknown(summary, now=now)


def _stopped(
    summary: Summary, settings: Settings, overrides: OverridesSnapshot
) -> Iterator[WaitReason]:
    for hold in overrides.holds:
        if stops(hold, summary):
            text = f"hold {hold.id} stops {hold}: {hold.reason} ({hold.actor})"
            yield WaitReason(text, needs_operator=hold.until is None, hold_id=hold.id)
    if summary.channel in settings.channels and summary.lane in settings.lanes:
        why = overrides.pause(settings, summary.channel, summary.lane)
        if why is not None:
            yield WaitReason(f"workers do not consume its queue: {why}")


def stops(hold: Hold, summary: Summary) -> bool:
    """Return whether a hold stops a notification; a provider's hold stops none by itself."""
    return (
        hold.provider is None
        and hold.channel in (None, summary.channel)
        and hold.lane in (None, summary.lane)
        and hold.source in (None, summary.source)
        and hold.template in (None, summary.template)
    )


def _due(summary: Summary, *, now: datetime) -> WaitReason:
    due = summary.due_at
    if due is None:
        name = queue_name(summary.channel, summary.lane)
        return WaitReason(f"its message is in RabbitMQ, in {name}, or with a worker")
    if due <= now:
        return WaitReason(f"it is due since {utc(due)} UTC: a relay publishes it next")
    if summary.status is Status.SCHEDULED:
        return WaitReason(f"it is scheduled for {utc(due)} UTC")
    why = f": {summary.reason}" if summary.reason else ""
    return WaitReason(f"it is deferred until {utc(due)} UTC{why}")


def _sending(summary: Summary, *, now: datetime) -> WaitReason:
    lease = summary.lease_until
    if lease is not None and lease + GRACE < now:
        text = f"its worker's lease ended at {utc(lease)} UTC: no worker will record its call"
        return WaitReason(text, needs_operator=True)
    until = f" until {utc(lease)} UTC at most" if lease is not None else ""
    return WaitReason(f"a worker is sending it{until}")


def _unknown(summary: Summary, *, now: datetime) -> WaitReason:
    if summary.due_at is None:
        return WaitReason("its outcome is unknown: an operator must decide", needs_operator=True)
    when = "now" if summary.due_at <= now else f"at {utc(summary.due_at)} UTC"
    return WaitReason(f"its outcome is unknown: its provider's list is looked up {when}")
