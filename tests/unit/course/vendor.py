"""The vendors of a simulated world, with the true list of accepted messages."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from notify.errors import OutcomeUnknown, PermanentError, ProviderError, Throttled, TransientError
from notify.message import Channel, Receipt, Rendered
from tests.unit.course.clock import Clock


class Killed(BaseException):
    """The running process was killed at an arbitrary point."""


class Answer(enum.Enum):
    """The results of a call."""

    ACCEPTED = "accepted"
    SLOWLY = "accepted, after the lease"
    REFUSED = "refused for good"
    AWAY = "503"
    THROTTLED = "429"
    LOST = "taken, and the answer lost"
    NOTHING = "not taken, and no answer"
    FAULT = "taken, and our own code broke on the answer"
    KILLED = "taken, and the worker died"
    KILLED_BEFORE = "not taken, and the worker died"


TAKING = frozenset({Answer.ACCEPTED, Answer.SLOWLY, Answer.LOST, Answer.FAULT, Answer.KILLED})
ENDLESS = 70.0
"""Seconds of a slow answer: longer than a lease."""
PATIENCE = 20.0
"""Seconds that a throttled caller must wait."""


class Listing(enum.Enum):
    """The results of a look-up."""

    READ = "read"
    AWAY = "away"
    THROTTLED = "throttled"
    FAULT = "our own code broke on it"
    KILLED = "the reconciler died"


@dataclass(frozen=True, slots=True)
class Call:
    """One request that reached the vendor."""

    notification: str
    attempt: str
    to: str
    text: str
    at: datetime
    answer: Answer

    @property
    def taken(self) -> bool:
        """Whether the vendor accepted it, whatever it answered."""
        return self.answer in TAKING


def _nothing() -> None:
    """Do nothing."""


@dataclass(slots=True)
class Book:
    """
    The requests to all vendors, and their next answers.

    Attributes:
        look: Called before a request is accepted.
        in_between: Called while a list is read.
    """

    clock: Clock
    look: Callable[[Rendered], None]
    calls: list[Call] = field(default_factory=list)
    answer: Answer = Answer.ACCEPTED
    listing: Listing = Listing.READ
    in_between: Callable[[], None] = _nothing

    def of(self, notification: str) -> list[Call]:
        """Return the calls for one notification."""
        return [call for call in self.calls if call.notification == notification]


class Vendor:
    """One vendor, which writes into the shared book."""

    channel: ClassVar[Channel]
    can_find: ClassVar[bool]

    def __init__(self, book: Book) -> None:
        self._book = book

    def send(self, message: Rendered, /) -> Receipt:
        """Accept the message or not, and answer or not."""
        book = self._book
        book.look(message)
        answer = book.answer
        ids = message.notification_id.hex, message.attempt_id.hex
        book.calls.append(Call(*ids, message.to, message.text, book.clock.now, answer))
        if answer is Answer.SLOWLY:
            book.clock.passes(ENDLESS)
        return _answered(answer, message.attempt_id.hex)

    def find(self, message: Rendered, /, *, since: datetime, until: datetime) -> list[Receipt]:
        """Search the accepted messages."""
        book = self._book
        if book.listing is not Listing.READ:
            _refuse_to_list(book.listing)
        found = [
            Receipt(call.attempt)
            for call in book.calls
            if call.taken
            and since <= call.at <= until
            and (call.to, call.text) == (message.to, message.text)
        ]
        in_between, book.in_between = book.in_between, _nothing
        in_between()
        return found

    def close(self) -> None:
        """Release nothing."""


class Mail(Vendor):
    """A vendor of email, without a list."""

    channel: ClassVar[Channel] = Channel.EMAIL
    can_find: ClassVar[bool] = False


class Texts(Vendor):
    """A vendor of SMS, with a list of accepted messages."""

    channel: ClassVar[Channel] = Channel.SMS
    can_find: ClassVar[bool] = True


def _answered(answer: Answer, provider_id: str) -> Receipt:
    match answer:
        case Answer.ACCEPTED | Answer.SLOWLY:
            return Receipt(provider_id)
        case Answer.REFUSED:
            raise PermanentError("the vendor refused it", provider="vendor", status=400)
        case Answer.AWAY:
            raise TransientError("the vendor is away", provider="vendor", status=503)
        case Answer.THROTTLED:
            raise Throttled("too many", provider="vendor", status=429, retry_after=PATIENCE)
        case Answer.LOST | Answer.NOTHING:
            raise OutcomeUnknown("the answer was lost", provider="vendor")
        case Answer.FAULT:
            raise ValueError
        case Answer.KILLED | Answer.KILLED_BEFORE:
            raise Killed


def _refuse_to_list(listing: Listing) -> None:
    match listing:
        case Listing.AWAY:
            raise ProviderError("the vendor is away", provider="vendor")
        case Listing.THROTTLED:
            raise Throttled("too many", provider="vendor", retry_after=PATIENCE)
        case Listing.FAULT:
            raise ValueError
        case Listing.KILLED:
            raise Killed
