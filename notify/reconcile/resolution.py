"""The news of how a lost call ended, from whoever has it: a look-up, a webhook, a person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import structlog

from notify.delivery import normalize
from notify.message import Outcome
from notify.store import Store
from notify.store.delivery import LONGEST_ID
from notify.store.reconcile import Settled, owner_of, settle

log = structlog.get_logger("notify.reconcile")


def resolve(
    store: Store,
    attempt_id: UUID,
    outcome: Outcome,
    *,
    reason: str,
    provider_id: str | None = None,
    clock: Callable[[], datetime] | None = None,
) -> Settled:
    """
    Take the news of how a call ended whose answer was lost, from whoever has it; see `settle`.

    It may come at any time, and more than once: what is known already is not changed again.

    Raises:
        StoreError: The record cannot be used; nothing was changed.
    """
    with store.writing() as connection:
        settled = settle(
            connection,
            attempt_id,
            outcome,
            reason=reason,
            provider_id=normalize.text(provider_id, longest=LONGEST_ID),
            now=(clock or store.clock)(),
        )
        owner = owner_of(connection, attempt_id)
    if owner is not None:
        tell(owner, attempt_id, outcome, settled)
    return settled


def tell(id_: UUID, attempt_id: UUID, outcome: Outcome, settled: Settled) -> None:
    """Log what the news of a notification's call has changed."""
    whose = {"id": str(id_), "attempt_id": str(attempt_id)}
    if settled is Settled.TWICE:
        log.error("notify.duplicate_sent", **whose)
    elif settled is not Settled.KNOWN:
        log.info("notify.resolved", **whose, outcome=outcome, change=settled.value)
