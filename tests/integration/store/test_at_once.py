"""Many workers and many machines at the record at the same time, on both databases."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import datetime
from functools import partial
from threading import Barrier
from uuid import UUID

from notify.message import Notification, Outcome, Status
from notify.store import Claim, Filter, Store
from notify.store.relays.due import lease_due
from tests.support.forked import forks
from tests.support.patience import PATIENCE
from tests.support.recording import (
    LATER,
    LEASE,
    NOW,
    accepted,
    answer_to,
    asked,
    begin,
    call_for,
    lost,
    put_off,
)

CHUNK = 20


def _claim_all(
    store: Store, wanted: Sequence[Notification], *, seed: int, now: datetime = NOW
) -> list[tuple[UUID, Claim]]:
    """Claim all in chunks, in an order of one's own, as one worker would."""
    mixed = list(wanted)
    random.Random(seed).shuffle(mixed)
    answers = []
    for start in range(0, len(mixed), CHUNK):
        chunk = mixed[start : start + CHUNK]
        found = store.claim([call_for(each) for each in chunk], now=now, lease=LEASE)
        answers += [(each.id, answer.claim) for each, answer in zip(chunk, found, strict=True)]
    return answers


def _claim_from_threads(
    url: str, wanted: Sequence[Notification], *, threads: int, seed: int
) -> list[tuple[UUID, Claim]]:
    """Claim all from several threads of one process; run in a process of its own."""
    store = Store.open(url)
    barrier = Barrier(threads)

    def work(number: int) -> list[tuple[UUID, Claim]]:
        barrier.wait(PATIENCE)
        return _claim_all(store, wanted, seed=seed + number)

    with ThreadPoolExecutor(threads) as pool:
        answers = [each for found in pool.map(work, range(threads)) for each in found]
    store.close()
    return answers


def _answers(
    store: Store, wanted: Sequence[Notification], *, seed: int, now: datetime
) -> list[Claim]:
    return [answer for _, answer in _claim_all(store, wanted, seed=seed, now=now)]


def _claims(store: Store, wanted: Sequence[Notification]) -> list[Claim]:
    entries = [call_for(each) for each in wanted]
    return [answer.claim for answer in store.claim(entries, now=NOW, lease=LEASE)]


def _together(works: Sequence[Callable[[], list[Claim]]]) -> Counter[Claim]:
    """Run all at once; count the answers."""
    barrier = Barrier(len(works))

    def run(work: Callable[[], list[Claim]]) -> list[Claim]:
        barrier.wait(PATIENCE)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return Counter(answer for found in pool.map(run, works) for answer in found)


def test_processes_and_threads_that_claim_the_same_own_each_once(
    store: Store, migrated_url: str
) -> None:
    """Two processes of four threads: 200 owners in all, and an attempt for each."""
    wanted = [asked() for _ in range(200)]
    with ProcessPoolExecutor(2, mp_context=forks()) as pool:
        works = [
            pool.submit(_claim_from_threads, migrated_url, wanted, threads=4, seed=seed)
            for seed in (10, 20)
        ]
        answers = [each for work in works for each in work.result()]
    assert Counter(answer for _, answer in answers) == {Claim.OWNED: 200, Claim.BUSY: 1400}
    owned = [id_ for id_, answer in answers if answer is Claim.OWNED]
    assert set(owned) == {each.id for each in wanted}
    assert store.count(Filter()) == {Status.SENDING: 200}
    for each in wanted[:20]:
        story = store.get(each.id)
        assert story is not None
        assert len(story.attempts) == 1


def _give_up(store: Store, wanted: Sequence[Notification], *, seed: int) -> list[Claim]:
    """Examine each, record those with an ended lease, as a worker would; return each result."""
    mixed = list(wanted)
    random.Random(seed).shuffle(mixed)
    answers = []
    for each in mixed:
        entry = call_for(each)
        answer = answer_to(store, entry, now=LATER)
        if answer.claim is Claim.LAPSED and store.record([lost(entry, answer)]):
            answer = answer_to(store, entry, now=LATER)
        answers.append(answer.claim)
    return answers


def test_eight_threads_that_find_lapsed_calls_end_each_once(store: Store) -> None:
    """Several may find a call lapsed; one of them ends it, the others find it ended."""
    lapsed = [begin(store).notification for _ in range(40)]
    counts = _together([partial(_give_up, store, lapsed, seed=seed) for seed in range(8)])
    assert counts == {Claim.LAPSED: 40, Claim.DUPLICATE: 280}
    for each in lapsed:
        story = store.get(each.id)
        assert story is not None
        assert [event.status for event in story.events] == [Status.UNKNOWN]
        assert [attempt.outcome for attempt in story.attempts] == [Outcome.UNKNOWN]


def test_eight_threads_that_take_up_what_is_due_own_each_once(store: Store) -> None:
    """A retry that several workers are handed is called by one of them."""
    entries = [begin(store) for _ in range(40)]
    store.record([put_off(entry) for entry in entries])
    wanted = [entry.notification for entry in entries]
    works = [partial(_answers, store, wanted, seed=seed, now=LATER) for seed in range(8)]
    assert _together(works) == {Claim.OWNED: 40, Claim.BUSY: 280}
    for each in wanted:
        story = store.get(each.id)
        assert story is not None
        assert [attempt.number for attempt in story.attempts] == [1, 2]


def test_eight_relays_take_each_due_row_once(store: Store) -> None:
    """Other relays skip the rows that one relay has leased, and do not wait for them."""
    entries = [begin(store) for _ in range(200)]
    store.record([put_off(entry) for entry in entries])
    barrier = Barrier(8)

    def relay(_: int) -> list[UUID]:
        barrier.wait(PATIENCE)
        taken: list[UUID] = []
        while True:
            with store.writing() as connection:
                due = lease_due(connection, [Status.QUEUED], now=LATER, lease=LEASE, limit=CHUNK)
            if not due:
                return taken
            taken += [row.id for row in due]

    with ThreadPoolExecutor(8) as pool:
        taken = [id_ for found in pool.map(relay, range(8)) for id_ in found]
    assert sorted(taken) == sorted(entry.notification.id for entry in entries)


def test_a_record_and_a_takeover_at_once_leave_one_end(store: Store) -> None:
    """The first decides; the second changes nothing."""
    entries = [begin(store) for _ in range(60)]
    wanted = [entry.notification for entry in entries]
    late: set[UUID] = set()

    def record() -> list[Claim]:
        for entry in entries:
            late.update(store.record([accepted(entry)]))
        return []

    answers = _together([record, partial(_give_up, store, wanted, seed=1)])
    assert answers[Claim.LAPSED] == len(late)
    assert answers[Claim.LAPSED] + answers[Claim.DUPLICATE] == 60
    for entry in entries:
        story = store.get(entry.notification.id)
        assert story is not None
        expected = Status.UNKNOWN if entry.notification.id in late else Status.SENT
        assert [event.status for event in story.events] == [expected] == [story.status]


def test_the_same_messages_in_opposite_order_do_not_deadlock(store: Store) -> None:
    """Two workers that got one backlog from two ends wait for each other in line."""
    for _ in range(8):
        wanted = [asked() for _ in range(200)]
        works = [partial(_claims, store, people) for people in (wanted, wanted[::-1])]
        assert _together(works) == {Claim.OWNED: 200, Claim.BUSY: 200}
