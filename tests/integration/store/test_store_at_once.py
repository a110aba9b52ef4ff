"""Many workers and many machines at the record at the same time, on both databases."""

from __future__ import annotations

import multiprocessing
import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import datetime
from functools import partial
from threading import Barrier
from uuid import UUID

from notify.message import Notification, Status
from notify.store import Claim, Filter, Store
from tests.recording import LATER, LEASE, NOW, accepted, asked, begin, call_for, claim_one

CHUNK = 20
WAIT = 30


def _claim_all(
    store: Store, wanted: Sequence[Notification], *, seed: int, now: datetime = NOW
) -> list[tuple[UUID, Claim]]:
    """Claim all in chunks, in an order of one's own, as one worker would."""
    mixed = list(wanted)
    random.Random(seed).shuffle(mixed)  # noqa: S311 - no secret
    answers = []
    for start in range(0, len(mixed), CHUNK):
        chunk = mixed[start : start + CHUNK]
        found = store.claim([call_for(each) for each in chunk], now=now, lease=LEASE)
        answers += [(each.id, answer) for each, answer in zip(chunk, found, strict=True)]
    return answers


def _claim_from_threads(
    url: str, wanted: Sequence[Notification], *, threads: int, seed: int
) -> list[tuple[UUID, Claim]]:
    """Claim all from several threads of one process; run in a process of its own."""
    store = Store.open(url)
    barrier = Barrier(threads)

    def work(number: int) -> list[tuple[UUID, Claim]]:
        barrier.wait(WAIT)
        return _claim_all(store, wanted, seed=seed + number)

    with ThreadPoolExecutor(threads) as pool:
        answers = [each for found in pool.map(work, range(threads)) for each in found]
    store.close()
    return answers


def _answers(
    store: Store, wanted: Sequence[Notification], *, seed: int, now: datetime
) -> list[Claim]:
    return [answer for _, answer in _claim_all(store, wanted, seed=seed, now=now)]


def _together(works: Sequence[Callable[[], list[Claim]]]) -> Counter[Claim]:
    """Run all at once; count the answers."""
    barrier = Barrier(len(works))

    def run(work: Callable[[], list[Claim]]) -> list[Claim]:
        barrier.wait(WAIT)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return Counter(answer for found in pool.map(run, works) for answer in found)


def test_processes_and_threads_that_claim_the_same_own_each_once(
    store: Store, migrated_url: str
) -> None:
    """Two processes of four threads: 200 owners in all, and an attempt for each."""
    wanted = [asked() for _ in range(200)]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as pool:
        works = [
            pool.submit(_claim_from_threads, migrated_url, wanted, threads=4, seed=seed)
            for seed in (10, 20)
        ]
        answers = [each for work in works for each in work.result(WAIT)]
    assert Counter(answer for _, answer in answers) == {Claim.OWNED: 200, Claim.BUSY: 1400}
    owned = [id_ for id_, answer in answers if answer is Claim.OWNED]
    assert set(owned) == {each.id for each in wanted}
    assert store.count(Filter()) == {Status.SENDING: 200}
    for each in wanted[:20]:
        story = store.get(each.id)
        assert story is not None
        assert len(story.attempts) == 1


def test_eight_threads_that_find_lapsed_calls_end_each_once(store: Store) -> None:
    """One of them gives each call up; the others find it ended."""
    lapsed = [begin(store).notification for _ in range(40)]
    works = [partial(_answers, store, lapsed, seed=seed, now=LATER) for seed in range(8)]
    counts = _together(works)
    assert counts == {Claim.UNKNOWN: 40, Claim.DUPLICATE: 280}
    for each in lapsed:
        story = store.get(each.id)
        assert story is not None
        assert [event.status for event in story.events] == [Status.UNKNOWN]


def test_a_record_and_a_takeover_at_once_leave_one_end(store: Store) -> None:
    """Whoever comes first decides; the other changes nothing."""
    entries = [begin(store) for _ in range(60)]
    late: set[UUID] = set()

    def record() -> list[Claim]:
        for entry in entries:
            late.update(store.record([accepted(entry)]))
        return []

    def take_over() -> list[Claim]:
        wanted = [call_for(entry.notification) for entry in reversed(entries)]
        return [claim_one(store, each, now=LATER) for each in wanted]

    answers = _together([record, take_over])
    assert answers[Claim.UNKNOWN] == len(late)
    assert answers[Claim.UNKNOWN] + answers[Claim.DUPLICATE] == 60
    for entry in entries:
        story = store.get(entry.notification.id)
        assert story is not None
        expected = Status.UNKNOWN if entry.notification.id in late else Status.SENT
        assert [event.status for event in story.events] == [expected] == [story.status]


def test_the_same_messages_in_opposite_order_do_not_deadlock(store: Store) -> None:
    """Two workers that got one backlog from two ends wait for each other in line."""
    for _ in range(8):
        wanted = [call_for(asked()) for _ in range(200)]
        works = [
            partial(store.claim, entries, now=NOW, lease=LEASE)
            for entries in (wanted, wanted[::-1])
        ]
        assert _together(works) == {Claim.OWNED: 200, Claim.BUSY: 200}
