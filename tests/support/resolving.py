"""Late evidence of a lost call's outcome, as a vendor's webhook would report it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from notify.message import Outcome
from notify.reconcile.settled_log import log_settled
from notify.store import Store
from notify.store.reconcile import Settled, notification_of, settle_call


def resolve(
    store: Store,
    attempt_id: UUID,
    outcome: Outcome,
    *,
    reason: str,
    provider_id: str | None = None,
    clock: Callable[[], datetime] | None = None,
) -> Settled:
    """Settle a call, and log the change."""
    with store.writing() as connection:
        now = (clock or store.clock)()
        settled = settle_call(
            connection, attempt_id, outcome, reason=reason, provider_id=provider_id, now=now
        )
        owner = notification_of(connection, attempt_id)
    if owner is not None:
        log_settled(owner, attempt_id, outcome, settled)
    return settled
