"""Giving the notifications of judged letters their times, in the caller's transaction."""

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
from notify.store.deadletters import Slot, replays
from notify.store.sealing import cipher_of


@dataclass(slots=True)
class ReplaySchedule:
    """
    The times that one group of letters gets.

    Attributes:
        again: For rows that are on record.
        new: For what no worker has seen yet.
        until: The last time of each letter, by its id.
        done: The letters of which nothing is left to decide.
    """

    again: list[Slot] = field(default_factory=list)
    new: list[Slot] = field(default_factory=list)
    until: dict[int, datetime] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)

    @classmethod
    def of(
        cls, cases: Sequence[LetterAssessment], order: ReplayRequest, times: SlotAllocator
    ) -> ReplaySchedule:
        """Give a time to each notification that the order sends."""
        line = cls()
        for case in cases:
            for part in case.wanted(order):
                slot = _slot(part, times)
                (line.again if part.known else line.new).append(slot)
                line.until[case.kept.id] = times.last[part.notification.channel]
            if not case.left(order):
                line.done.add(case.kept.id)
        return line

    def write(
        self,
        connection: Connection,
        order: ReplayRequest,
        actor: Actor,
        *,
        replay_id: UUID,
        now: datetime,
    ) -> list[UUID]:
        """Write the times and who gave them; give the notifications that have one now."""
        why = f"replayed by {actor.name}: {actor.reason}"
        replays.requeue(connection, self.again, why=why, now=now)
        written = replays.insert_new(connection, self.new, why=why, now=now)
        replays.mark_replayed(connection, self.until, replay_id=replay_id, done=self.done, now=now)
        lined_up = [*(slot.id for slot in self.again), *written]
        details = {
            "replay_id": str(replay_id),
            "rate": order.rate,
            "include_unknown": order.include_unknown,
            "letters": sorted(self.until),
            "notifications": len(lined_up),
            "possible_duplicates": sum(slot.possible_duplicate for slot in self.again),
        }
        write_audit(connection, actor, "dead.replay", details=details, at=now)
        return lined_up


class SlotAllocator:
    """Hands out times, evenly for each channel, from where earlier replays end."""

    def __init__(self, begins: Mapping[Channel, datetime], *, rate: float, now: datetime) -> None:
        """Begin now, or where earlier replays of a channel end; *rate* is a second's number."""
        self.last = dict(begins)
        self._step = timedelta(seconds=1 / rate)
        self._now = now

    def next(self, channel: Channel) -> datetime:
        """Give a channel's next free time."""
        before = self.last.get(channel)
        self.last[channel] = self._now if before is None else before + self._step
        return self.last[channel]


def keep_edit(
    connection: Connection,
    case: LetterAssessment,
    order: ReplayRequest,
    actor: Actor,
    *,
    now: datetime,
) -> None:
    """Keep what was mended beside what it was; the audit tells both by their digests."""
    mending = order.mending
    if mending is None or mending.letter_id != case.kept.id or not case.parts:
        return
    first = case.parts[0].notification
    replays.save_edit(connection, mending.letter_id, first, body=mending.body, key=mending.key)
    vault, before = cipher_of(connection), case.kept.mended_body or case.kept.body
    details: dict[str, Any] = {
        "letter": mending.letter_id,
        "before": vault.told(before),
        "after": vault.told(mending.body),
        "key": mending.key,
    }
    write_audit(connection, actor, "dead.mend", details=details, at=now)


def _slot(part: LetterPart, times: SlotAllocator) -> Slot:
    asked, known = part.notification, part.known
    due_at = times.next(asked.channel)
    if known is not None:
        possible_duplicate = part.prospect is Eligibility.UNKNOWN
        return Slot(known.id, asked, due_at, known.status, possible_duplicate)
    # A worker would put off what comes before its time, and the record would not take it again.
    due_at = max(due_at, asked.send_at or due_at)
    status = Status.SCHEDULED if asked.send_at == due_at else Status.QUEUED
    return Slot(asked.id, asked, due_at, status)
