"""The audit: one row for each act of an operator, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from notify.store.tables import audit


@dataclass(frozen=True, slots=True)
class Actor:
    """The operator who acts, and the reason."""

    name: str
    """The person and the machine, such as `ann@ops-1`."""
    reason: str
    """In the operator's own words."""


def write_audit(
    connection: Connection, actor: Actor, action: str, *, details: Mapping[str, Any], at: datetime
) -> None:
    """
    Write an audit row in the transaction of the act itself.

    Args:
        action: The act, such as `dead.replay`.
        details: Its objects, as JSON: ids and counts, never message content.
    """
    row = {"at": at, "actor": actor.name[:255], "reason": actor.reason[:1000]}
    connection.execute(insert(audit).values(**row, action=action, details=dict(details)))
