"""
The reconciler: settles the lost calls of one channel, in every worker process of the channel.

Rows are leased under a lock that other reconcilers skip. They are changed only while the lease is
still the reconciler's own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from notify.categories import Categories
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

LEASE = timedelta(seconds=60)
"""The lease of a look-up: after it, another reconciler may try."""
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
        categories: Categories | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._store = store
        self._templates = templates
        self._gateway = gateway
        self._policy = policy
        self._categories = categories or Categories()
        self._clock = clock or store.clock

    def reconcile(self) -> bool:
        """
        Settle one notification whose look-up is due, and return whether there was one.

        Raises:
            StoreError: The record cannot be used. The notification is looked up again later.
        """
        with self._store.writing() as connection:
            leased = lease_due(
                connection,
                [Status.UNKNOWN],
                channel=self._gateway.channel,
                now=self._clock(),
                lease=LEASE,
                limit=1,
            )
            lost = find_lost_call(connection, leased[0].id) if leased else None
        if leased and leased[0].sealed is not None:
            # After the lease, a reconciler that has the key can look it up.
            log.error("notify.sealed", sealed_with=leased[0].sealed, count=1, id=str(leased[0].id))
        elif lost is not None:
            self._look_up(leased[0], lost)
        return bool(leased)

    def _look_up(self, row: Due, lost: LostCall) -> None:
        try:
            notification = decode_again(row)
        except DecodeError:
            self._change(
                row, lost, Transition(Status.UNKNOWN, "its request can no longer be decoded")
            )
            return
        answer = look_up_call(
            notification,
            lost,
            gateway=self._gateway,
            templates=self._templates,
            categories=self._categories,
        )
        settled = None
        with self._store.writing() as connection:
            others = _rivals(connection, notification, lost)
            free = [id_ for id_ in answer.found if id_ not in others.provider_ids]
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
            self._change(row, lost, self._by_rule(notification, lost, answer))

    def _later(
        self, row: Due, lost: LostCall, notification: Notification, answer: LookupResult
    ) -> None:
        """Postpone the look-up, or apply the rule if the lane's deadline comes first."""
        now = self._clock()
        until = self._policy.next_lookup(
            notification,
            _history(lost),
            lost_at=lost.ended_at,
            now=now,
            retry_after=answer.retry_after,
        )
        if until is None:
            self._change(row, lost, self._by_rule(notification, lost, answer))
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

    def _change(self, row: Due, lost: LostCall, to: Transition) -> None:
        with self._store.writing() as connection:
            changed = change_status(
                connection, row.id, to, leased_until=row.leased_until, now=self._clock()
            )
        if changed:
            _log_change(row, lost, to)


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
    return History(lost.deadline_from, lost.spent - 1)


def _log_change(row: Due, lost: LostCall, to: Transition) -> None:
    parked = to.status is Status.UNKNOWN
    # Only an operator can settle a parked one, and this line alerts them.
    level = log.error if parked else log.warning
    level(
        "notify.parked" if parked else f"notify.{to.status}",
        **row.ids,
        attempt_id=str(lost.attempt_id),
        channel=row.channel,
        lane=row.lane,
        source=row.source,
        provider=lost.provider,
        reason=to.reason,
        **({"due_at": to.due_at.isoformat()} if to.due_at else {}),
    )
