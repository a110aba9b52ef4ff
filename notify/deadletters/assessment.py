"""One dead letter, judged: what it asks for, and how each of that stands."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from notify import contract
from notify.contract import Incoming, Limits
from notify.deadletters.eligibility import Eligibility, assess
from notify.deadletters.known_requests import KnownRequests
from notify.deadletters.replay_request import ReplayRequest
from notify.errors import DecodeError
from notify.message import Notification
from notify.store.deadletters import ArchivedLetter, Edit, KnownNotification, find_known

Key = tuple[str, str, int]
"""What makes it the same notification."""


@dataclass(frozen=True, slots=True)
class LetterPart:
    """One notification that a letter asks for."""

    notification: Notification
    known: KnownNotification | None
    prospect: Eligibility


@dataclass(frozen=True, slots=True)
class LetterAssessment:
    """One letter, judged."""

    kept: ArchivedLetter
    parts: Sequence[LetterPart] = ()
    unfit: str = ""
    """Why it cannot be sent as it is written; empty if it can."""
    fails: str = ""
    """Why a worker would end a notification of it without a call; empty if it would not."""

    @property
    def prospects(self) -> Iterator[Eligibility]:
        """How its notifications stand; of a letter that cannot be read, it counts as one."""
        return (
            (part.prospect for part in self.parts) if not self.unfit else iter([Eligibility.UNFIT])
        )

    def wanted(self, order: ReplayRequest) -> Iterator[LetterPart]:
        """Give the notifications that the order sends."""
        for part in self.parts:
            unknown = part.prospect is Eligibility.UNKNOWN and order.include_unknown
            if unknown or part.prospect is Eligibility.NEVER_SENT:
                yield part

    def left(self, order: ReplayRequest) -> bool:
        """Tell whether something is left that a later replay may send."""
        unknown = any(part.prospect is Eligibility.UNKNOWN for part in self.parts)
        return bool(self.unfit or self.fails) or (unknown and not order.include_unknown)


def mark_repeats(
    cases: Iterable[LetterAssessment], order: ReplayRequest, sent: set[Key]
) -> list[LetterAssessment]:
    """
    Judge letters that ask for the same as an earlier one as they will stand after that one.

    Args:
        sent: What letters before these have the order send; what these add is added.
    """
    judged = []
    for case in cases:
        parts = [
            replace(part, prospect=Eligibility.IN_FLIGHT) if part.notification.key in sent else part
            for part in case.parts
        ]
        judged.append(replace(case, parts=parts))
        sent |= {part.notification.key for part in judged[-1].wanted(order)}
    return judged


class LetterAssessor:
    """Judges letters by the record as it is at the moment."""

    def __init__(self, *, limits: Limits, lanes: Collection[str]) -> None:
        """
        Take what to judge letters by.

        Args:
            limits: Those of delivery.
            lanes: The lanes that have queues.
        """
        self._limits = limits
        self._lanes = frozenset(lanes)

    def assess(
        self,
        connection: Connection,
        letters: Sequence[ArchivedLetter],
        mending: Edit | None,
        *,
        now: datetime,
        lock: bool = False,
    ) -> list[LetterAssessment]:
        """Judge letters; *lock* keeps the rows that they ask for as they are."""
        read = [(letter, *self._decode(letter, mending, now=now)) for letter in letters]
        firsts = [asked[0] for _, asked, unfit in read if not unfit]
        book = KnownRequests(find_known(connection, firsts, lock=lock))
        return [
            LetterAssessment(letter, unfit=unfit) if unfit else _case(letter, asked, book, now=now)
            for letter, asked, unfit in read
        ]

    def _decode(
        self, letter: ArchivedLetter, mending: Edit | None, *, now: datetime
    ) -> tuple[Sequence[Notification], str]:
        """Read a letter as a worker would read its replay, or tell why it could not."""
        if mending is None or mending.letter_id != letter.id:
            mending = letter.mending
        limits = self._limits
        if mending is not None:
            # The operator who edited it vouches for its source.
            limits = replace(limits, require_user_id=False)
        try:
            asked = contract.decode(_incoming(letter, mending), limits, now=now)
        except DecodeError as error:
            return (), str(error)
        lane = asked[0].lane
        if lane not in self._lanes:
            lanes = ", ".join(sorted(self._lanes))
            return (), f"no queue takes the lane {lane}: configure it, or edit the key ({lanes})"
        return asked, ""


def _case(
    letter: ArchivedLetter, asked: Sequence[Notification], book: KnownRequests, *, now: datetime
) -> LetterAssessment:
    if any(book.conflicts(each) for each in asked):
        why = "its key or id stands for another request: mend it with an id and key of its own"
        return LetterAssessment(letter, unfit=why)
    parts = []
    for each in asked:
        known = book.row(each)
        prospect = assess(each, known, archived_at=letter.state_at, now=now)
        parts.append(LetterPart(each, known, prospect))
    return LetterAssessment(letter, parts)


def _incoming(letter: ArchivedLetter, mending: Edit | None) -> Incoming:
    """Make the message anew that was archived, or what was made of it: that is JSON."""
    properties = letter.properties
    headers = properties.get("application_headers")
    around: dict[str, Any] = {
        "message_id": _text(properties.get("message_id")),
        "user_id": _text(properties.get("user_id")),
        "traceparent": _text(headers.get("traceparent")) if isinstance(headers, dict) else None,
    }
    if mending is not None:
        return Incoming(mending.body, mending.key, content_type="application/json", **around)
    return Incoming(
        letter.body,
        letter.routing_key,
        content_type=_text(properties.get("content_type")),
        content_encoding=_text(properties.get("content_encoding")),
        **around,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
