"""The log of lost calls whose outcome became known."""

from __future__ import annotations

from uuid import UUID

import structlog

from notify.message import Outcome
from notify.store.reconcile import Settled

log = structlog.get_logger("notify.reconcile")


def log_settled(id_: UUID, attempt_id: UUID, outcome: Outcome, settled: Settled) -> None:
    """Log what the outcome of a notification's lost call has changed."""
    ids = {"id": str(id_), "attempt_id": str(attempt_id)}
    if settled is Settled.TWICE:
        log.error("notify.duplicate_sent", **ids)
    elif settled is not Settled.KNOWN:
        log.info("notify.resolved", **ids, outcome=outcome, change=settled.value)
