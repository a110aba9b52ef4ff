"""
The use cases of operators: holds, limits and circuits, each with its audit row.

Change and audit row are in one transaction. Workers act on a change within 2 seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from notify.policies.breaker import Circuit, Mode
from notify.policies.holds import Hold, Scope
from notify.store import Actor, Store, write_audit
from notify.store.flow import circuits, holds, limits


@dataclass(frozen=True, slots=True)
class ReleasedHolds:
    """The holds that were released, and how many are still in force."""

    holds: Sequence[Hold]
    set_aside: Mapping[int, int]
    """By hold id, how many notifications on record become due now."""
    remaining: int


def place_hold(store: Store, scope: Scope, actor: Actor, *, seconds: float | None) -> Hold:
    """
    Stop all messages that match *scope* from being sent.

    Args:
        seconds: How long the hold is in force; None until it is released.

    Raises:
        StoreError: The record cannot be written.
    """
    with store.writing() as connection:
        return place_hold_within(connection, scope, actor, seconds=seconds, at=store.clock())


def place_hold_within(
    connection: Connection, scope: Scope, actor: Actor, *, seconds: float | None, at: datetime
) -> Hold:
    """Place a hold as `place_hold` does, in the caller's transaction."""
    hold = holds.place(connection, scope, actor=actor.name, reason=actor.reason, seconds=seconds)
    details = {"id": hold.id, "seconds": seconds, **scope.given}
    write_audit(connection, actor, "hold", details=details, at=at)
    return hold


def release_holds(store: Store, chosen: Callable[[Hold], bool], actor: Actor) -> ReleasedHolds:
    """
    Release the holds in force that are *chosen*; if there are none, write nothing.

    Raises:
        StoreError: The record cannot be written.
    """
    with store.writing() as connection:
        current, _ = holds.current(connection)
        ids = [hold.id for hold in current if chosen(hold)]
        if not ids:
            return ReleasedHolds([], {}, len(current))
        set_aside = holds.count_held(connection, ids)
        released = _release(connection, ids, actor, set_aside, at=store.clock(), part_of={})
    return ReleasedHolds(released, set_aside, len(current) - len(released))


def release_within(
    connection: Connection,
    ids: Collection[int],
    actor: Actor,
    *,
    at: datetime,
    part_of: Mapping[str, Any],
) -> Sequence[Hold]:
    """
    Release holds as `release_holds` does, in the caller's transaction; return those in force.

    Args:
        part_of: Further details of the audit row.
    """
    current, _ = holds.current(connection)
    ids = [hold.id for hold in current if hold.id in ids]
    if not ids:
        return []
    set_aside = holds.count_held(connection, ids)
    return _release(connection, ids, actor, set_aside, at=at, part_of=part_of)


def _release(
    connection: Connection,
    ids: Sequence[int],
    actor: Actor,
    set_aside: Mapping[int, int],
    *,
    at: datetime,
    part_of: Mapping[str, Any],
) -> Sequence[Hold]:
    released = holds.lift(connection, ids)
    details = {"ids": ids, "kept": sum(set_aside.values()), **part_of}
    write_audit(connection, actor, "release", details=details, at=at)
    return released


def set_limit(store: Store, name: str, rate: float, actor: Actor, *, seconds: float | None) -> None:
    """
    Replace a limit's configured rate.

    Args:
        rate: Units a second, of all workers together.
        seconds: How long it is in force; None until it is reset.

    Raises:
        StoreError: The record cannot be written.
    """
    with store.writing() as connection:
        limits.set_rate(connection, name, rate, seconds=seconds, actor=actor)
        details = {"name": name, "rate": rate, "seconds": seconds}
        write_audit(connection, actor, "limit.set", details=details, at=store.clock())


def reset_limits(store: Store, names: Collection[str], actor: Actor) -> list[str]:
    """
    Return limits to their configured rates, and end pauses that providers requested.

    Returns:
        The limits that were not as configured; if there are none, nothing is written.

    Raises:
        StoreError: The record cannot be written.
    """
    with store.writing() as connection:
        changed = [name for name in sorted(names) if limits.reset(connection, name)]
        if changed:
            write_audit(
                connection, actor, "limit.reset", details={"names": changed}, at=store.clock()
            )
    return changed


def set_breaker_mode(
    store: Store, providers: Collection[str], mode: Mode, actor: Actor, *, seconds: float | None
) -> list[Circuit]:
    """
    Force the circuits of providers open or closed, shadow them, or return them to their rules.

    Args:
        seconds: How long the mode is in force; None until it is changed again.

    Returns:
        The circuits as they are now, in the order of their providers' names.

    Raises:
        StoreError: The record cannot be written.
    """
    with store.writing() as connection:
        # Always locked in one order, so that two operators never deadlock.
        return [
            _set_mode(connection, name, mode, actor, seconds=seconds)
            for name in sorted(set(providers))
        ]


def open_circuit(connection: Connection, provider: str, actor: Actor) -> None:
    """
    Force a provider's circuit open until an operator resets it, in the caller's transaction.

    For a vendor's own report that it has closed the account or the key.
    """
    _set_mode(connection, provider, Mode.OPEN, actor, seconds=None)


def _set_mode(
    connection: Connection, provider: str, mode: Mode, actor: Actor, *, seconds: float | None
) -> Circuit:
    seen = []

    def overridden(circuit: Circuit, now: float) -> Circuit:
        seen.append((circuit, now))
        until = None if seconds is None else now + seconds
        name, reason = actor.name[:255], actor.reason[:1000]
        return circuit.overridden(mode, now=now, until=until, actor=name, reason=reason)

    after, _ = circuits.change(connection, provider, overridden)
    ((before, now),) = seen
    details = {
        "provider": provider,
        "seconds": seconds,
        "state_before": before.state.value,
        "mode_before": before.mode.value,
    }
    at = datetime.fromtimestamp(now, UTC)
    write_audit(connection, actor, f"breaker.{mode}", details=details, at=at)
    return after
