"""The history of circuits, kept on both databases after the outage is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notify.flow.overrides import set_breaker_mode
from notify.policies.breaker import Circuit, CircuitState, Mode
from notify.privacy.retention import Keep, delete_old
from notify.store import Store
from notify.store.audit import Actor
from notify.store.flow.circuit_history import (
    CircuitChange,
    CircuitChangeFilter,
    find_circuit_changes,
)
from notify.store.flow.circuits import change

ANN = Actor("ann@ops-1", "their maintenance")


def _to(store: Store, provider: str, state: CircuitState, **changes: Any) -> None:
    def passed(circuit: Circuit, now: float) -> Circuit:
        after = replace(circuit, state=state, generation=circuit.generation + 1, since=now)
        return replace(after, **changes)

    with store.writing() as connection:
        change(connection, provider, passed)


def _found(store: Store, **wanted: Any) -> list[CircuitChange]:
    with store.reading() as connection:
        return find_circuit_changes(connection, CircuitChangeFilter(**wanted), limit=10)


@pytest.fixture
def outage(store: Store) -> Store:
    """Of one provider an outage from its beginning to its end, of another an operator's word."""
    _to(
        store,
        "sendgrid",
        CircuitState.OPEN,
        trips=1,
        cause="12 of 20 calls failed",
        open_until=None,
    )
    _to(store, "sendgrid", CircuitState.OPEN, probe_until=None)
    _to(store, "sendgrid", CircuitState.HALF_OPEN)
    _to(store, "sendgrid", CircuitState.CLOSED, trips=0, cause=None)
    set_breaker_mode(store, ["twilio"], Mode.OPEN, ANN, seconds=60)
    return store


def test_an_outage_is_known_when_it_is_over(outage: Store) -> None:
    """Each change of state once, the newest first; the circuit itself says nothing of it."""
    closed, probed, opened = _found(outage, providers=["sendgrid"])
    assert (opened.state_before, opened.state) == (CircuitState.CLOSED, CircuitState.OPEN)
    assert (opened.cause, opened.trips) == ("12 of 20 calls failed", 1)
    assert (probed.state_before, probed.state) == (CircuitState.OPEN, CircuitState.HALF_OPEN)
    assert (closed.state, closed.cause) == (CircuitState.CLOSED, None)
    assert opened.at <= probed.at <= closed.at


def test_what_operators_say_is_kept_too(outage: Store) -> None:
    """With who and why."""
    (said,) = _found(outage, providers=["twilio"])
    assert (said.mode_before, said.mode) == (Mode.AUTO, Mode.OPEN)
    assert (said.actor, said.reason) == (ANN.name, ANN.reason)


def test_changes_are_read_by_time_and_state(outage: Store) -> None:
    """By the database's clock, as spans and as moments."""
    now = datetime.now(UTC)
    assert [
        each.cause for each in _found(outage, state=CircuitState.OPEN, providers=["sendgrid"])
    ] == ["12 of 20 calls failed"]
    assert len(_found(outage, since=timedelta(days=1))) == 4
    assert _found(outage, until=timedelta(days=1)) == []
    assert len(_found(outage, since=now - timedelta(days=1), until=now + timedelta(days=1))) == 4
    assert _found(outage, since=now + timedelta(days=1)) == []
    assert _found(outage, providers=["other"]) == []


def test_maintenance_deletes_changes_with_the_audit(outage: Store) -> None:
    """However many, a few at a time; what is younger stays."""
    long, short = timedelta(days=730), timedelta(days=1)
    keep = Keep(lanes={}, others=long, waiting=long, audit=short)
    now = datetime.now(UTC)
    delete_old(outage, keep, now=now, batch=2, sleep=lambda _: None)
    assert len(_found(outage)) == 4
    delete_old(outage, keep, now=now + 2 * short, batch=2, sleep=lambda _: None)
    assert _found(outage) == []
