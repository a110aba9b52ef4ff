"""The due times of replayed notifications, written in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from notify.deadletters.assessment import LetterAssessment, LetterPart
from notify.deadletters.eligibility import Eligibility
from notify.deadletters.replay_request import ReplayRequest
from notify.message import Channel, Status
from notify.store import Actor, write_audit
from notify.store.deadletters import Slot, insert_new, mark_replayed, requeue, save_edit
from notify.store.relays import publish_again
from notify.store.sealing import cipher_of


@dataclass(slots=True)
class ReplaySchedule:
    """
    The slots of one group of letters.

    Attributes:
        again: For notifications that have a row.
        new: For notifications that no worker has recorded.
        until: The last slot of each letter, by its id.
        done: The letters that hold nothing more to replay.
        reports: The exchange to publish each report to, by its letter's id.
    """

    again: list[Slot] = field(default_factory=list)
    new: list[Slot] = field(default_factory=list)
    until: dict[int, datetime] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)
    reports: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        assessments: Sequence[LetterAssessment],
        request: ReplayRequest,
        slots: SlotAllocator,
    ) -> ReplaySchedule:
        """Allocate a slot to each notification that the request sends."""
        schedule = cls()
        for each in assessments:
            for part in each.selected(request):
                slot = _slot(part, slots)
                (schedule.again if part.known else schedule.new).append(slot)
                schedule.until[each.letter.id] = slots.last[part.notification.channel]
            if each.report is not None and not each.unfit:
                schedule.reports[each.letter.id] = each.report.value
                schedule.until[each.letter.id] = slots.now
            if not each.has_more(request):
                schedule.done.add(each.letter.id)
        return schedule

    def write(
        self,
        connection: Connection,
        request: ReplayRequest,
        actor: Actor,
        *,
        replay_id: UUID,
        now: datetime,
    ) -> list[UUID]:
        """Write the slots and an audit row; return the notifications that have a slot now."""
        why = f"replayed by {actor.name}: {actor.reason}"
        requeue(connection, self.again, why=why, now=now)
        written = insert_new(connection, self.new, why=why, now=now)
        publish_again(connection, self.reports)
        mark_replayed(connection, self.until, replay_id=replay_id, done=self.done, now=now)
        scheduled = [*(slot.id for slot in self.again), *written]
        details: dict[str, Any] = {
            "replay_id": str(replay_id),
            "rate": request.rate,
            "include_unknown": request.include_unknown,
            "letters": sorted(self.until),
            "notifications": len(scheduled),
            "reports": len(self.reports),
            "possible_duplicates": sum(slot.possible_duplicate for slot in self.again),
        }
        if request.plan_id is not None:
            details["plan"] = request.plan_id
        write_audit(connection, actor, "dead.replay", details=details, at=now)
        return scheduled


class SlotAllocator:
    """Allocates due times, evenly spaced for each channel, after those of earlier replays."""

    def __init__(self, last: Mapping[Channel, datetime], *, rate: float, now: datetime) -> None:
        """
        Create an allocator.

        Args:
            last: The last slots of earlier replays, by channel; the others begin now.
            rate: Slots a second, for each channel.
        """
        self.last = dict(last)
        self._step = timedelta(seconds=1 / rate)
        self.now = now

    def next(self, channel: Channel) -> datetime:
        """Return a channel's next free slot."""
        before = self.last.get(channel)
        self.last[channel] = self.now if before is None else before + self._step
        return self.last[channel]


def keep_edit(
    connection: Connection,
    assessment: LetterAssessment,
    request: ReplayRequest,
    actor: Actor,
    *,
    now: datetime,
) -> None:
    """Save the edit of a letter beside the original; the audit row has both digests."""
    edit, letter = request.edit, assessment.letter
    if edit is None or edit.letter_id != letter.id or not assessment.parts:
        return
    first = assessment.parts[0].notification
    save_edit(connection, edit.letter_id, first, body=edit.body, key=edit.key)
    cipher, before = cipher_of(connection), letter.mended_body or letter.body
    details: dict[str, Any] = {
        "letter": edit.letter_id,
        "before": cipher.content_digest(before),
        "after": cipher.content_digest(edit.body),
        "key": edit.key,
    }
    write_audit(connection, actor, "dead.mend", details=details, at=now)


def _slot(part: LetterPart, slots: SlotAllocator) -> Slot:
    asked, known = part.notification, part.known
    due_at = slots.next(asked.channel)
    if known is not None:
        possible_duplicate = part.eligibility is Eligibility.UNKNOWN
        return Slot(known.id, asked, due_at, known.status, possible_duplicate)
    # Before its time a worker would defer it, and the record refuse it as a duplicate.
    due_at = max(due_at, asked.send_at or due_at)
    status = Status.SCHEDULED if asked.send_at == due_at else Status.QUEUED
    return Slot(asked.id, asked, due_at, status)
