"""A commit that was made and not confirmed: the connection broke in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

from notify.message import Status
from notify.store import Claim, Store
from notify.store.db import hot
from notify.store.delivery import postgresql
from tests.support.recording import LATER, accepted, answer_to, asked, begin, call_for, put_off


@contextmanager
def unconfirmed(store: Store, *, commit: int) -> Iterator[list[str]]:
    """Break the connection after one commit, counted from 0; gives what was committed by then."""
    commits: list[str] = []

    def committed(what: str) -> None:
        commits.append(what)
        if len(commits) == commit + 1:
            raise OperationalError("the connection is closed", None, ConnectionError())

    def commits_block(connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        if driver is not None:
            driver.commit()
        committed("a transaction")

    def executes(engine: Engine, statement: str, values: Mapping[str, Any]) -> Any:
        rows = hot.run(engine, statement, values)
        committed("a statement")
        return rows

    engine = store._engine
    event.listen(engine, "commit", commits_block)
    try:
        # On PostgreSQL a hot statement is a transaction by itself.
        with mock.patch.object(postgresql, "run", executes):
            yield commits
    finally:
        event.remove(engine, "commit", commits_block)


def test_a_claim_that_was_not_confirmed_is_written_again(store: Store) -> None:
    """The second write finds the first one's call, and the message is the worker's own to send."""
    entry = call_for(asked())

    with unconfirmed(store, commit=0) as commits:
        answer = answer_to(store, entry)

    assert len(commits) >= 2
    assert answer.claim is Claim.OWNED
    story = store.get(entry.notification.id)
    assert story is not None
    assert [attempt.id for attempt in story.attempts] == [entry.attempt_id]
    assert store.record([accepted(entry, fence=answer.fence)]) == set()


def test_taking_up_what_was_due_is_written_again_if_it_was_not_confirmed(store: Store) -> None:
    """Else the call would be open, never made, and unknown at its lease's end."""
    entry = begin(store)
    assert store.record([put_off(entry)]) == set()
    again = call_for(entry.notification)

    with unconfirmed(store, commit=1) as commits:
        answer = answer_to(store, again, now=LATER + timedelta(seconds=1))

    assert len(commits) == 3
    assert (answer.claim, answer.fence) == (Claim.OWNED, 2)
    story = store.get(entry.notification.id)
    assert story is not None
    assert [attempt.id for attempt in story.attempts] == [entry.attempt_id, again.attempt_id]
    assert story.status is Status.SENDING
    assert store.record([accepted(again, fence=answer.fence)]) == set()
