"""Unknown outcomes: the provider is asked what it took; where that does not help, the rule decides.

One reconciler runs in every worker process, for the worker's channel. Rows are taken under a lock
that the others skip, held for a while in case their reconciler dies, and changed only if they
still stand as they were taken.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from notify.errors import DecodeError
from notify.gateway import Gateway
from notify.message import Notification, Outcome, Status
from notify.policies.retry import History, RetryPolicy
from notify.reconcile.lookup import (
    LONGEST_CALL,
    LookupResult,
    decode_again,
    look_up_call,
    search_window,
)
from notify.reconcile.settled_log import log_settled
from notify.store import Store
from notify.store.reconcile import (
    LostCall,
    RivalCalls,
    Transition,
    change_status,
    find_lost_call,
    find_rivals,
    postpone_lookup,
    settle_call,
)
from notify.store.relays import Due, lease_due
from notify.templating import Templates

HOLD = timedelta(seconds=60)
"""How long a look-up may take until another reconciler tries."""
FOUND = "the answer was lost; the provider's list has the message"

log = structlog.get_logger("notify.reconcile")


class Reconciler:
    """Settles the lost calls of one channel, one notification a step."""

    def __init__(
        self,
        *,
        store: Store,
        templates: Templates,
        gateway: Gateway,
        policy: RetryPolicy,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._store = store
        self._templates = templates
        self._gateway = gateway
        self._policy = policy
        self._clock = clock or store.clock

    def reconcile(self) -> bool:
        """
        Settle one notification whose look-up is due; tell whether there was one.

        Raises:
            StoreError: The record cannot be used. The notification is looked up again later.
        """
        with self._store.writing() as connection:
            taken = lease_due(
                connection,
                [Status.UNKNOWN],
                channel=self._gateway.channel,
                now=self._clock(),
                hold=HOLD,
                limit=1,
            )
            lost = find_lost_call(connection, taken[0].id) if taken else None
        if taken and taken[0].sealed is not None:
            # Held for a while, it is looked up by whoever has the key.
            log.error("notify.sealed", sealed_with=taken[0].sealed, count=1, id=str(taken[0].id))
        elif lost is not None:
            self._look_up(taken[0], lost)
        return bool(taken)

    def _look_up(self, row: Due, lost: LostCall) -> None:
        try:
            notification = decode_again(row)
        except DecodeError:
            self._move(row, lost, Transition(Status.UNKNOWN, "its request can no longer be read"))
            return
        answer = look_up_call(notification, lost, gateway=self._gateway, templates=self._templates)
        settled = None
        with self._store.writing() as connection:
            others = _rivals(connection, notification, lost)
            free = [id_ for id_ in answer.found if id_ not in others.taken]
            if free and not others.open:
                settled = settle_call(
                    connection,
                    lost.attempt_id,
                    Outcome.ACCEPTED,
                    reason=FOUND,
                    provider_id=free[0],
                    now=self._clock(),
                )
        if settled is not None:
            log_settled(row.id, lost.attempt_id, Outcome.ACCEPTED, settled)
        elif free or answer.later:
            self._later(row, lost, notification, answer)
        else:
            self._move(row, lost, self._by_rule(notification, lost, answer))

    def _later(
        self, row: Due, lost: LostCall, notification: Notification, answer: LookupResult
    ) -> None:
        """Ask again, or have the rule decide where the lane's patience is at its end."""
        now = self._clock()
        until = self._policy.next_lookup(
            notification,
            _history(lost),
            lost_at=lost.ended_at,
            now=now,
            retry_after=answer.retry_after,
        )
        if until is None:
            self._move(row, lost, self._by_rule(notification, lost, answer))
            return
        with self._store.writing() as connection:
            postpone_lookup(connection, row, until=until, now=now)

    def _by_rule(
        self, notification: Notification, lost: LostCall, answer: LookupResult
    ) -> Transition:
        if lost.sent:
            return Transition(Status.SENT, "an earlier call had sent it")
        following = self._policy.unresolved(notification, _history(lost), now=self._clock())
        reason = "; ".join(filter(None, (answer.why, following.note)))
        return Transition(following.status, reason, following.due_at)

    def _move(self, row: Due, lost: LostCall, standing: Transition) -> None:
        with self._store.writing() as connection:
            moved = change_status(
                connection, row.id, standing, leased_until=row.held_until, now=self._clock()
            )
        if moved:
            _tell_moved(row, lost, standing)


def _rivals(connection: Connection, notification: Notification, lost: LostCall) -> RivalCalls:
    since, until = search_window(lost)
    return find_rivals(
        connection,
        notification.channel,
        notification.to,
        since=since - LONGEST_CALL,
        until=until,
    )


def _history(lost: LostCall) -> History:
    return History(lost.patient_from, lost.spent - 1)


def _tell_moved(row: Due, lost: LostCall, standing: Transition) -> None:
    parked = standing.status is Status.UNKNOWN
    # Nobody takes a parked one up by itself: an operator must, and is alerted by this line.
    level = log.error if parked else log.warning
    level(
        "notify.parked" if parked else f"notify.{standing.status}",
        **row.ids,
        attempt_id=str(lost.attempt_id),
        channel=row.channel,
        lane=row.lane,
        source=row.source,
        provider=lost.provider,
        reason=standing.reason,
        **({"due_at": standing.due_at.isoformat()} if standing.due_at else {}),
    )
