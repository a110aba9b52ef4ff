"""Reading the record, and what it says when it cannot be read or written, on both databases."""

from __future__ import annotations

from datetime import UTC, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import create_engine, text

from notify.errors import StoreError, StoreRefused
from notify.message import Channel, Notification, Status
from notify.store import Entry, Filter, Store
from tests.support.migrated import migrated
from tests.support.recording import (
    LEASE,
    NOW,
    accepted,
    asked,
    begin,
    call_for,
    claim_one,
    rejected,
)

KATHMANDU = ZoneInfo("Asia/Kathmandu")
MINUTE = timedelta(minutes=1)


def _at_times(store: Store, count: int, **changes: Any) -> list[Notification]:
    """Record some that expired, a minute apart, oldest first."""
    made = []
    for number in range(count):
        notification = asked(**changes)
        claim_one(store, Entry(notification, Status.EXPIRED), now=NOW + number * MINUTE)
        made.append(notification)
    return made


def test_an_unknown_id_has_no_story(store: Store) -> None:
    """The record does not make up what it does not know."""
    assert store.get(uuid4()) is None


def test_the_newest_come_first_and_the_limit_holds(store: Store) -> None:
    """People look for what happened just now."""
    made = _at_times(store, 5)
    found = store.find(Filter(), limit=3)
    assert [each.id for each in found] == [each.id for each in made[:1:-1]]


def test_what_came_at_the_same_time_is_listed_in_a_fixed_order(store: Store) -> None:
    """Two looks at one batch show the same order, also where positions are alike."""
    entries = [Entry(asked(position=number % 3), Status.EXPIRED) for number in range(30)]
    store.claim(entries, now=NOW, lease=LEASE)
    found = store.find(Filter())
    assert [each.position for each in found] == [0] * 10 + [1] * 10 + [2] * 10
    assert [each.id for each in found[:10]] == sorted(each.id for each in found[:10])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("channel", Channel.SMS),
        ("lane", "bulk"),
        ("source", "billing"),
        ("template", "invoice"),
        ("to", "+4915112345678"),
        ("batch_id", uuid4()),
    ],
)
def test_a_filter_finds_its_own_only(store: Store, field: str, value: object) -> None:
    """Each filter is looked up in its own column, and is counted as it is listed."""
    _at_times(store, 2)
    wanted = asked(**{field: value})
    claim_one(store, Entry(wanted, Status.EXPIRED))
    filter_ = Filter(**{"recipient" if field == "to" else field: value})  # type: ignore[arg-type]
    assert [each.id for each in store.find(filter_)] == [wanted.id]
    assert store.count(filter_) == {Status.EXPIRED: 1}


def test_filters_are_joined_by_and(store: Store) -> None:
    """A row that matches only one filter is omitted."""
    (wanted,) = _at_times(store, 1, lane="bulk", source="billing")
    _at_times(store, 1, lane="bulk")
    found = store.find(Filter(lane="bulk", source="billing", status=Status.EXPIRED))
    assert [each.id for each in found] == [wanted.id]
    assert store.find(Filter(lane="bulk", status=Status.SENT)) == []


def test_since_is_included_and_until_is_not(store: Store) -> None:
    """Ranges that touch list each notification once."""
    made = _at_times(store, 4)
    found = store.find(Filter(since=NOW + MINUTE, until=NOW + 3 * MINUTE))
    assert [each.id for each in found] == [made[2].id, made[1].id]


def test_counts_are_by_status(store: Store) -> None:
    """Only statuses that occur are counted."""
    store.record([accepted(begin(store)), accepted(begin(store)), rejected(begin(store))])
    begin(store)
    assert store.count(Filter()) == {Status.SENT: 2, Status.REJECTED: 1, Status.SENDING: 1}
    assert store.count(Filter(source="nobody")) == {}


def test_times_come_back_in_utc_to_the_microsecond(store_url: str) -> None:
    """Neither the session's zone nor the zone of the given time shows."""
    if store_url.startswith("postgresql"):
        store_url += "?options=-c%20timezone%3DAsia/Kathmandu"
    store = migrated(store_url)
    local = NOW.astimezone(KATHMANDU)
    entry = begin(store, now=local, expires_at=local)
    store.record([accepted(entry, ended_at=local)])
    story = store.get(entry.notification.id)
    assert story is not None
    summary, (attempt,), (event,) = story.summary, story.attempts, story.events
    times = [summary.received_at, summary.updated_at, summary.expires_at, event.at]
    times += [attempt.started_at, attempt.ended_at]
    assert times == [NOW] * 6
    assert {time and time.tzinfo for time in times} == {UTC}
    assert store.find(Filter(since=local, until=local + timedelta(microseconds=1))) == [summary]
    store.close()


def test_a_time_without_a_zone_is_refused(store: Store) -> None:
    """It would mean another instant on every machine. The database is not away."""
    with pytest.raises(StoreRefused):
        store.find(Filter(since=NOW.replace(tzinfo=None)))


def test_half_a_character_is_refused_without_its_value(store: Store) -> None:
    """No database keeps it, and the error that says so shows no value."""
    good, bad = asked(), asked(to="secret\ud800")
    with pytest.raises(StoreRefused) as caught:
        store.claim([call_for(good), call_for(bad)], now=NOW, lease=LEASE)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert store.get(good.id) is None


def test_nul_is_refused_by_postgresql_without_its_value(postgres_url: str) -> None:
    """PostgreSQL keeps no NUL in text, and the error that says so shows no value."""
    store = migrated(postgres_url)
    with pytest.raises(StoreRefused) as caught:
        begin(store, to="secret\0")
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__
    store.close()


def test_a_record_that_is_refused_changes_nothing(store: Store) -> None:
    """The whole group stands or falls."""
    good, bad = begin(store), begin(store)
    with pytest.raises(StoreRefused) as caught:
        store.record([accepted(good), accepted(bad, reason="secret\ud800")])
    assert "secret" not in str(caught.value)
    assert store.count(Filter()) == {Status.SENDING: 2}


def test_without_tables_every_use_is_a_store_error(empty_url: str) -> None:
    """A database that was never migrated is reported in the store's own words."""
    store = Store.open(empty_url)
    entry = call_for(asked())
    for use in (
        lambda: claim_one(store, entry),
        lambda: store.record([accepted(entry)]),
        lambda: store.find(Filter()),
        lambda: store.get(uuid4()),
    ):
        with pytest.raises(StoreError):
            use()
    store.close()


def test_a_database_that_is_away_shows_no_password(store_url: str, tmp_path: Path) -> None:
    """Host, user and password stay out of the error, and out of what it was raised from."""
    away = f"sqlite:///{tmp_path}/secret/notify.db"
    if store_url.startswith("postgresql"):
        away = "postgresql+psycopg://ann:secret@127.0.0.1:1/notify"
    store = Store.open(away)
    with pytest.raises(StoreError) as caught:
        begin(store, to="secret@example.com")
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_the_store_comes_back_when_postgresql_does(postgres_url: str) -> None:
    """Connections that broke while idle cost one error, not a restart."""
    store = migrated(postgres_url)
    entry = begin(store)
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    engine.dispose()
    with pytest.raises(StoreError):
        store.record([accepted(entry)])
    assert store.record([accepted(entry)]) == set()
    store.close()
