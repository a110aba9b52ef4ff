"""The reference model: what every course of events must satisfy."""

from __future__ import annotations

import enum
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from notify.message import Notification, Outcome, Rendered, Status, Unknown
from notify.relays.relay import RELAY_LEASE
from tests.unit.course.snapshot import Key, Row, Snapshot
from tests.unit.course.vendor import Answer, Call


class Actor(enum.Enum):
    """The actors that may change the record."""

    NOBODY = "nobody"
    WORKER = "worker"
    RELAY = "relay"
    RECONCILER = "reconciler"
    CANCELLER = "canceller"
    JUDGE = "somebody who knows what became of a call, or decides"
    REPLAYER = "replayer"


_NEW = None
_WAITING = frozenset({Status.SCHEDULED, Status.QUEUED})
_MOVING = _WAITING | {Status.SENDING}
_WORKED = frozenset(Status) - {Status.CANCELLED}
_UNSENT = frozenset({Status.FAILED, Status.REJECTED, Status.EXPIRED, Status.CANCELLED})
"""Final statuses that mean: no vendor accepted it."""
_Steps = frozenset[tuple[Status | None, Status]]


def _steps(before: Iterable[Status | None], after: Iterable[Status]) -> _Steps:
    afters = list(after)
    return frozenset((one, other) for one in before for other in afters if one is not other)


ALLOWED: Mapping[Actor, _Steps] = {
    Actor.NOBODY: frozenset(),
    Actor.WORKER: _steps([_NEW, *_MOVING], _WORKED - {Status.SCHEDULED})
    | {(_NEW, Status.SCHEDULED)},
    Actor.RELAY: _steps([Status.SCHEDULED], [Status.QUEUED]),
    Actor.RECONCILER: _steps([Status.UNKNOWN], [Status.SENT, Status.QUEUED]),
    Actor.CANCELLER: _steps(_WAITING, [Status.CANCELLED]),
    Actor.JUDGE: _steps([Status.UNKNOWN, *_WAITING], [Status.SENT])
    | {(Status.UNKNOWN, Status.QUEUED)},
    Actor.REPLAYER: _steps(
        [_NEW, Status.SENDING, Status.FAILED, Status.REJECTED, Status.UNKNOWN], [Status.QUEUED]
    )
    | {(_NEW, Status.SCHEDULED)},
}
"""The status changes that each actor may make in one transaction."""


@dataclass(slots=True)
class Reference:
    """
    The requests, the vendor's calls, and the conclusions from both.

    Attributes:
        rules: Of each lane, for lost answers.
        calls: The vendor's book.
        asked: Every notification of a confirmed message, with all the digests under its key.
        poison: The bodies of confirmed messages that cannot be read.
        licensed: How many calls of a notification an operator has accepted as possible duplicates.
        last: The record after the last step.
    """

    rules: Mapping[str, Unknown]
    calls: list[Call]
    asked: set[tuple[Key, bytes]] = field(default_factory=set)
    poison: set[bytes] = field(default_factory=set)
    licensed: dict[str, int] = field(default_factory=dict)
    last: Snapshot = field(default_factory=lambda: Snapshot({}, {}, []))
    _digests: dict[str, bytes] = field(default_factory=dict)
    _send_at: dict[bytes, datetime] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)
    _relayed: dict[str, datetime] = field(default_factory=dict)

    def confirm(self, body: bytes, asked: Collection[Notification], *, text: str) -> None:
        """Record a confirmed message and its text."""
        if not asked:
            self.poison.add(body)
        for each in asked:
            self.asked.add((each.key, each.digest))
            self._digests[text] = each.digest
            if each.send_at is not None:
                self._send_at[each.digest] = each.send_at

    def called(self, message: Rendered, now: Snapshot) -> None:
        """Check a call when it reaches the vendor."""
        id_, attempt = message.notification_id.hex, message.attempt_id.hex
        row, journalled = now.rows.get(id_), now.attempts.get(attempt)
        assert row is not None, f"{id_} is sent, and not on record"
        assert journalled is not None, f"{id_} is sent, and the call is not on record"
        assert journalled.outcome is None, f"{id_} is sent, and the call is closed already"
        assert row.stands is Status.SENDING, f"{id_} is sent while it is {row.status}"
        digest = self._digests.get(message.text)
        assert digest == row.digest, f"{id_}: another request's words are sent"
        assert not row.expires_at or journalled.started_at < row.expires_at, f"{id_} had expired"
        send_at = self._send_at.get(row.digest)
        begun = datetime.fromisoformat(f"{journalled.started_at}+00:00")
        assert send_at is None or begun >= send_at, f"{id_} is sent before its time"
        self._judge_history(row, now)

    def _judge_history(self, row: Row, now: Snapshot) -> None:
        """Check a new call against the earlier ones."""
        earlier = [call for call in self.calls if call.notification == row.id]
        for number, call in enumerate(earlier):
            if not call.taken and now.attempts[call.attempt].outcome == Outcome.NOT_SENT:
                continue
            assert row.possible_duplicate, f"{row.id} is sent again and not marked"
            allowed = self.rules[row.lane] is Unknown.RESEND
            allowed = allowed or number < self.licensed.get(row.id, 0)
            assert allowed, f"{row.id} is sent again in a lane that parks"

    def relayed(self, id_: str, now: Snapshot, *, at: datetime, taken: bool) -> None:
        """Check a relay's publication: one for each due time."""
        row = now.rows[id_]
        assert row.relay_until is not None, f"{id_} is published, and no relay holds it"
        before = self._relayed.get(id_)
        assert before is None or at >= before + RELAY_LEASE, (
            f"{id_} is published twice for one time"
        )
        if taken:
            self._relayed[id_] = at

    def observe(self, now: Snapshot, actors: Collection[Actor], *, licence: bool = False) -> None:
        """Check the changes; *licence* means that an operator accepts duplicates."""
        allowed = frozenset[tuple[Status | None, Status]]().union(*(ALLOWED[one] for one in actors))
        assert self.last.rows.keys() <= now.rows.keys(), "a notification is gone from the record"
        for id_, row in now.rows.items():
            before = self.last.rows.get(id_)
            if before == row:
                continue
            self._judge_change(before, row, allowed)
            if row.stands is Status.REJECTED and self._refused(id_):
                self._ended.add(id_)
            if before is None or before.due_at != row.due_at:
                self._relayed.pop(id_, None)
            if licence and row.stands is Status.QUEUED:
                self.licensed[id_] = sum(call.notification == id_ for call in self.calls)
        _judge_attempts(self.last, now)
        _judge_claims(self.last, now)
        self.last = now
        self._judge_truth(now)

    def _judge_change(self, before: Row | None, row: Row, allowed: _Steps) -> None:
        stood = before.stands if before else None
        step = stood, row.stands
        assert stood is row.stands or step in allowed, f"{row.id} went from {stood} to {row.status}"
        assert row.id not in self._ended or stood is row.stands, f"{row.id} was refused for good"
        if before is not None:
            assert row.fence >= before.fence, f"the fence of {row.id} fell"
            assert before[:6] == row[:6], f"{row.id} became another request"

    def _refused(self, id_: str) -> bool:
        """Return whether the vendor refused, and not a template."""
        calls = [call for call in self.calls if call.notification == id_]
        return bool(calls) and calls[-1].answer is Answer.REFUSED

    def _judge_truth(self, now: Snapshot) -> None:
        """
        Compare the record to the vendor's calls.

        If several calls of one notification were lost, the vendor's list or an operator cannot say
        which one was accepted: an acceptance counts for the notification.
        """
        taken = {call.attempt for call in self.calls if call.taken}
        takes = Counter(call.notification for call in self.calls if call.taken)
        for call in now.attempts.values():
            if call.outcome == Outcome.NOT_SENT:
                assert call.id not in taken, f"{call.notification_id} was sent, they say it was not"
            if call.outcome == Outcome.ACCEPTED:
                assert takes[call.notification_id], f"{call.notification_id} was not sent"
        for id_, row in now.rows.items():
            if row.stands is Status.SENT:
                assert takes[id_], f"{id_} is sent, and no vendor took it"
            if takes[id_] > 1 or (takes[id_] and row.stands in _UNSENT | _WAITING):
                assert row.possible_duplicate, f"{id_} is {row.status}, taken and not marked"

    def nothing_is_lost(
        self, now: Snapshot, *, held: Collection[tuple[Key, bytes]], bodies: Collection[bytes]
    ) -> None:
        """
        Check that every confirmed message is somewhere, and every waiting one will be delivered.

        Args:
            held: The requests of the messages in the broker or in the archive.
            bodies: The bodies of these messages.
        """
        recorded = {(row.key, row.digest) for row in now.rows.values()}
        lost = self.asked - recorded - set(held)
        assert not lost, f"lost: {lost}"
        assert self.poison <= set(bodies), "a message that cannot be read is lost"
        for row in now.rows.values():
            stuck = row.stands in _MOVING and row.due_at is None
            assert not stuck or (row.key, row.digest) in held, f"{row.id} is {row.status} for ever"

    def ends_once(self, told: Mapping[str, list[Status]]) -> None:
        """Check histories: an ended notification stays so, unless an operator reopens it."""
        for id_, history in told.items():
            end: Status | None = None
            for status in history:
                final = status.final and status is not Status.UNKNOWN
                assert not final or end in (None, status), f"{id_} ended twice: {history}"
                end = status if final else end if status is Status.UNKNOWN else None

    def doubles(self) -> dict[str, int]:
        """Return how often each lane's notifications were accepted beyond the first time."""
        takes = Counter(call.notification for call in self.calls if call.taken)
        found: dict[str, int] = defaultdict(int)
        for id_, number in takes.items():
            found[self.last.rows[id_].lane] += number - 1
        return found


def _judge_attempts(before: Snapshot, now: Snapshot) -> None:
    """A call on record stays there, and its outcome changes only from unknown to known."""
    assert before.attempts.keys() <= now.attempts.keys(), "a call is gone from the record"
    for id_, was in before.attempts.items():
        outcome = now.attempts[id_].outcome
        known = was.outcome not in (None, Outcome.UNKNOWN)
        assert outcome == was.outcome or not known, f"{id_} was {was.outcome}, and is {outcome}"


def _judge_claims(before: Snapshot, now: Snapshot) -> None:
    """A notification that is known as sent gets no other call."""
    for id_ in now.attempts.keys() - before.attempts.keys():
        owner = now.attempts[id_].notification_id
        sent = before.calls_of(owner, Outcome.ACCEPTED)
        assert not sent, f"{owner} is known to have been sent, and is sent again"
