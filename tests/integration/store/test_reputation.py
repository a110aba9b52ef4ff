"""The brake for reputation, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import insert, select, update
from structlog.testing import capture_logs

from notify.flow import overrides
from notify.message import Channel
from notify.policies.holds import Hold
from notify.policies.reputation import Reports, ReputationRules
from notify.receipts.brake import ACTOR, ReputationBrake
from notify.store import Actor, Store
from notify.store.db import read_clock
from notify.store.flow import holds
from notify.store.receipts import Reported, Sender, count_reports, read_reports
from notify.store.tables import audit, reputation
from notify.store.tables import holds as table
from notify.telemetry.metrics import Metrics

HOUR = 3600.0
CRM = Sender("crm", Channel.EMAIL, "sendgrid")
SHOP = Sender("shop", Channel.EMAIL, "sendgrid")


def count(store: Store, sender: Sender, *, ago: float = 0.0, **ends: int) -> None:
    """Count the ends of a sender's messages."""
    reported = [Reported(sender, end) for end, number in ends.items() for _ in range(number)]
    with store.writing() as connection:
        count_reports(connection, reported, now=read_clock(connection) - ago)


def brake_of(store: Store, *, lanes: Sequence[str] = ("bulk",)) -> ReputationBrake:
    """A brake with the default thresholds for 100 messages."""
    rules = ReputationRules(minimum=100)
    return ReputationBrake(store, Metrics(), rules=rules, window=24 * HOUR, lanes=lanes)


def held(store: Store) -> list[Hold]:
    """The holds in force."""
    with store.reading() as connection:
        return holds.current(connection)[0]


def test_counts_add_up_by_sender(store: Store) -> None:
    """Two batches of one hour are one row, and each sender has its own."""
    count(store, CRM, delivered=3, bounced=1)
    count(store, CRM, delivered=2, complained=1)
    count(store, SHOP, bounced=5)
    with store.reading() as connection:
        found = read_reports(connection, since=read_clock(connection) - 2 * HOUR)
    assert found == {CRM: Reports(5, 1, 1), SHOP: Reports(0, 5, 0)}


def test_a_bad_list_holds_the_bulk_lane_of_its_source_alone(store: Store) -> None:
    """With the numbers as the reason, an audit row, and one error in the log."""
    count(store, CRM, delivered=80, bounced=20)
    count(store, SHOP, delivered=100)
    brake = brake_of(store)
    with capture_logs() as logged:
        brake.step()
        brake.step()
    (hold,) = held(store)
    assert (hold.channel, hold.lane, hold.source) == (Channel.EMAIL, "bulk", "crm")
    assert hold.reason == "20.00% bounces of 100 emails through sendgrid"
    assert [each["event"] for each in logged if each["log_level"] == "error"] == [
        "notify.reputation_held"
    ]
    with store.reading() as connection:
        (row,) = connection.execute(select(audit.c.actor, audit.c.action, audit.c.details))
    assert (row.actor, row.action, row.details["source"]) == (ACTOR, "hold", "crm")


def test_a_warning_holds_nothing(store: Store) -> None:
    """It is logged once an hour, not at every step."""
    count(store, CRM, delivered=94, bounced=6)
    brake = brake_of(store)
    with capture_logs() as logged:
        brake.step()
        brake.step()
    assert not held(store)
    assert [each["event"] for each in logged] == ["notify.reputation_low"]


def test_without_lanes_it_only_warns(store: Store) -> None:
    """An operator can switch the brake off and keep the alert."""
    count(store, CRM, delivered=50, bounced=50)
    brake_of(store, lanes=()).step()
    assert not held(store)


def test_a_release_is_not_undone_by_the_numbers_that_caused_the_hold(store: Store) -> None:
    """Only what is reported after the release counts again."""
    count(store, CRM, ago=2 * HOUR, delivered=50, bounced=50)
    brake_of(store).step()
    overrides.release_holds(store, lambda _: True, Actor("ann@ops-1", "the list is clean"))
    brake_of(store).step()
    assert not held(store)
    # As if the release were two hours old: what is reported since then counts.
    with store.writing() as connection:
        now = read_clock(connection)
        connection.execute(update(table).values(until=now - 2 * HOUR))
    count(store, CRM, delivered=50, bounced=50)
    brake_of(store).step()
    assert len(held(store)) == 1


def test_old_reports_do_not_count_and_are_deleted(store: Store) -> None:
    """Outside of the window, and no longer kept after twice the window."""
    count(store, CRM, ago=26 * HOUR, bounced=100)
    count(store, CRM, ago=60 * HOUR, bounced=100)
    brake_of(store).step()
    assert not held(store)
    with store.reading() as connection:
        assert len(connection.execute(select(reputation.c.hour)).all()) == 1


def test_two_workers_place_one_hold(store: Store) -> None:
    """They judge the same numbers at the same moment."""
    count(store, CRM, delivered=50, bounced=50)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(brake_of(store).step) for _ in range(4)]:
            done.result()
    assert len(held(store)) == 1


def test_a_hold_of_an_operator_does_not_count_as_the_brakes(store: Store) -> None:
    """Ann's hold may end before the list is clean."""
    with store.writing() as connection:
        connection.execute(
            insert(table).values(
                channel="email", lane="bulk", source="crm", since=0.0, actor="ann", reason="x"
            )
        )
    count(store, CRM, delivered=50, bounced=50)
    brake_of(store).step()
    assert {hold.actor for hold in held(store)} == {"ann", ACTOR}
