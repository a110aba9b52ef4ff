"""The checker itself: each planted fault is caught, and an honest drill is not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from notify.message import Channel, Outcome, Status
from tests.faults.checker import Findings, check
from tests.faults.ledgers import Call, Fate, Published, Recorded, Row, Seen, digest

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Books:
    """Three ledgers that agree, for a test to spoil."""

    def __init__(self) -> None:
        self.published: list[Published] = []
        self.rows: list[Row] = []
        self.seen: list[Seen] = []
        self.dead: list[bytes] = []
        self.waiting = 0
        for _ in range(20):
            self.sent(Channel.EMAIL)
            self.sent(Channel.SMS)

    def sent(self, channel: Channel) -> Row:
        """Add one notification that went the plain way."""
        id_, call = str(uuid4()), str(uuid4())
        self.published.append(Published(id_, Fate.CONFIRMED))
        self.seen.append(Seen(id_, call, NOW + timedelta(seconds=1), accepted=True, lost=False))
        calls = (Call(call, NOW, Outcome.ACCEPTED),)
        row = Row(id_, channel, Status.SENT, None, False, calls, (Status.SENT,))
        self.rows.append(row)
        return row

    def sent_again(self, row: Row, *, lost: bool = False) -> None:
        """Add another request for a notification, journalled as it should be."""
        call = Call(str(uuid4()), NOW, Outcome.ACCEPTED)
        at = NOW + timedelta(seconds=1)
        self.seen.append(Seen(row.id, call.id, at, accepted=True, lost=lost))
        self.change(row, calls=(*row.calls, call))

    def change(self, row: Row, **fields: object) -> Row:
        """Replace a row by one with other fields."""
        index = next(i for i, each in enumerate(self.rows) if each.id == row.id)
        self.rows[index] = replace(self.rows[index], **fields)  # type: ignore[arg-type]
        return self.rows[index]

    def check(self, *, cuts: int = 0) -> Findings:
        """Hold them against each other."""
        recorded = Recorded(tuple(self.rows), tuple(self.dead), self.waiting)
        return check(self.published, recorded, self.seen, cuts=cuts)


@pytest.fixture
def books() -> Books:
    """Ledgers that agree."""
    return Books()


def test_ledgers_that_agree_pass(books: Books) -> None:
    """Nothing is found where nothing is wrong."""
    assert books.check() == Findings(40, 0, 0, 0, 0, 0, 0, ())


def test_a_lost_id_is_caught(books: Books) -> None:
    """Confirmed, and neither on record nor dead."""
    books.published.append(Published("gone", Fate.CONFIRMED))
    found = books.check()
    assert found.lost == 1
    assert found.violations == ("gone was confirmed and is lost",)


def test_an_unconfirmed_message_may_be_missing_or_there(books: Books) -> None:
    """It was never confirmed to the producer."""
    books.published.append(Published("perhaps", Fate.UNCONFIRMED))
    books.published[0] = replace(books.published[0], fate=Fate.UNCONFIRMED)
    assert books.check().violations == ()


def test_lost_poison_is_caught(books: Books) -> None:
    """A body that cannot be read is found by its bytes, whatever id it names."""
    body = json.dumps({"id": books.rows[0].id, "wrong": 1}).encode()
    books.published.append(Published(digest(body), Fate.CONFIRMED, poison=True))
    assert books.check().lost == 1


def test_kept_poison_passes(books: Books) -> None:
    """Bytes that are not JSON, among the dead letters."""
    books.published.append(Published(digest(b"\xff"), Fate.CONFIRMED, poison=True))
    books.dead.append(b"\xff")
    assert books.check().violations == ()


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.SMS])
def test_a_double_send_is_caught(books: Books, channel: Channel) -> None:
    """In a resend lane where no call was cut off, and in a park lane always."""
    row = books.sent(channel)
    books.sent_again(row)
    books.change(row, possible_duplicate=True)
    found = books.check()
    duplicates = {Channel.EMAIL: found.duplicates_resend, Channel.SMS: found.duplicates_park}
    assert duplicates.pop(channel) == 1
    assert set(duplicates.values()) == {0}
    assert len(found.violations) == 1


def test_a_park_lane_may_never_send_twice(books: Books) -> None:
    """Not even where calls were cut off and answers were lost."""
    row = books.sent(Channel.SMS)
    books.sent_again(row, lost=True)
    books.change(row, possible_duplicate=True)
    assert len(books.check(cuts=10).violations) == 1


def test_a_resend_lane_may_send_twice_for_a_cause(books: Books) -> None:
    """A call that was cut off, or an answer that was lost, marked as a possible duplicate."""
    row = books.sent(Channel.EMAIL)
    books.sent_again(row)
    books.change(row, possible_duplicate=True)
    found = books.check(cuts=1)
    assert (found.duplicates_resend, found.allowed, found.violations) == (1, 1, ())
    other = books.sent(Channel.EMAIL)
    books.sent_again(other, lost=True)
    books.change(other, possible_duplicate=True)
    found = books.check(cuts=1)
    assert (found.duplicates_resend, found.allowed, found.violations) == (2, 2, ())


def test_a_lost_answer_excuses_only_its_own_notification(books: Books) -> None:
    """The sum may fit and yet one was sent twice without a cause."""
    row, other = books.sent(Channel.EMAIL), books.sent(Channel.EMAIL)
    books.sent_again(row)
    books.change(row, possible_duplicate=True)
    books.seen[-2] = replace(books.seen[-2], lost=True)
    assert books.seen[-2].id == other.id
    found = books.check()
    assert found.duplicates_resend == found.allowed == 1
    assert len(found.violations) == 1


def test_a_duplicate_in_silence_is_caught(books: Books) -> None:
    """With a cause, but without the mark."""
    row = books.sent(Channel.EMAIL)
    books.sent_again(row, lost=True)
    assert [text.split()[-4:] for text in books.check().violations] == [
        ["as", "a", "possible", "duplicate"]
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": Status.FAILED, "history": (Status.FAILED,)}, "a vendor took it"),
        ({"status": Status.SENT, "history": (Status.QUEUED,)}, "history ends otherwise"),
        ({"status": Status.SENDING}, "has not ended"),
        ({"status": Status.QUEUED}, "has not ended"),
        ({"due_at": NOW}, "has not ended"),
        ({"status": Status.UNKNOWN, "history": (Status.UNKNOWN,)}, "are unknown, where 0 calls"),
        ({"calls": ()}, "without an attempt on record"),
        ({"history": (Status.FAILED, Status.SENT)}, "ended twice"),
        ({"history": (Status.SENT, Status.UNKNOWN, Status.SENT)}, "ended twice"),
    ],
)
def test_a_wrong_state_is_caught(books: Books, change: dict[str, object], words: str) -> None:
    """Each way in which a row can contradict the vendor or itself."""
    books.change(books.sent(Channel.SMS), **change)
    (violation,) = books.check().violations
    assert words in violation


def test_a_retry_and_a_replay_are_one_end_each(books: Books) -> None:
    """Taken up again in between, it may end again."""
    row = books.sent(Channel.EMAIL)
    books.change(row, history=(Status.FAILED, Status.QUEUED, Status.UNKNOWN, Status.SENT))
    assert books.check().violations == ()


def test_sent_without_a_vendor_is_caught(books: Books) -> None:
    """The record claims what no vendor saw, in its status and in its journal."""
    books.sent(Channel.EMAIL)
    books.seen.pop()
    first, second = books.check().violations
    assert "no vendor took it" in first
    assert "accepted that no vendor took" in second


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"started_at": NOW + timedelta(seconds=2)}, "before its attempt was on record"),
        ({"outcome": Outcome.NOT_SENT}, "not sent that a vendor took"),
        ({"outcome": None}, "with an open attempt"),
    ],
)
def test_a_wrong_journal_is_caught(books: Books, call: dict[str, object], words: str) -> None:
    """Journalled too late, wrongly, or never closed."""
    row = books.sent(Channel.EMAIL)
    wrong = replace(row.calls[0], **call)  # type: ignore[arg-type]
    books.change(row, calls=(wrong,))
    (violation,) = books.check().violations
    assert words in violation


def test_a_sent_dead_letter_is_caught(books: Books) -> None:
    """It would be replayed, so sent again."""
    books.dead.append(json.dumps({"id": books.rows[0].id}).encode())
    found = books.check()
    assert found.double_terminal == 1
    assert len(found.violations) == 1


def test_an_event_that_no_subscriber_received_is_caught(books: Books) -> None:
    """Of an end; the other events were received."""
    received = frozenset((row.id, row.status.value) for row in books.rows[1:])
    recorded = Recorded(tuple(books.rows), announced=received)
    found = check(books.published, recorded, books.seen, cuts=0)
    assert found.violations == (f"{books.rows[0].id} is sent, and its event was never published",)


def test_leftovers_and_strangers_are_caught(books: Books) -> None:
    """A queue that is not empty, and a row without a request."""
    books.waiting = 3
    books.sent(Channel.EMAIL)
    books.published.pop()
    stranger, left = books.check().violations
    assert "never published" in stranger
    assert left == "3 messages are left in the work queues"
