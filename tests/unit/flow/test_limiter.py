"""The limiter of one worker process, on a SQLite record of its own."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from notify.flow.limiter import Booking, Limiter
from notify.policies.ratelimit import Limit
from notify.store import Store
from notify.store.audit import Actor
from notify.store.flow import limits
from tests.support.clocks import Clock

ACCOUNT = Limit("account", 100.0)
SENDER = Limit("sender", 10.0)
ANN = Actor("ann@ops-1", "INC-7")


@contextmanager
def unwritten(path: Path) -> Iterator[None]:
    """Assert that the record is not written to within the block."""
    with closing(sqlite3.connect(path)) as connection:
        before = connection.execute("PRAGMA data_version").fetchall()
        yield
        assert connection.execute("PRAGMA data_version").fetchall() == before


@pytest.fixture
def store(store: Store, clock: Clock) -> Store:
    """A record that reads the test's clock."""
    clock.keep(store)
    return store


def limiter_of(store: Store, clock: Clock, *configured: Limit) -> Limiter:
    """Make one process's limiter."""
    return Limiter(store, {each.name: each for each in configured}, monotonic=clock)


def test_what_fits_the_burst_may_go_now_and_the_rest_at_its_turn(
    store: Store, clock: Clock
) -> None:
    """Half a second's worth at once, a quarter of a second ahead, and when to ask for more."""
    before = clock()
    booking = limiter_of(store, clock, ACCOUNT).book(["account"], [1.0] * 200, share=1.0)
    assert len(booking.slots) in (75, 76)
    assert booking.slots == sorted(booking.slots)
    assert booking.slots[0] >= before
    assert booking.slots[49] - booking.slots[0] == pytest.approx(0.0)
    assert booking.slots[74] - booking.slots[0] == pytest.approx(0.25)
    assert 0 < booking.wait <= 0.25


def test_a_second_process_finds_what_the_first_has_left(store: Store, clock: Clock) -> None:
    """There is one schedule for all."""
    first = limiter_of(store, clock, ACCOUNT).book(["account"], [1.0] * 60, share=1.0).slots
    slots = limiter_of(store, clock, ACCOUNT).book(["account"], [1.0] * 5, share=1.0).slots
    assert slots[0] > first[-1]


def test_a_name_without_a_limit_costs_nothing(tmp_path: Path, clock: Clock) -> None:
    """Not even a look at the store."""
    path = tmp_path / "never.db"
    store = Store.open(f"sqlite:///{path}")
    limiter = limiter_of(store, clock, Limit("provider:memory"), ACCOUNT)
    for names in ([], ["provider:memory"], ["nobody", "provider:memory"]):
        booking = limiter.book(names, [1.0, 1.0], share=0.6)
        assert len(booking.slots) == 2
        assert booking.slots[-1] <= clock()
        assert booking.wait == 0.0
    assert limiter.book(["account"], [], share=1.0) == Booking([], 0.0)
    assert limiter.rate(["provider:memory"]) is None
    assert limiter.wait([]) == limiter.wait(["provider:memory"]) == 0.0
    store.close()
    assert not path.exists()


def test_a_changed_rate_holds_for_all_that_is_booked_from_then_on(
    store: Store, clock: Clock
) -> None:
    """Units of the greater rate are not used up first; a person's limit is that of its kind."""
    other = Limit("other", 1000.0)
    limiter = limiter_of(store, clock, ACCOUNT, other, Limit("person", 50.0))
    # Units booked of one limit stay leased if the other limit refuses.
    limiter_of(store, clock, other).exhausted(["other"], 30.0)
    assert limiter.book(["account", "other"], [1.0] * 40, share=1.0).slots == []
    limiter.change({"account": Limit("account", 2.0), "person": Limit("person")})
    booking = limiter.book(["account"], [1.0] * 10, share=1.0)
    assert len(booking.slots) <= 2
    assert booking.wait > 0.25
    assert len(limiter.book(["person:ann"], [1.0] * 200, share=1.0).slots) == 200
    limiter.change({"account": Limit("account")})
    assert len(limiter.book(["account"], [1.0] * 200, share=1.0).slots) == 200


def test_all_of_several_limits_must_allow(store: Store, clock: Clock) -> None:
    """The scarcest decides how many, and the others keep what they do not use."""
    limiter = limiter_of(store, clock, ACCOUNT, SENDER)
    booking = limiter.book(["account", "sender"], [1.0] * 40, share=1.0)
    assert len(booking.slots) == 7
    with store.reading() as connection:
        (account, sender), _ = limits.read_all(connection, changed_only=False)
    assert (account.name, sender.name) == ("account", "sender")
    assert account.use == pytest.approx(0.7, rel=0.3)
    assert sender.use == pytest.approx(0.7, rel=0.3)


def test_a_slot_is_as_late_as_the_latest_of_its_limits(store: Store, clock: Clock) -> None:
    """Whichever was used more by others."""
    others = limiter_of(store, clock, ACCOUNT, SENDER)
    last = others.book(["account"], [1.0] * 60, share=1.0).slots[-1]
    limiter = limiter_of(store, clock, ACCOUNT, SENDER)
    slots = limiter.book(["account", "sender"], [1.0], share=1.0).slots
    assert slots[0] > last


def test_no_slot_is_so_far_ahead_that_another_limit_s_unit_would_be_late(
    store: Store, clock: Clock
) -> None:
    """A sender that may do one at a time is booked when its account has one now."""
    sender = Limit("sender", 50.0, 1.0)
    limiter_of(store, clock, ACCOUNT).book(["account"], [1.0] * 60, share=1.0)
    limiter = limiter_of(store, clock, ACCOUNT, sender)
    booking = limiter.book(["account", "sender"], [1.0], share=1.0)
    assert booking.slots == [] or booking.slots[0] <= clock()
    assert limiter.book(["account"], [1.0], share=1.0).slots


def test_nothing_is_taken_of_one_limit_while_another_is_paused(store: Store, clock: Clock) -> None:
    """It would lapse before it could be used."""
    limiter = limiter_of(store, clock, ACCOUNT, SENDER)
    limiter.exhausted(["account"], 30.0)
    assert limiter.book(["account", "sender"], [1.0], share=1.0).slots == []
    with store.reading() as connection:
        (found,), _ = limits.read_all(connection, changed_only=False)
    assert found.name == "account"


def test_a_lane_of_a_small_share_leaves_units_for_the_first(store: Store, clock: Clock) -> None:
    """However much it asks for."""
    limiter = limiter_of(store, clock, ACCOUNT)
    for _ in range(5):
        booking = limiter.book(["account"], [1.0] * 200, share=0.6)
    assert booking.slots == []
    assert booking.wait > 0
    first = limiter.book(["account"], [1.0], share=1.0)
    assert first.slots[0] <= clock()


def test_what_was_leased_is_used_without_the_store(store: Store, clock: Clock) -> None:
    """A rate that is never reached costs a few statements a second."""
    limiter = limiter_of(store, clock, Limit("account", 1e6))
    for _ in range(300):
        limiter.book(["account"], [1.0] * 16, share=0.6)
    before = store.booking
    calls = 0

    def counted() -> object:
        nonlocal calls
        calls += 1
        return before()

    store.booking = counted  # type: ignore[method-assign,assignment]
    begun = clock()
    for _ in range(300):
        assert len(limiter.book(["account"], [1.0] * 16, share=0.6).slots) == 16
        clock.pass_(0.001)
    assert 0 < calls <= 20 * (clock() - begun) + 3


def test_a_refusal_is_remembered_until_asking_is_worth_it(
    store: Store, path: Path, clock: Clock
) -> None:
    """Asking again at once costs no look at the store."""
    limiter = limiter_of(store, clock, Limit("account", 0.1, 1.0))
    assert len(limiter.book(["account"], [1.0] * 9, share=0.6).slots) == 1
    first = limiter.book(["account"], [1.0], share=0.6)
    assert (first.slots, first.wait > 5.0) == ([], True)
    with unwritten(path):
        assert limiter.book(["account"], [1.0], share=0.6).wait <= first.wait


def test_a_complaint_stops_all_workers_and_slows_them(store: Store, clock: Clock) -> None:
    """Another process learns it by its next look, and by its next booking anyway."""
    ours, theirs = limiter_of(store, clock, ACCOUNT), limiter_of(store, clock, ACCOUNT)
    assert theirs.book(["account"], [1.0], share=1.0).slots
    ours.throttled(["account"], retry_after=30.0, calls_per_second=90.0)
    assert ours.wait(["account"]) == pytest.approx(30.0, abs=0.01)
    assert theirs.wait(["account"]) == 0.0
    assert theirs.book(["account"], [1.0], share=1.0).wait == pytest.approx(30.0, abs=0.01)
    assert theirs.wait(["account"]) == pytest.approx(30.0, abs=0.01)
    third = limiter_of(store, clock, ACCOUNT)
    third.refresh()
    assert third.wait(["account"]) == pytest.approx(30.0, abs=0.01)
    with store.reading() as connection:
        (found,), now = limits.read_all(connection, changed_only=False)
    assert found.state.rate(ACCOUNT, now) == pytest.approx(70.0)


def test_what_another_limit_refused_is_used_before_more_is_booked(
    store: Store, clock: Clock
) -> None:
    """It stays leased until it lapses."""
    limiter = limiter_of(store, clock, Limit("account", 100.0, 4000.0), Limit("other", 1000.0))
    limiter_of(store, clock, Limit("other", 1000.0)).exhausted(["other"], 30.0)
    assert limiter.book(["account", "other"], [1.0] * 40, share=1.0).slots == []
    with store.reading() as connection:
        (before,), _ = limits.read(connection, ["account"])
    assert len(limiter.book(["account"], [1.0] * 14, share=1.0).slots) == 14
    with store.reading() as connection:
        (after,), _ = limits.read(connection, ["account"])
    assert after.state == before.state


def test_a_complaint_voids_what_is_in_stock(store: Store, clock: Clock) -> None:
    """Otherwise a process would go on with it."""
    limiter = limiter_of(store, clock, ACCOUNT, Limit("other", 1000.0))
    limiter_of(store, clock, Limit("other", 1000.0)).exhausted(["other"], 30.0)
    assert limiter.book(["account", "other"], [1.0] * 40, share=1.0).slots == []
    before = clock()
    limiter.throttled(["account"], retry_after=None, calls_per_second=90.0)
    slots = limiter.book(["account"], [1.0] * 14, share=1.0).slots
    assert slots[-1] > before + 0.19


def test_a_complaint_where_nothing_was_configured_makes_a_limit(store: Store, clock: Clock) -> None:
    """Of what the fleet did when it was complained of."""
    limiter, other = (limiter_of(store, clock, Limit("provider:x")) for _ in range(2))
    limiter.throttled(["provider:x"], retry_after=None, calls_per_second=50.0)
    other.refresh()
    for each in (limiter, other):
        booking = each.book(["provider:x"], [1.0] * 100, share=1.0)
        assert len(booking.slots) < 30
        assert booking.wait > 0


def test_a_storm_of_complaints_is_told_once(store: Store, path: Path, clock: Clock) -> None:
    """Each would lock the row; the others would learn nothing from it."""
    limiter = limiter_of(store, clock, ACCOUNT)
    limiter.throttled(["account"], retry_after=60.0, calls_per_second=90.0)
    with unwritten(path):
        for _ in range(20):
            limiter.throttled(["account"], retry_after=60.0, calls_per_second=90.0)
    with store.reading() as connection:
        (found,), _ = limits.read_all(connection, changed_only=False)
    assert found.state.lowered == pytest.approx(70.0)


def test_a_complaint_after_a_recovery_cuts_again(store: Store, clock: Clock) -> None:
    """It is written even if the rate is the same as before."""
    limiter = limiter_of(store, clock, ACCOUNT)
    limiter.throttled(["account"], retry_after=None, calls_per_second=90.0)
    with store.writing() as connection:
        connection.exec_driver_sql("UPDATE limits SET lowered_at = lowered_at - 60")
    limiter.refresh()
    with store.reading() as connection:
        (found,), now = limits.read(connection, ["account"])
    assert found.state.rate(ACCOUNT, now) == 100.0
    limiter.throttled(["account"], retry_after=None, calls_per_second=90.0)
    with store.reading() as connection:
        (found,), now = limits.read(connection, ["account"])
    assert found.state.rate(ACCOUNT, now) == pytest.approx(70.0, abs=0.5)


def test_a_complaint_that_cannot_be_told_is_told_at_the_next_look(
    tmp_path: Path, clock: Clock
) -> None:
    """Until then, this process heeds it alone; with what is left of the pause."""
    path = tmp_path / "later.db"
    store = Store.open(f"sqlite:///{path}")
    clock.keep(store)
    limiter = limiter_of(store, clock, ACCOUNT)
    limiter.throttled(["account"], retry_after=30.0, calls_per_second=90.0)
    limiter.exhausted(["account"], 50.0)
    assert limiter.book(["account"], [1.0], share=1.0).slots == []
    store.migrate()
    clock.pass_(10.0)
    limiter.refresh()
    with store.reading() as connection:
        (found,), now = limits.read_all(connection, changed_only=False)
    assert found.state.lowered == pytest.approx(70.0)
    assert found.state.paused(now) == pytest.approx(40.0, abs=0.01)
    store.close()


def test_without_the_store_each_process_keeps_to_its_part(tmp_path: Path, clock: Clock) -> None:
    """Its recent part; a small one if it had none."""
    path = tmp_path / "record.db"
    store = Store.open(f"sqlite:///{path}")
    clock.keep(store)
    limiter = limiter_of(store, clock, ACCOUNT)
    first = limiter.book(["account"], [1.0] * 50, share=1.0)
    assert len(first.slots) == 2
    assert first.slots[1] - first.slots[0] == pytest.approx(0.5)
    assert first.wait > 0.1
    store.migrate()
    clock.pass_(1.0)
    for _ in range(20):
        assert limiter.book(["account"], [2.0], share=1.0).slots
        clock.pass_(0.1)
    with store.writing() as connection:
        connection.exec_driver_sql("DROP TABLE limits")
    got = 0
    for _ in range(100):
        got += 2 * len(limiter.book(["account"], [2.0] * 9, share=1.0).slots)
        clock.pass_(0.1)
    assert 100 <= got <= 260
    store.close()


def test_the_store_is_asked_again_when_it_is_back(tmp_path: Path, clock: Clock) -> None:
    """After half a second, not at each message."""
    store = Store.open(f"sqlite:///{tmp_path}/record.db")
    clock.keep(store)
    limiter = limiter_of(store, clock, ACCOUNT)
    assert len(limiter.book(["account"], [1.0] * 50, share=1.0).slots) == 2
    store.migrate()
    clock.pass_(2.0)
    assert len(limiter.book(["account"], [1.0] * 50, share=1.0).slots) == 50
    store.close()


def test_the_rate_is_told_only_while_something_had_to_wait(store: Store, clock: Clock) -> None:
    """The rate that this process got decides how many messages it buffers."""
    limiter = limiter_of(store, clock, Limit("account", 20.0))
    limiter.book(["account"], [1.0] * 5, share=1.0)
    assert limiter.rate(["account"]) is None
    limiter.book(["account"], [1.0] * 50, share=1.0)
    rate = limiter.rate(["account"])
    assert rate is not None
    assert rate > 0
    clock.pass_(3.0)
    assert limiter.rate(["account"]) is None


def test_the_rate_is_told_in_messages_whatever_they_cost(store: Store, clock: Clock) -> None:
    """By units, a worker would buffer four times too many long SMS."""
    limiter = limiter_of(store, clock, Limit("short", 20.0), Limit("long", 20.0))
    clock.pass_(1.0)
    limiter.book(["short"], [1.0] * 50, share=1.0)
    limiter.book(["long"], [4.0] * 50, share=1.0)

    short, long = limiter.rate(["short"]), limiter.rate(["long"])

    assert short is not None
    assert long is not None
    assert short / 6 < long < short / 3


def test_each_value_has_a_limit_to_itself(store: Store, clock: Clock) -> None:
    """Named after its kind, with the rate of its kind."""
    limiter = limiter_of(store, clock, Limit("one-person", 0.1, 1.0))
    assert limiter.book(["one-person:a"], [1.0], share=1.0, ahead=0.0).slots
    assert limiter.book(["one-person:b"], [1.0], share=1.0, ahead=0.0).slots
    again = limiter.book(["one-person:a"], [1.0], share=1.0, ahead=0.0)
    assert not again.slots
    assert again.wait == pytest.approx(10.0, abs=0.01)


def test_values_that_are_not_used_are_forgotten(store: Store, clock: Clock) -> None:
    """A million recipients do not stay in memory, nor on record."""
    limiter = limiter_of(store, clock, ACCOUNT, Limit("one-person", 1.0, 1.0))
    limiter.book(["one-person:a"], [1.0], share=1.0)
    limiter.book(["account"], [1.0], share=1.0)
    with store.writing() as connection:
        connection.exec_driver_sql("UPDATE limits SET tat = tat - 9999, used_at = used_at - 9999")
        limits.set_rate(connection, "account", 7.0, seconds=None, actor=ANN)
    assert set(limiter._leases) == {"account", "one-person", "one-person:a"}
    clock.pass_(700.0)
    limiter.refresh()
    assert set(limiter._leases) == {"account", "one-person"}
    with store.reading() as connection:
        found, _ = limits.read_all(connection, changed_only=False)
    assert [each.name for each in found] == ["account"]


def test_an_operator_s_rate_holds_for_each_value_of_its_kind(store: Store, clock: Clock) -> None:
    """Both those that were seen before and those that come."""
    limiter = limiter_of(store, clock, Limit("one-source", 1.0, 1.0))
    limiter.book(["one-source:shop"], [0.1], share=1.0)
    with store.writing() as connection:
        limits.set_rate(connection, "one-source", 1000.0, seconds=60.0, actor=ANN)
    limiter.refresh()
    for name in ("one-source:shop", "one-source:crm"):
        assert len(limiter.book([name], [1.0] * 90, share=1.0).slots) == 90


def test_units_that_a_value_has_leased_are_dropped_at_its_kinds_new_rate(
    store: Store, clock: Clock
) -> None:
    """They were booked at the old rate: their slots come too fast for the new one."""
    limiter = limiter_of(store, clock, Limit("one-source", 1000.0))
    for _ in range(50):
        limiter.book(["one-source:shop"], [1.0], share=1.0)
        clock.pass_(0.01)
    with store.writing() as connection:
        limits.set_rate(connection, "one-source", 0.001, seconds=60.0, actor=ANN)
        connection.exec_driver_sql("UPDATE limits SET tat = tat + 9999")
    limiter.refresh()
    assert limiter.book(["one-source:shop"], [1.0], share=1.0).slots == []


def test_an_operator_s_rate_is_in_force_after_the_next_look(store: Store, clock: Clock) -> None:
    """Also where no rate is configured."""
    limiter = limiter_of(store, clock, Limit("provider:x"))
    assert math.isclose(limiter.wait(["provider:x"]), 0.0)
    with store.writing() as connection:
        limits.set_rate(connection, "provider:x", 10.0, seconds=None, actor=ANN)
    limiter.refresh()
    assert len(limiter.book(["provider:x"], [1.0] * 90, share=1.0).slots) == 7
    with store.writing() as connection:
        assert limits.reset(connection, "provider:x")
        assert not limits.reset(connection, "provider:x")
    limiter.refresh()
    assert len(limiter.book(["provider:x"], [1.0] * 90, share=1.0).slots) == 90


def test_a_use_fades_with_time_and_never_grows() -> None:
    """Not even where the clock was set back since it was noted: no alarm of a limit used up."""
    assert limits.faded(0.8, 100.0, 100.0) == 0.8
    assert limits.faded(0.8, 100.0, 100.0 + limits.USE) == pytest.approx(0.8 / math.e)
    assert limits.faded(0.8, 100.0, 40.0) == 0.8
