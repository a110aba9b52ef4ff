"""A call is under way while the record loses the claim of it."""

from __future__ import annotations

from contextlib import closing, suppress
from queue import SimpleQueue
from uuid import UUID, uuid4

from notify.delivery import Decision, Done
from notify.errors import StoreError
from notify.message import Outcome, Status
from notify.store import Store
from notify.store import holds as held
from tests.integration.store.test_store_clock import SECOND, Slow, _arrivals, _worker
from tests.integration.store.test_store_position import Copy
from tests.migrated import migrated

NOTHING = 0 * SECOND


def test_its_outcome_is_recorded_and_it_is_not_sent_twice(store_url: str) -> None:
    """The worker took its message for new, and 17 were sent a second time, unmarked."""
    migrated(store_url).close()
    slow, ids = Slow(), [str(uuid4())]
    decided: SimpleQueue[Decision] = SimpleQueue()
    with _worker(store_url, slow, off_by=NOTHING) as delivery:
        holds, store = delivery._flow.holds, delivery._store
        holds.refresh()
        store.close()
        copy = Copy(store_url)
        delivery.deliver(_arrivals(ids, decided))
        assert slow.called.wait(timeout=30)
        copy.put_back()
        for _ in range(3):
            with suppress(StoreError):
                holds.refresh()
        assert holds.record_behind
        slow.free.set()
        assert decided.get(timeout=30) == Done()
    assert len(slow.sent) == 1
    with closing(Store.open(store_url)) as after:
        story = after.get(UUID(ids[0]))
        assert story is not None
        assert (story.status, story.summary.possible_duplicate) == (Status.SENT, False)
        assert [each.outcome for each in story.attempts] == [Outcome.ACCEPTED]
        with after.reading() as connection:
            assert [hold.actor for hold in held.current(connection)[0]] == ["notify"]
