"""Searches and read models of the console, on both databases, without reading the whole record."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.event import listen, remove

from notify.ledger import keep_up
from notify.message import Channel, Outcome, Status, time_id
from notify.settings import Settings
from notify.status.batches import read_batch, recent_batches
from notify.status.caps import read_caps
from notify.status.providers import read_providers
from notify.status.search import key_as_text, parse_key, read_undecided, search_notifications
from notify.status.sources import read_sources
from notify.status.story import ids_beginning_with, read_story
from notify.status.suppressions import read_suppressions
from notify.store import Entry, Store
from notify.store.deadletters import Cause, LetterFilter, LetterState, count_letters, find_letters
from notify.store.relays import newest_events
from notify.store.sealing import cipher_of
from notify.store.status import PageKey, RowSearch, matches
from notify.store.tables import notifications
from notify.suppression import SuppressionFilter
from tests.support import planting
from tests.support.clocks import Clock
from tests.support.recording import LEASE, NOW, accepted, asked, begin, call_for, put_off, rejected

SECOND = timedelta(seconds=1)
CONFIG = Settings.model_validate(
    {
        "channels": {"email": {"providers": ["sendgrid"]}},
        "providers": {"sendgrid": {"use": "providers.sendgrid:SendGrid", "rate": 10}},
        "caps": {"each": {"most": 5, "period": "day", "per": "source"}},
    }
)


def _pages(store: Store, wanted: RowSearch, *, limit: int) -> list[list[UUID]]:
    found, after = [], None
    for _ in range(50):
        page = search_notifications(store, wanted, after=after, limit=limit)
        assert len(page.rows) <= limit
        found.append([each.id for each in page.rows])
        if page.after is None:
            return found
        after = parse_key(key_as_text(page.after))
    raise AssertionError("the pages do not end")


def test_pages_show_each_notification_once_in_order(store: Store) -> None:
    """Also rows of one moment, by position and id, across the end of a page."""
    made: list[Entry] = []
    for second in range(4):
        batch = [Entry(asked(position=n % 3), Status.EXPIRED) for n in range(7)]
        store.claim(batch, now=NOW + second * SECOND, lease=LEASE)
        made[:0] = sorted(batch, key=lambda e: (e.notification.position, e.notification.id))
    pages = _pages(store, RowSearch(), limit=5)
    assert [id_ for page in pages for id_ in page] == [each.notification.id for each in made]
    assert [len(page) for page in pages] == [5] * 5 + [3]


def test_a_page_examines_a_bounded_number_and_the_next_goes_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rare match far back is found after some pages; none is skipped, none costs more."""
    monkeypatch.setattr(matches, "FIRST_STEP", 3)
    monkeypatch.setattr(matches, "SEARCHED", 8)
    rare = [begin(store, now=NOW, source="rare"), begin(store, now=NOW, source="rare")]
    for second in range(1, 30):
        begin(store, now=NOW + second * SECOND)
    pages = _pages(store, RowSearch(source="rare"), limit=5)
    assert [id_ for page in pages for id_ in page] == sorted(e.notification.id for e in rare)
    assert len(pages) == 4
    first = search_notifications(store, RowSearch(source="rare"), limit=5)
    assert (first.searched, first.full) == (8, False)
    assert first.after is not None
    assert first.after.received_at == NOW + 22 * SECOND


def test_a_search_ends_early_when_the_machine_is_slow(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It examines what fits in its time, at least the first step; the next page goes on."""
    monkeypatch.setattr(matches, "FIRST_STEP", 2)
    for second in range(30):
        begin(store, now=NOW + second * SECOND)

    def examined(seconds_a_step: float) -> int:
        times = itertools.count()
        with store.reading() as connection:
            page = matches.find_matches(
                connection,
                RowSearch(source="none"),
                limit=5,
                seconds=1.0,
                monotonic=lambda: next(times) * seconds_a_step,
            )
        assert (page.after is None) == (page.searched >= 30)
        return page.searched

    assert [examined(seconds) for seconds in (0.001, 0.22, 2.0)] == [42, 10, 2]


def test_lapsed_calls_are_searched_only_where_they_can_be(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not among what was just received, which a delivery at full speed makes the most."""
    for second in range(3):
        begin(store, now=NOW + second * SECOND)
    keep_up(store, now=NOW)
    seen: list[Any] = []
    monkeypatch.setattr(matches, "_bound", lambda _connection, each, *_, **__: seen.append(each))
    wanted = RowSearch(status=Status.SENDING, lease_ended=NOW)
    search_notifications(store, wanted, limit=5)
    assert len(seen) == 2
    with store.reading() as connection:
        for each in seen:
            assert connection.execute(select(notifications.c.id).where(each)).all() == []


def test_newest_events_examine_a_bounded_number(store: Store) -> None:
    """A filter selects among the newest ones."""
    for source in ("rare", "shop", "shop"):
        store.record([accepted(begin(store, source=source))])
    with store.reading() as connection:
        every = len(newest_events(connection, limit=100))
        rare = len(newest_events(connection, source="rare", limit=100))
        for among, count in ((every - rare, 0), (every - rare + 1, 1), (every, rare), (999, rare)):
            found = newest_events(connection, source="rare", among=among, limit=100)
            assert len(found) == count, among


def test_each_qualifier_finds_its_own_only(store: Store) -> None:
    """Qualifiers of calls find the notifications that had such a call."""
    batch = uuid4()
    other = begin(store)
    entry = begin(
        store,
        source="crm",
        lane="bulk",
        template="news",
        category="ads",
        batch_id=batch,
        to="b@x.org",
    )
    store.record([accepted(other), rejected(entry)])
    with store.reading() as connection:
        hashes = cipher_of(connection).hashes("B@X.org")
    for wanted in (
        RowSearch(source="crm"),
        RowSearch(lane="bulk"),
        RowSearch(template="news"),
        RowSearch(category="ads"),
        RowSearch(batch_id=batch),
        RowSearch(code="21211"),
        RowSearch(status=Status.REJECTED),
        RowSearch(recipient_hashes=hashes),
        RowSearch(recipient_hashes=hashes, source="crm", provider="sendgrid", code="21211"),
    ):
        assert _pages(store, wanted, limit=9) == [[entry.notification.id]], wanted
    assert _pages(store, RowSearch(channel=Channel.SMS), limit=9) == [[]]
    assert _pages(store, RowSearch(provider="twilio"), limit=9) == [[]]


def test_open_statuses_are_found_by_their_index(store: Store) -> None:
    """First calls, which are not marked, and marked ones, in one order."""
    first = begin(store, now=NOW)
    queued = begin(store, now=NOW + SECOND)
    store.record([put_off(queued)])
    second = begin(store, now=NOW + 2 * SECOND)
    sending = _pages(store, RowSearch(status=Status.SENDING), limit=1)
    assert [id_ for page in sending for id_ in page] == [
        second.notification.id,
        first.notification.id,
    ]
    assert _pages(store, RowSearch(status=Status.QUEUED), limit=5) == [[queued.notification.id]]


def test_the_undecided_are_unknown_or_lapsed(store: Store) -> None:
    """Each with its newest call; a call of this moment is not lapsed."""
    unknown = planting.unknown(store)
    planting.sent(store)
    lapsed = begin(store).notification.id
    begin(store, now=store.clock())
    found = read_undecided(store, RowSearch(), limit=10)
    assert [each.id for each in found.unknown.rows] == [unknown]
    assert [each.id for each in found.lapsed.rows] == [lapsed]
    assert found.calls[unknown].outcome is Outcome.UNKNOWN
    assert found.calls[lapsed].outcome is None
    assert read_undecided(store, RowSearch(source="x"), limit=10).unknown.rows == []


def test_a_story_says_why_it_waits(store: Store) -> None:
    """With the event that waits to be published, and the dead letter that requests it."""
    unknown = planting.unknown(store)
    planting.bury(store, notification_id=unknown, source="shop")
    whole = read_story(store, CONFIG, unknown)
    assert whole is not None
    assert [each.needs_operator for each in whole.waits] == [True]
    assert [each.status for each in whole.changes] == [Status.UNKNOWN]
    assert len(whole.letters) == 1
    sent = read_story(store, CONFIG, planting.sent(store))
    assert sent is not None
    assert sent.waits == []
    assert sent.changes[0].waits
    assert read_story(store, CONFIG, uuid4()) is None


def test_sources_are_listed_with_their_newest_statuses(store: Store) -> None:
    """By the index of keys, so that no source is missed."""
    for source in ("shop", "shop", "crm"):
        store.record([accepted(begin(store, source=source))])
    begin(store, source="crm")
    found = {each.name: each.activity for each in read_sources(store)}
    assert list(found) == ["crm", "shop"]
    assert found["crm"] is not None
    assert found["crm"].statuses == {Status.SENT: 1, Status.SENDING: 1}
    assert found["shop"] is not None
    assert found["shop"].total == 2


def test_batches_are_listed_and_counted(store: Store) -> None:
    """The newest first, each with its recipients by status."""
    first, second = uuid4(), uuid4()
    begin(store)
    for batch, at in ((first, NOW), (second, NOW + SECOND)):
        entries = [call_for(asked(batch_id=batch, position=n)) for n in range(3)]
        store.claim(entries, now=at, lease=LEASE)
        store.record([accepted(entries[0])])
    found = recent_batches(store, limit=5)
    assert [(each.batch_id, each.recipients) for each in found] == [(second, 3), (first, 3)]
    progress = read_batch(store, first, limit=2)
    assert progress is not None
    assert (progress.total, progress.ended) == (3, 1)
    assert [each.position for each in progress.members.rows] == [0, 1]
    assert read_batch(store, uuid4(), limit=2) is None


def test_providers_have_their_recent_calls(store: Store) -> None:
    """By the time in the ids of calls; an old call is not counted."""
    now = store.clock()
    old = call_for(asked(), attempt_id=time_id(clock=NOW.timestamp))
    store.claim([old], now=now, lease=LEASE)
    entries = [call_for(asked(), attempt_id=time_id()) for _ in range(3)]
    store.claim(entries, now=now, lease=LEASE)
    ends = [accepted(entries[0]), put_off(entries[1], http_status=429)]
    store.record([replace(each, ended_at=now + SECOND) for each in ends])
    (found,) = read_providers(CONFIG, store)
    assert found.channels == [(Channel.EMAIL, 1)]
    assert found.calls is not None
    assert (found.calls.calls, found.calls.throttled) == (3, 1)
    assert found.calls.p95 == pytest.approx(1.0, abs=0.1)
    assert found.calls.outcomes == {Outcome.ACCEPTED: 1, Outcome.NOT_SENT: 1, None: 1}


def test_caps_have_the_use_of_each_source(store: Store) -> None:
    """In the current span only."""
    clock = Clock()
    clock.keep(store)
    day = int(clock() // 86_400) * 86_400
    insert = "INSERT INTO cap_counts (name, starts, ends, used) VALUES (:n, :s, :e, :u)"
    with store.writing() as connection:
        for name, starts, used in (("each:shop", day, 2), ("each:crm", day, 5), ("each:x", 0, 9)):
            values = {"n": name, "s": starts, "e": starts + 86_400, "u": used}
            connection.execute(text(insert), values)
    (found,) = read_caps(CONFIG, store)
    assert [(each.value, each.used, each.share) for each in found.uses] == [
        ("crm", 5, 1.0),
        ("shop", 2, 0.4),
    ]


def _count_waiting_letters(store: Store) -> object:
    with store.reading() as connection:
        return count_letters(connection, LetterFilter(state=LetterState.WAITING))


def _waiting_letters(store: Store) -> object:
    wanted = LetterFilter(state=LetterState.WAITING, cause=Cause.FAILED, before_id=999_999)
    with store.reading() as connection:
        return find_letters(connection, wanted, limit=51)


def _by_token(store: Store) -> object:
    wanted = SuppressionFilter(recipient_hashes=[b"h" * 16], ended=True)
    return read_suppressions(store, wanted, limit=50)


KEY = PageKey(NOW + timedelta(seconds=300))
READS: dict[str, Callable[[Store], object]] = {
    "newest": lambda store: search_notifications(store, RowSearch(), limit=50),
    "next page": lambda store: search_notifications(store, RowSearch(), after=KEY, limit=50),
    "source": lambda store: search_notifications(store, RowSearch(source="shop"), limit=50),
    "failed": lambda store: search_notifications(
        store, RowSearch(status=Status.FAILED), after=KEY, limit=50
    ),
    "unknown": lambda store: read_undecided(store, RowSearch(source="x"), limit=50),
    "code": lambda store: search_notifications(store, RowSearch(code="1"), after=KEY, limit=50),
    "recipient": lambda store: search_notifications(
        store, RowSearch(recipient_hashes=[b"h" * 16]), limit=50
    ),
    "batches": lambda store: recent_batches(store, limit=50),
    "batch": lambda store: read_batch(store, UUID(int=7), limit=50),
    "sources": lambda store: read_sources(store),
    "providers": lambda store: read_providers(CONFIG, store),
    "caps": lambda store: read_caps(CONFIG, store),
    "story": lambda store: read_story(store, CONFIG, UUID(int=8)),
    "producer's id": lambda store: store.known_as(UUID(int=8)),
    "first digits": lambda store: ids_beginning_with(store, "0b0e"),
    "causes": _count_waiting_letters,
    "letters": _waiting_letters,
    "suppressions": _by_token,
}


@pytest.fixture
def filled(store: Store) -> Store:
    """A record that is worth an index, with its statistics."""
    # One of the calls is recent.
    ids = [time_id(), *(time_id(clock=NOW.timestamp) for _ in range(599))]
    asking = [asked(batch_id=UUID(int=number % 50)) for number in range(599)]
    asking.append(asked(id=UUID(int=8)))
    entries = [call_for(each, attempt_id=id_) for each, id_ in zip(asking, ids, strict=True)]
    for at in range(0, 600, 20):
        store.claim(entries[at : at + 20], now=NOW + at * SECOND, lease=LEASE)
    store.record([accepted(entry) for entry in entries])
    planting.unknown(store)
    for cause in ("failed", "unroutable"):
        planting.bury(store, cause=cause)
    keep_up(store, now=NOW + timedelta(days=1))
    with store.writing() as connection:
        connection.execute(text("ANALYZE"))
    return store


def test_no_page_reads_a_whole_table(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the plans of both databases: the newest, bounded by an index, or few rows."""
    # Else these two would ask for more rows than there are, and either plan would cost the same.
    monkeypatch.setattr("notify.store.status.batches._EXAMINED", 80)
    monkeypatch.setattr("notify.store.status.sources._EXAMINED", 80)
    monkeypatch.setattr(matches, "FIRST_STEP", 40)
    monkeypatch.setattr(matches, "SEARCHED", 80)
    monkeypatch.setattr(matches, "SEARCHED_WITH_CALLS", 80)
    whole = {name: found for name, read in READS.items() if (found := _whole_reads(filled, read))}
    assert whole == {}


def test_a_plan_that_reads_a_whole_table_is_found(filled: Store) -> None:
    """The test above is not vacuous."""

    def read(store: Store) -> None:
        with store.reading() as connection:
            connection.execute(text("SELECT count(code) FROM attempts WHERE code = '1'"))

    assert _whole_reads(filled, read)


_LARGE = ("notifications", "attempts", "events")
"""Tables that grow with the traffic."""


def _whole_reads(store: Store, read: Callable[[Store], object]) -> list[str]:
    """Return the statements whose plan reads the whole of a large table."""
    statements: list[tuple[str, Any]] = []

    def note(*event: Any) -> None:
        statements.append(event[2:4])

    listen(store._engine, "before_cursor_execute", note)
    read(store)
    remove(store._engine, "before_cursor_execute", note)
    with store.reading() as connection:
        return [
            f"{statement}\n{plan}"
            for statement, parameters in statements
            if any(name in statement for name in _LARGE)
            and _WHOLE.search(plan := _plan(connection, statement, parameters))
        ]


_NAMES = "|".join(_LARGE)
_WHOLE = re.compile(rf"Seq Scan on ({_NAMES})\b|SCAN ({_NAMES})$", re.MULTILINE)


def _plan(connection: Connection, statement: str, parameters: Any) -> str:
    sqlite = connection.dialect.name == "sqlite"
    explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
    rows = connection.exec_driver_sql(explain + statement, parameters)
    return "\n".join(str(row[-1]) for row in rows)
