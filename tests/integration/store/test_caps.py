"""Counting caps on both databases: exact, once a notification, wholly or not at all."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select

from notify.message import Status
from notify.store import Entry, Store
from notify.store.db.clock import read_clock
from notify.store.flow.caps import COUNT_KEPT, USE_KEPT, Charge, charge_caps, prune_caps
from notify.store.tables import cap_counts, cap_uses
from tests.support.patience import PATIENCE
from tests.support.recording import LATER, accepted, asked, begin, claim_one

HOUR = 3600


def _charge(name: str = "shop", *, most: float = 3, cost: float = 1, hour: int = 0) -> Charge:
    return Charge(name, starts=hour * HOUR, ends=(hour + 1) * HOUR, cost=cost, most=most)


def _admit(store: Store, *asked: tuple[UUID, list[Charge]]) -> list[str | None]:
    with store.writing() as connection:
        return charge_caps(connection, asked)


def _used(store: Store) -> dict[tuple[str, int], float]:
    with store.reading() as connection:
        rows = connection.execute(select(cap_counts))
        return {(row.name, row.starts // HOUR): row.used for row in rows}


def _uses(store: Store) -> int:
    with store.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(cap_uses)).scalar_one())


def test_notifications_pass_until_the_cap_is_full(store: Store) -> None:
    """In the order in which they are asked for, over all transactions together."""
    first = _admit(store, *((uuid4(), [_charge()]) for _ in range(2)))
    then = _admit(store, *((uuid4(), [_charge()]) for _ in range(3)))
    assert (first, then) == ([None, None], [None, "shop", "shop"])
    assert _used(store) == {("shop", 0): 3}


def test_a_new_span_of_time_begins_empty(store: Store) -> None:
    """However full the last one was."""
    assert _admit(store, (uuid4(), [_charge(most=1)]), (uuid4(), [_charge(most=1)]))[1] == "shop"
    assert _admit(store, (uuid4(), [_charge(most=1, hour=1)])) == [None]
    assert _used(store) == {("shop", 0): 1, ("shop", 1): 1}


def test_a_notification_is_counted_once(store: Store) -> None:
    """Delivered again, tried again, in the next hour, twice in one batch: it passes, uncounted."""
    id_ = uuid4()
    assert _admit(store, (id_, [_charge(most=1)]), (id_, [_charge(most=1)])) == [None, None]
    assert _admit(store, (id_, [_charge(most=1)])) == [None]
    assert _admit(store, (id_, [_charge(most=1, hour=1)])) == [None]
    assert _used(store) == {("shop", 0): 1, ("shop", 1): 0}


def test_what_is_refused_is_counted_nowhere_and_may_pass_later(store: Store) -> None:
    """All caps or none: the one with room is not used up by what the other refuses."""
    full, roomy = _charge("full", most=0), _charge("roomy")
    id_ = uuid4()
    assert _admit(store, (id_, [roomy, full])) == ["full"]
    assert _used(store) == {("full", 0): 0, ("roomy", 0): 0}
    assert _uses(store) == 0
    assert _admit(store, (id_, [roomy, _charge("full", most=1)])) == [None]
    assert _used(store) == {("full", 0): 1, ("roomy", 0): 1}


def test_a_cap_that_came_later_counts_a_retry_too(store: Store) -> None:
    """Only for itself."""
    id_ = uuid4()
    assert _admit(store, (id_, [_charge("old")])) == [None]
    assert _admit(store, (id_, [_charge("old"), _charge("new")])) == [None]
    assert _used(store) == {("new", 0): 1, ("old", 0): 1}


def test_costs_add_up_to_the_cap_and_a_smaller_one_still_fits(store: Store) -> None:
    """Also where fractions cannot be written in binary: 0.1 three times is 0.3."""
    prices = [0.1, 0.1, 0.25, 0.1, 0.01]
    answers = _admit(store, *((uuid4(), [_charge(most=0.3, cost=price)]) for price in prices))
    assert answers == [None, None, "shop", None, "shop"]


def test_nothing_asked_is_nothing_written(store: Store) -> None:
    """No charge, no row."""
    assert _admit(store) == []
    assert _admit(store, (uuid4(), [])) == [None]
    assert _used(store) == {}


def test_caps_are_never_exceeded_however_many_count_at_once(store: Store) -> None:
    """Threads with the same notifications, in orders of their own: each counts once, to the end."""
    threads, spans = 6, (0, 1)
    most = {"all": 90.0, "shop": 40.0, "crm": 35.0, "one": 4.0, "two": 7.0}
    wanted = [
        (uuid4(), ["all", ("shop", "crm")[number % 2], ("one", "two", "all")[number % 3]])
        for number in range(240)
    ]
    barrier = Barrier(threads)

    def work(seed: int) -> list[tuple[UUID, str | None]]:
        rng = random.Random(seed)
        mixed = [
            (
                id_,
                [
                    _charge(name, most=most[name], hour=rng.choice(spans))
                    for name in rng.sample(sorted(set(names)), k=len(set(names)))
                ],
            )
            for id_, names in wanted
        ]
        rng.shuffle(mixed)
        barrier.wait(PATIENCE)
        found: list[tuple[UUID, str | None]] = []
        for start in range(0, len(mixed), 8):
            chunk = mixed[start : start + 8]
            answers = _admit(store, *chunk)
            found += [(id_, answer) for (id_, _), answer in zip(chunk, answers, strict=True)]
        return found

    with ThreadPoolExecutor(threads) as pool:
        answers = [each for found in pool.map(work, range(threads)) for each in found]
    used = _used(store)
    assert all(value <= most[name] for (name, _), value in used.items())
    passed = {id_ for id_, answer in answers if answer is None}
    with store.reading() as connection:
        uses = list(connection.execute(select(cap_uses)))
    assert {row.notification_id for row in uses} == passed
    assert Counter(row.name for row in uses) == {
        name: sum(value for (each, _), value in used.items() if each == name)
        for name in {name for name, _ in used}
    }
    # Twice the room of an hour, for two hours; what is left is too little for anyone.
    assert used["one", 0] + used["one", 1] == 8


def test_two_workers_in_two_spans_count_the_same_notification_once(store: Store) -> None:
    """One read the clock before midnight, the other after it."""
    id_ = uuid4()
    written, other = Event(), Event()

    def first() -> list[str | None]:
        with store.writing() as connection:
            answers = charge_caps(connection, [(id_, [_charge()])])
            written.set()
            other.wait(0.3)
        return answers

    def second() -> list[str | None]:
        assert written.wait(PATIENCE)
        answers = _admit(store, (id_, [_charge(hour=1)]))
        other.set()
        return answers

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(first), pool.submit(second)]
        assert [each.result(PATIENCE) for each in running] == [[None], [None]]
    assert sum(_used(store).values()) == 1
    assert _uses(store) == 1


def _prune(store: Store, *, limit: int = 100) -> int:
    with store.writing() as connection:
        return prune_caps(connection, limit=limit)


def _span(store: Store, *, ended: float) -> Charge:
    """A charge to a span of time that has been over for so many seconds."""
    with store.reading() as connection:
        ends = int(read_clock(connection) - ended)
    return Charge("shop", starts=ends - HOUR, ends=ends, cost=1, most=100)


def test_old_counts_are_forgotten(store: Store) -> None:
    """An hour after their span; the uses a day after it."""
    young, old = _span(store, ended=COUNT_KEPT - 60), _span(store, ended=COUNT_KEPT + 60)
    _admit(store, (uuid4(), [young]), (uuid4(), [old]))
    assert _prune(store) == 1
    with store.reading() as connection:
        assert [row.ends for row in connection.execute(select(cap_counts))] == [young.ends]
    assert _uses(store) == 2


def test_the_use_of_what_still_waits_is_never_forgotten(store: Store) -> None:
    """Its next try, days later, is not counted again; what has ended is tried no more."""
    waiting = begin(store).notification
    kept = Entry(asked(), Status.QUEUED, due_at=LATER)
    claim_one(store, kept)
    ended = begin(store)
    store.record([accepted(ended)])
    ids = [waiting.id, kept.notification.id, ended.notification.id, uuid4()]
    old = _span(store, ended=USE_KEPT + 60)
    _admit(store, *((id_, [old]) for id_ in ids))
    assert _prune(store) == 3
    with store.reading() as connection:
        left = {row.notification_id for row in connection.execute(select(cap_uses))}
    assert left == {waiting.id, kept.notification.id}
    assert _prune(store) == 0


def test_old_counts_are_forgotten_a_handful_at_a_time(store: Store) -> None:
    """Other workers do not wait long for the one that deletes; two at once share the work."""
    ends = _span(store, ended=USE_KEPT + 60).ends
    rows = [{"notification_id": uuid4(), "name": "shop", "ends": ends} for _ in range(25)]
    with store.writing() as connection:
        connection.execute(insert(cap_uses), rows)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: _prune(store, limit=10), range(6)))
    assert sum(done) == 25
    assert max(done) == 10
