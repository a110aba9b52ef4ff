"""The use cases of operators write a change and its audit row together, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, text

from notify.delivery import cancel_notifications
from notify.errors import StoreError
from notify.flow import overrides
from notify.message import Status
from notify.policies.breaker import Mode
from notify.policies.holds import Scope
from notify.store import Actor, Claim, Entry, Store
from notify.store.tables import audit, circuits, events, holds, limits, notifications
from tests.support.recording import LATER, asked, claim_one

ANN = Actor("ann@ops-1", "INC-7")
NOTIFICATION = asked()
CHANGED = (notifications, events, holds, limits, circuits)

ACTS: dict[str, Callable[[Store], object]] = {
    "hold": lambda store: overrides.place_hold(store, Scope(lane="bulk"), ANN, seconds=60),
    "release": lambda store: overrides.release_holds(store, lambda _: True, ANN),
    "limit.set": lambda store: overrides.set_limit(store, "account", 50.0, ANN, seconds=None),
    "limit.reset": lambda store: overrides.reset_limits(store, ["account"], ANN),
    "breaker.open": lambda store: overrides.set_breaker_mode(
        store, ["sendgrid"], Mode.OPEN, ANN, seconds=60
    ),
    "cancel": lambda store: cancel_notifications(store, NOTIFICATION.id, ANN),
}


@pytest.fixture
def overridden(store: Store) -> Store:
    """A record with something to release, to reset and to cancel, and an empty audit."""
    overrides.place_hold(store, Scope(), ANN, seconds=None)
    overrides.set_limit(store, "account", 10.0, ANN, seconds=None)
    entry = Entry(NOTIFICATION, Status.SCHEDULED, due_at=LATER)
    assert claim_one(store, entry) is Claim.OWNED
    with store.writing() as connection:
        connection.execute(audit.delete())
    return store


def _rows(store: Store) -> list[Any]:
    with store.reading() as connection:
        return [list(connection.execute(select(table))) for table in CHANGED]


def _rename(store: Store, old: str, new: str) -> None:
    with store.writing() as connection:
        connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


@pytest.mark.parametrize("action", ACTS)
def test_an_act_changes_the_record_and_is_audited(overridden: Store, action: str) -> None:
    """One row, with who acted and why."""
    before = _rows(overridden)
    ACTS[action](overridden)
    assert _rows(overridden) != before
    with overridden.reading() as connection:
        (row,) = connection.execute(select(audit))
    assert (row.action, row.actor, row.reason) == (action, ANN.name, ANN.reason)


@pytest.mark.parametrize("action", ACTS)
def test_an_act_that_cannot_be_audited_changes_nothing(overridden: Store, action: str) -> None:
    """Both are in one transaction."""
    before = _rows(overridden)
    _rename(overridden, "audit", "audit_gone")
    with pytest.raises(StoreError):
        ACTS[action](overridden)
    _rename(overridden, "audit_gone", "audit")
    assert _rows(overridden) == before


def test_an_act_without_an_effect_is_not_audited(store: Store) -> None:
    """No hold is in force, the limit is as configured, and no such notification is on record."""
    assert overrides.release_holds(store, lambda _: True, ANN).holds == []
    assert overrides.reset_limits(store, ["account"], ANN) == []
    assert cancel_notifications(store, NOTIFICATION.id, ANN).ids == []
    with store.reading() as connection:
        assert list(connection.execute(select(audit))) == []
