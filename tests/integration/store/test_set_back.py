"""A database whose clock was set back: nothing stops for as long as it stepped."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Table, select, update
from structlog.testing import capture_logs

from notify.flow.circuits import Circuits
from notify.flow.overrides import set_breaker_mode
from notify.message import Outcome, Status
from notify.policies.breaker import Circuit, CircuitState, Counts, Mode, Rules
from notify.policies.ratelimit import LONGEST_PAUSE, BookingRequest, Limit
from notify.relays import SetBackRepair
from notify.relays.relay import RELAY_LEASE
from notify.store import Claim, Entry, Store
from notify.store.audit import Actor
from notify.store.db.clock import read_clock
from notify.store.deadletters.replays import last_slots
from notify.store.delivery.cancel import cancel_waiting
from notify.store.flow import bookings, limits
from notify.store.flow import circuits as shared
from notify.store.flow.circuits import Slice
from notify.store.flow.holds import release_ended
from notify.store.reconcile.lost import postpone_lookup
from notify.store.relays.due import lease_due
from notify.store.relays.events import lease_events
from notify.store.relays.refused import lease_refused
from notify.store.tables import circuit_calls, circuits, notifications
from notify.store.tables import limits as limits_table
from tests.support.burying import arrival, body_of, bury, order, replayer
from tests.support.recording import LEASE, NOW, accepted, asked, begin, call_for, claim_one, put_off

HOUR = 3600.0
STEP = timedelta(hours=1)
LIMIT = Limit("account", 10.0, 10.0)
ONE = BookingRequest.of([1.0], share=1.0)
ANN = Actor("ann@ops-1", "INC-7")
RULES = Rules()
LIMIT_TIMES = ("tat", "used_at", "lowered_at", "paused_until")
CIRCUIT_TIMES = ("since", "open_until", "probe_until")


def _set_back(store: Store, table: Table, columns: tuple[str, ...], by: float = HOUR) -> None:
    """Leave the rows as a database's clock leaves them that is set back."""
    with store.writing() as connection:
        connection.execute(update(table).values({name: table.c[name] + by for name in columns}))


def _book(store: Store, ask: BookingRequest = ONE) -> Any:
    with store.booking() as connection:
        return bookings.book(connection, LIMIT, ask)


def _row(store: Store, table: Table) -> Any:
    with store.reading() as connection:
        return connection.execute(select(table)).one()


def test_a_limit_goes_on_at_once(store: Store) -> None:
    """Set back by an hour, it said: worth asking again in 3599.8 seconds."""
    for _ in range(5):
        _book(store)
    _set_back(store, limits_table, LIMIT_TIMES)
    with capture_logs() as logs:
        grant = _book(store)
    assert grant.units == 1
    assert [(each["event"], each["limit"]) for each in logs] == [
        ("notify.clock_set_back", "account")
    ]
    assert logs[0]["seconds"] == pytest.approx(HOUR, abs=60)
    with capture_logs() as logs:
        _book(store)
    assert logs == []


def test_what_was_granted_still_counts(store: Store) -> None:
    """A clock that is set back must not make the burst free once more."""
    granted = _book(store, BookingRequest.of([1.0] * 5, share=1.0)).units
    _set_back(store, limits_table, LIMIT_TIMES)
    more = _book(store, BookingRequest.of([1.0] * 100, share=1.0)).units
    assert granted == 5
    assert more < 10


def test_a_schedule_that_stands_too_far_ahead_is_brought_near(store: Store) -> None:
    """Whatever wrote it: no burst, message or pause books so far ahead."""
    _book(store)
    _set_back(store, limits_table, ("tat",))
    with capture_logs() as logs:
        grant = _book(store)
    assert grant.base - grant.now < 15
    assert grant.wait(ONE.sums) < 15
    assert [each["event"] for each in logs] == ["notify.clock_set_back"]


@pytest.mark.parametrize(
    "change",
    [
        lambda connection: limits.pause(connection, LIMIT.name, seconds=30.0),
        lambda connection: limits.cut(connection, LIMIT, retry_after=30.0, calls_per_second=9.0),
    ],
    ids=["exhausted", "throttled"],
)
def test_a_pause_keeps_its_length(store: Store, change: Callable[[Any], Any]) -> None:
    """A vendor that wanted half a minute is not left alone for an hour and half a minute."""
    with store.writing() as connection:
        change(connection)
    _set_back(store, limits_table, LIMIT_TIMES)
    with store.reading() as connection:
        (seen,), now = limits.read(connection, [LIMIT.name])
    assert seen.state.paused(now) == pytest.approx(30.0, abs=20)
    grant = _book(store)
    assert (grant.units, grant.wait(ONE.sums)) == (0, pytest.approx(30.0, abs=20))
    with store.writing() as connection:
        standing, now = limits.pause(connection, LIMIT.name, seconds=1.0)
    assert standing.paused(now) == pytest.approx(30.0, abs=20)


def test_no_pause_is_longer_than_the_longest(store: Store) -> None:
    """Whatever wrote it."""
    with store.writing() as connection:
        limits.pause(connection, LIMIT.name, seconds=30.0)
    _set_back(store, limits_table, ("paused_until",), by=5 * HOUR)
    grant = _book(store)
    assert grant.wait(ONE.sums) <= LONGEST_PAUSE


def test_a_lowered_rate_recovers(store: Store) -> None:
    """It would have stayed low for as long as the clock was set back."""
    with store.writing() as connection:
        limits.cut(connection, LIMIT, retry_after=None, calls_per_second=9.0)
    _set_back(store, limits_table, LIMIT_TIMES)
    _book(store)
    row = _row(store, limits_table)
    with store.reading() as connection:
        assert row.lowered_at <= read_clock(connection)


def test_an_operators_rate_lasts_until_its_time_of_day(store: Store) -> None:
    """It was given as a time of day; to end it early could hurt more than to end it late."""
    with store.writing() as connection:
        limits.set_rate(connection, LIMIT.name, 5.0, seconds=60.0, actor=ANN)
    until = _row(store, limits_table).set_until
    _set_back(store, limits_table, LIMIT_TIMES)
    assert _book(store).rate == 5.0
    assert _row(store, limits_table).set_until == until


def _circuits(store: Store) -> Circuits:
    return Circuits(store, {"sendgrid": RULES}, rng=random.Random(7))


def _change(store: Store, transition: Callable[[Circuit, float], Circuit]) -> Circuit:
    with store.writing() as connection:
        return shared.change(connection, "sendgrid", transition)[0]


def _open(store: Store) -> None:
    rng = random.Random(7)
    _change(store, lambda it, now: it.tripped("all failed", now=now, rules=RULES, rng=rng))


def test_an_open_circuit_is_probed_in_time(store: Store) -> None:
    """Set back by an hour, its provider was not called for an hour, though it was well."""
    _open(store)
    _set_back(store, circuits, CIRCUIT_TIMES)
    flow = _circuits(store)
    with capture_logs() as logs:
        flow.refresh()
    # The wait is by this process's clock, which may differ from the database's by milliseconds.
    assert 0 < flow.wait("sendgrid") < RULES.longest_open + 1
    assert [(each["event"], each.get("circuit")) for each in logs][:1] == [
        ("notify.clock_set_back", "sendgrid")
    ]
    row = _row(store, circuits)
    with store.reading() as connection:
        now = read_clock(connection)
    assert row.open_until <= now + RULES.longest_open
    assert row.since <= now
    with capture_logs() as logs:
        flow.refresh()
    assert logs == []


def test_a_probe_that_died_is_followed_by_another_in_time(store: Store) -> None:
    """Its leave would have lasted for as long as the clock was set back."""
    _open(store)
    with store.writing() as connection:
        connection.execute(update(circuits).values(open_until=0.0))
    leased = _change(store, lambda it, now: it.leased(now=now, rules=RULES))
    assert leased.state is CircuitState.HALF_OPEN
    _set_back(store, circuits, CIRCUIT_TIMES)
    _circuits(store).refresh()
    with store.reading() as connection:
        now = read_clock(connection)
    assert _row(store, circuits).probe_until <= now + RULES.probe_timeout


def test_a_circuit_that_an_operator_holds_open_stays_so(store: Store) -> None:
    """It was given as a time of day."""
    set_breaker_mode(store, ["sendgrid"], Mode.OPEN, ANN, seconds=60.0)
    before = _row(store, circuits)
    _set_back(store, circuits, (*CIRCUIT_TIMES, "mode_until"))
    _circuits(store).refresh()
    after = _row(store, circuits)
    assert after.open_until == before.open_until + HOUR
    assert after.mode_until == before.mode_until + HOUR


def test_calls_of_before_do_not_count_when_their_time_comes_once_more(store: Store) -> None:
    """An outage of an hour ago would open the circuit of a provider that is well."""
    with store.writing() as connection:
        now = read_clock(connection)
        bucket = RULES.slice_at(now + HOUR)
        shared.add_calls(connection, [Slice("sendgrid", 0, bucket, Counts(calls=50, failures=50))])
        shared.delete_old_calls(connection, older=600.0)
    with store.reading() as connection:
        assert connection.execute(select(circuit_calls)).all() == []


def _queued(store: Store, *, now: datetime) -> UUID:
    """One whose first call failed, due again a minute after *now*."""
    entry = begin(store, now=now)
    store.record([put_off(entry, ended_at=now, due_at=now + LEASE)])
    return entry.notification.id


def _due(store: Store, *statuses: Status, now: datetime) -> set[UUID]:
    with store.writing() as connection:
        return {
            row.id for row in lease_due(connection, statuses, now=now, lease=RELAY_LEASE, limit=10)
        }


def _righted(store: Store, *, now: datetime) -> None:
    SetBackRepair(store, clock=lambda: now).repair()


def test_a_retry_waits_as_long_as_was_meant(store: Store) -> None:
    """Due in a minute, it would have waited an hour and a minute."""
    id_ = _queued(store, now=NOW + STEP)
    with capture_logs() as logs:
        _righted(store, now=NOW)
    assert [(each["event"], each["count"]) for each in logs] == [("notify.clock_set_back", 1)]
    assert _due(store, Status.QUEUED, now=NOW + LEASE / 2) == set()
    assert _due(store, Status.QUEUED, now=NOW + LEASE) == {id_}


def test_a_look_up_waits_as_long_as_was_meant(store: Store) -> None:
    """As a retry."""
    entry = begin(store, now=NOW + STEP)
    lost = {"outcome": Outcome.UNKNOWN, "status": Status.UNKNOWN, "provider_id": None}
    due = NOW + STEP + LEASE
    store.record([accepted(entry, ended_at=NOW + STEP, due_at=due, **lost)])
    _righted(store, now=NOW)
    assert _due(store, Status.UNKNOWN, now=NOW + LEASE) == {entry.notification.id}


def test_a_postponed_look_up_waits_as_long_as_was_meant(store: Store) -> None:
    """Its wait began when it was postponed, not when the answer was lost."""
    entry = begin(store, now=NOW - STEP)
    lost = {"outcome": Outcome.UNKNOWN, "status": Status.UNKNOWN, "provider_id": None}
    store.record([accepted(entry, ended_at=NOW - STEP, due_at=NOW, **lost)])
    ahead = NOW + STEP
    with store.writing() as connection:
        (due,) = lease_due(connection, [Status.UNKNOWN], now=ahead, lease=RELAY_LEASE, limit=10)
        postpone_lookup(connection, due, until=ahead + LEASE, now=ahead)
    _righted(store, now=NOW)
    assert _due(store, Status.UNKNOWN, now=NOW + LEASE / 2) == set()
    assert _due(store, Status.UNKNOWN, now=NOW + LEASE) == {entry.notification.id}


def test_what_an_ended_hold_kept_is_due_at_once(store: Store) -> None:
    """It came due when the hold ended, by a clock that was set back before it was published."""
    ahead = NOW + STEP
    entry = Entry(asked(), Status.QUEUED, due_at=ahead + STEP, hold_id=7)
    assert claim_one(store, entry, now=NOW - STEP) is Claim.OWNED
    with store.writing() as connection:
        assert release_ended(connection, [7], now=ahead, limit=10) == 1
    _righted(store, now=NOW)
    assert _due(store, Status.QUEUED, now=NOW) == {entry.notification.id}


def test_an_ended_hold_dates_nothing_that_has_ended(store: Store) -> None:
    """How long the record keeps it counts from its end."""
    entry = Entry(asked(), Status.QUEUED, due_at=NOW + STEP, hold_id=7)
    assert claim_one(store, entry) is Claim.OWNED
    with store.writing() as connection:
        cancel_waiting(connection, entry.notification.id, now=NOW)
        # As a cancelled row of an earlier version, which kept its hold.
        connection.execute(update(notifications).values(hold_id=7))
        assert release_ended(connection, [7], now=NOW + STEP, limit=10) == 1
    assert _row(store, notifications).updated_at == NOW


def test_what_is_scheduled_keeps_its_time(store: Store) -> None:
    """It was asked for at a time of day."""
    due = NOW + STEP + LEASE
    claim_one(store, Entry(asked(), Status.SCHEDULED, due_at=due), now=NOW + STEP)
    _righted(store, now=NOW)
    assert _due(store, Status.SCHEDULED, now=due - LEASE) == set()


def test_what_was_put_off_by_a_clock_that_is_right_is_left_alone(store: Store) -> None:
    """A wait may be long: a lane's may be hours."""
    entry = begin(store, now=NOW)
    due = NOW + 2 * STEP
    store.record([put_off(entry, ended_at=NOW, due_at=due)])
    _righted(store, now=NOW + LEASE)
    assert _due(store, Status.QUEUED, now=due - LEASE) == set()


def test_a_dead_workers_claim_lapses_in_time(store: Store) -> None:
    """Its lease would have lasted for as long as the clock was set back."""
    entry = begin(store, now=NOW + STEP)
    with capture_logs() as logs:
        assert claim_one(store, call_for(entry.notification), now=NOW) is Claim.BUSY
    assert [each["event"] for each in logs] == ["notify.clock_set_back"]
    later = NOW + LEASE
    assert claim_one(store, call_for(entry.notification), now=later) is Claim.LAPSED


def test_a_live_workers_claim_is_not_cut(store: Store) -> None:
    """Clocks that two processes keep differ by milliseconds."""
    entry = begin(store, now=NOW)
    slightly = NOW - timedelta(seconds=1)
    assert claim_one(store, call_for(entry.notification), now=slightly) is Claim.BUSY
    assert _row(store, notifications).lease_until == NOW + LEASE


def test_what_a_dead_relay_held_is_taken_by_another(store: Store) -> None:
    """Rows and events: its hold would have lasted for as long as the clock was set back."""
    entry = begin(store, now=NOW)
    store.record([put_off(entry, ended_at=NOW, due_at=NOW)])
    ended = begin(store, now=NOW)
    store.record([accepted(ended, ended_at=NOW)])
    held = NOW + STEP
    assert _due(store, Status.QUEUED, now=held) == {entry.notification.id}
    with store.writing() as connection:
        assert len(lease_events(connection, now=held, lease=RELAY_LEASE, limit=10)) == 1
    assert _due(store, Status.QUEUED, now=held) == set()
    assert _due(store, Status.QUEUED, now=NOW) == {entry.notification.id}
    with store.writing() as connection:
        assert lease_events(connection, now=held, lease=RELAY_LEASE, limit=10) == []
        assert len(lease_events(connection, now=NOW, lease=RELAY_LEASE, limit=10)) == 1


def test_a_refused_event_that_a_dead_process_held_is_taken_by_another(store: Store) -> None:
    """As rows and events."""
    bury(store, arrival(b"[]"))
    taken = []
    for now in (NOW + STEP, NOW + STEP, NOW):
        with store.writing() as connection:
            taken.append(len(lease_refused(connection, now=now, lease=RELAY_LEASE, limit=10)))
    assert taken == [1, 0, 1]


def test_a_replay_does_not_line_up_behind_times_that_are_no_more(store: Store) -> None:
    """The next replay would have begun an hour later."""
    bury(store, arrival(body_of(uuid4())), now=NOW)
    ahead = NOW + STEP
    steps = replayer(store, now=ahead).replay(order(store), ANN, replay_id=uuid4())
    assert sum(len(step.replayed) for step in steps) == 1
    _righted(store, now=NOW)
    with store.reading() as connection:
        until = last_slots(connection, now=NOW)
    assert all(each < NOW + LEASE for each in until.values())


def test_a_relay_looks_when_a_step_back_was_noticed(store: Store) -> None:
    """And at its start, for the clock may have been set back while no worker ran."""
    repair = SetBackRepair(store, clock=lambda: NOW)
    repair.repair()
    id_ = _queued(store, now=NOW + STEP)
    repair.repair()
    assert _due(store, Status.QUEUED, now=NOW + LEASE) == set()
    with store.reading() as connection:
        now = read_clock(connection)
    store.clock.learn(now + HOUR)
    store.clock.learn(now)
    repair.repair()
    assert _due(store, Status.QUEUED, now=NOW + LEASE) == {id_}
