"""Assessing dead letters: which notifications each asks for, and which may be sent again."""

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
from notify.deadletters.reports import ReportKind, report_kind, report_problem
from notify.errors import DecodeError
from notify.message import Notification
from notify.store.deadletters import ArchivedLetter, Edit, KnownNotification, find_known

Key = tuple[str, str, int]
"""The key of a notification: two with the same key are the same notification."""


@dataclass(frozen=True, slots=True)
class LetterPart:
    """One notification that a letter asks for."""

    notification: Notification
    known: KnownNotification | None
    eligibility: Eligibility


@dataclass(frozen=True, slots=True)
class LetterAssessment:
    """One letter, and the eligibility of its notifications."""

    letter: ArchivedLetter
    parts: Sequence[LetterPart] = ()
    unfit: str = ""
    """Why it cannot be sent as it is written; empty if it can."""
    report: ReportKind | None = None
    """The kind of a report; None if the letter is a request."""
    fails: str = ""
    """Why a worker would end a notification of it without a call; empty if it would not."""

    @property
    def eligibilities(self) -> Iterator[Eligibility]:
        """Each notification's; a letter that cannot be read counts as one that is unfit."""
        if self.unfit:
            return iter([Eligibility.UNFIT])
        if self.report is not None:
            return iter([Eligibility.REPORT])
        return (part.eligibility for part in self.parts)

    def selected(self, request: ReplayRequest) -> Iterator[LetterPart]:
        """Yield the notifications that the request sends."""
        for part in self.parts:
            unknown = part.eligibility is Eligibility.UNKNOWN and request.include_unknown
            if unknown or part.eligibility is Eligibility.NEVER_SENT:
                yield part

    def has_more(self, request: ReplayRequest) -> bool:
        """Return whether the letter holds something that a later replay may send."""
        unknown = any(part.eligibility is Eligibility.UNKNOWN for part in self.parts)
        return bool(self.unfit or self.fails) or (unknown and not request.include_unknown)


def mark_repeats(
    assessments: Iterable[LetterAssessment], request: ReplayRequest, sent: set[Key]
) -> list[LetterAssessment]:
    """
    Mark as in flight what an earlier letter of the same replay sends already.

    Args:
        sent: The keys that earlier letters send; those of these letters are added.
    """
    marked = []
    for each in assessments:
        parts = [
            replace(part, eligibility=Eligibility.IN_FLIGHT)
            if part.notification.key in sent
            else part
            for part in each.parts
        ]
        marked.append(replace(each, parts=parts))
        sent |= {part.notification.key for part in marked[-1].selected(request)}
    return marked


class LetterAssessor:
    """Assesses letters by the record as it is at the moment."""

    def __init__(self, *, limits: Limits, lanes: Collection[str]) -> None:
        """
        Create an assessor.

        Args:
            limits: The contract's, as delivery applies them.
            lanes: The lanes that have queues.
        """
        self._limits = limits
        self._lanes = frozenset(lanes)

    def assess(
        self,
        connection: Connection,
        letters: Sequence[ArchivedLetter],
        edit: Edit | None,
        *,
        now: datetime,
        lock: bool = False,
    ) -> list[LetterAssessment]:
        """Assess letters; *lock* locks the rows of their notifications."""
        kinds = {each.id: report_kind(each.exchange, each.routing_key) for each in letters}
        decoded = [
            (letter, *self._decode(letter, edit, now=now))
            for letter in letters
            if kinds[letter.id] is None
        ]
        firsts = [asked[0] for _, asked, unfit in decoded if not unfit]
        known = KnownRequests(find_known(connection, firsts, lock=lock))
        assessed = {
            letter.id: LetterAssessment(letter, unfit=unfit)
            if unfit
            else _assessed(letter, asked, known, now=now)
            for letter, asked, unfit in decoded
        }
        for letter in letters:
            if (kind := kinds[letter.id]) is not None:
                assessed[letter.id] = self._report(letter, kind, edit)
        return [assessed[letter.id] for letter in letters]

    def _report(
        self, letter: ArchivedLetter, kind: ReportKind, edit: Edit | None
    ) -> LetterAssessment:
        broken = report_problem(kind, _incoming(letter, None), self._limits)
        why = str(broken) if broken else ""
        if edit is not None and edit.letter_id == letter.id:
            why = "it is a report, which cannot be edited; its sender must send it again"
        return LetterAssessment(letter, unfit=why, report=kind)

    def _decode(
        self, letter: ArchivedLetter, edit: Edit | None, *, now: datetime
    ) -> tuple[Sequence[Notification], str]:
        """Decode a letter as a worker would decode its replay, or return why it could not."""
        if edit is None or edit.letter_id != letter.id:
            edit = letter.edit
        limits = self._limits
        if edit is not None:
            # The operator who edited it vouches for its source.
            limits = replace(limits, require_user_id=False)
        try:
            asked = contract.decode(_incoming(letter, edit), limits, now=now)
        except DecodeError as error:
            return (), str(error)
        lane = asked[0].lane
        if lane not in self._lanes:
            lanes = ", ".join(sorted(self._lanes))
            return (), f"the lane {lane} has no queue: configure it, or edit the key ({lanes})"
        return asked, ""


def _assessed(
    letter: ArchivedLetter, asked: Sequence[Notification], requests: KnownRequests, *, now: datetime
) -> LetterAssessment:
    if any(requests.conflicts(each) for each in asked):
        why = "another request has its key or id: edit it, with a new id and a new key"
        return LetterAssessment(letter, unfit=why)
    parts = []
    for each in asked:
        known = requests.row(each)
        eligibility = assess(each, known, archived_at=letter.state_at, now=now)
        parts.append(LetterPart(each, known, eligibility))
    return LetterAssessment(letter, parts)


def _incoming(letter: ArchivedLetter, edit: Edit | None) -> Incoming:
    """Rebuild the archived message, with the edited body and key if there are any."""
    properties = letter.properties
    headers = properties.get("application_headers")
    around: dict[str, Any] = {
        "message_id": _text(properties.get("message_id")),
        "user_id": _text(properties.get("user_id")),
        "traceparent": _text(headers.get("traceparent")) if isinstance(headers, dict) else None,
    }
    if edit is not None:
        # An edited body is plain JSON, whatever the encoding of the original.
        return Incoming(edit.body, edit.key, content_type="application/json", **around)
    return Incoming(
        letter.body,
        letter.routing_key,
        content_type=_text(properties.get("content_type")),
        content_encoding=_text(properties.get("content_encoding")),
        **around,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
