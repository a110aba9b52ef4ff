"""The checker: joins the three ledgers of a drill and reports contradictions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta

from notify.message import Channel, Outcome, Status
from tests.faults.ledgers import Call, Fate, Published, Recorded, Row, Seen, digest, id_in

UNSENT = frozenset(
    {Status.FAILED, Status.REJECTED, Status.EXPIRED, Status.CANCELLED, Status.SUPPRESSED}
)
"""Final statuses that mean: no vendor accepted it."""
PARKING = frozenset({Channel.SMS})
"""Channels whose notifications are not sent again automatically after a lost answer."""
ROUNDED = timedelta(milliseconds=1)
"""The sandbox records whole milliseconds."""


@dataclass(frozen=True, slots=True)
class Findings:
    """The checker's counts, and a sentence for each broken rule."""

    published: int
    lost: int
    double_terminal: int
    duplicates_park: int
    duplicates_resend: int
    allowed: int
    """How many duplicates the resend lanes may have: calls cut off, and acceptances whose answer
    was lost on purpose."""
    unknown: int
    violations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Joined:
    """The three ledgers side by side."""

    published: Collection[Published]
    recorded: Recorded
    rows: dict[str, Row]
    seen: dict[str, list[Seen]]
    """Requests by notification."""
    cuts: int

    def accepts(self, id_: str) -> int:
        """Count how often the vendor accepted a notification."""
        return sum(each.accepted for each in self.seen.get(id_, ()))


def check(
    published: Collection[Published], recorded: Recorded, seen: Collection[Seen], *, cuts: int
) -> Findings:
    """
    Compare the ledgers.

    Args:
        published: The publisher's last entry for each message.
        recorded: The record and the dead letters, after everything has come to rest.
        seen: The requests that reached the vendors.
        cuts: How many calls of each channel the drill may have cut off in the middle.
    """
    requests = defaultdict(list)
    for each in seen:
        requests[each.id].append(each)
    rows = {row.id: row for row in recorded.rows}
    joined = Joined(published, recorded, rows, dict(requests), cuts)
    lost, doubles = list(_lost(joined)), list(_double_ends(joined))
    park, resend = _duplicates(joined, park=True), _duplicates(joined, park=False)
    allowed = cuts + sum(
        each.accepted and each.lost
        for row in recorded.rows
        if row.channel not in PARKING
        for each in joined.seen.get(row.id, ())
    )
    violations = [*lost, *doubles, *_restless(joined), *_wrong_states(joined)]
    violations += [*_journal(joined), *_outcomes(joined)]
    violations += [f"{id_} was sent {1 + more} times in a park lane" for id_, more in park.items()]
    violations += _resent(joined, resend)
    violations += _unexplained(joined)
    violations += _unannounced(joined)
    return Findings(
        published=len(published),
        lost=len(lost),
        double_terminal=len(doubles),
        duplicates_park=park.total(),
        duplicates_resend=resend.total(),
        allowed=allowed,
        unknown=sum(row.status is Status.UNKNOWN for row in recorded.rows),
        violations=tuple(violations),
    )


def _lost(joined: Joined) -> Iterator[str]:
    """Each confirmed message is on record or among the dead letters."""
    dead = {digest(body) for body in joined.recorded.dead}
    known = joined.rows.keys() | {id_in(body) for body in joined.recorded.dead}
    for each in joined.published:
        if each.fate is Fate.CONFIRMED and each.key not in (dead if each.poison else known):
            yield f"{each.key} was confirmed and is lost"


def _unannounced(joined: Joined) -> Iterator[str]:
    """A subscriber received the event of each end."""
    received = joined.recorded.announced
    if received is None:
        return
    for row in joined.recorded.rows:
        if row.settled and (row.id, row.status.value) not in received:
            yield f"{row.id} is {row.status}, and its event was never published"


def _double_ends(joined: Joined) -> Iterator[str]:
    """Each notification ends once, unless it was reopened in between."""
    dead = {id_in(body) for body in joined.recorded.dead}
    for row in joined.recorded.rows:
        ended = False
        for status in row.history:
            end = status.final and status is not Status.UNKNOWN
            if end and ended:
                yield f"{row.id} ended twice: {', '.join(row.history)}"
                break
            ended = end or (ended and status is Status.UNKNOWN)
        if row.id in dead and row.status not in UNSENT:
            yield f"{row.id} is {row.status} and a dead letter too"


def _restless(joined: Joined) -> Iterator[str]:
    """Everything has come to rest, and every row was requested."""
    asked = {each.key for each in joined.published}
    for row in joined.recorded.rows:
        if not row.settled:
            yield f"{row.id} has not ended: it is {row.status}"
        if row.id not in asked:
            yield f"{row.id} is on record and was never published"
    if joined.recorded.waiting:
        yield f"{joined.recorded.waiting} messages are left in the work queues"


def _wrong_states(joined: Joined) -> Iterator[str]:
    """The status agrees with the vendor and with the history."""
    for row in joined.recorded.rows:
        accepts = joined.accepts(row.id)
        if row.status is Status.SENT and not accepts:
            yield f"{row.id} is sent, and no vendor took it"
        if row.status in UNSENT and accepts:
            yield f"{row.id} is {row.status}, and a vendor took it"
        if row.settled and row.history[-1:] != (row.status,):
            yield f"{row.id} is {row.status}, and its history ends otherwise"


def _journal(joined: Joined) -> Iterator[str]:
    """Each request was journalled before it left, and its outcome agrees with the vendor."""
    for id_, requests in joined.seen.items():
        row = joined.rows.get(id_)
        calls = {call.id: call for call in row.calls} if row else {}
        for request in requests:
            # Without our ids it was refused before the vendor read them.
            if request.accepted or request.attempt_id:
                yield from _journalled(request, calls.get(request.attempt_id))


def _journalled(request: Seen, call: Call | None) -> Iterator[str]:
    if call is None:
        yield f"{request.id} was sent without an attempt on record"
    elif call.started_at > request.at + ROUNDED:
        yield f"{request.id} was sent before its attempt was on record"
    elif request.accepted and call.outcome is Outcome.NOT_SENT:
        yield f"{request.id} has an attempt recorded as not sent that a vendor took"


def _outcomes(joined: Joined) -> Iterator[str]:
    """Each call on record is closed, and each recorded acceptance is the vendor's."""
    taken = {each.attempt_id for many in joined.seen.values() for each in many if each.accepted}
    for row in joined.recorded.rows:
        for call in row.calls:
            if call.outcome is Outcome.ACCEPTED and call.id not in taken:
                yield f"{row.id} has an attempt recorded as accepted that no vendor took"
            if call.outcome is None and row.settled:
                yield f"{row.id} has ended with an open attempt"


def _duplicates(joined: Joined, *, park: bool) -> Counter[str]:
    """Count the acceptances beyond the first."""
    return Counter(
        {
            row.id: joined.accepts(row.id) - 1
            for row in joined.recorded.rows
            if (row.channel in PARKING) is park and joined.accepts(row.id) > 1
        }
    )


def _resent(joined: Joined, duplicates: Counter[str]) -> Iterator[str]:
    """A duplicate in a resend lane has a cause, and is marked as possible."""
    without_cause = 0
    for id_, more in duplicates.items():
        lost = sum(each.accepted and each.lost for each in joined.seen[id_])
        without_cause += max(0, more - lost)
        if not joined.rows[id_].possible_duplicate:
            yield f"{id_} was sent {1 + more} times and is not marked as a possible duplicate"
    if without_cause > joined.cuts:
        yield f"{without_cause} duplicates in resend lanes, where {joined.cuts} calls were cut off"


def _unexplained(joined: Joined) -> Iterator[str]:
    """An unknown outcome has a cause: an answer lost on purpose, or a call cut off."""
    without_cause = Counter(
        row.channel
        for row in joined.recorded.rows
        if row.status is Status.UNKNOWN
        and not any(each.lost for each in joined.seen.get(row.id, ()))
    )
    for channel, number in without_cause.items():
        if number > joined.cuts:
            yield (
                f"{number} {channel} notifications are unknown, where {joined.cuts} calls were"
                " cut off"
            )
