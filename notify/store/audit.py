"""What operators did, who they are, and why: one row each, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from notify.store.tables import audit


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and why."""

    name: str
    """The person and the machine, such as `ann@ops-1`."""
    reason: str
    """In the person's own words."""


def write_audit(
    connection: Connection, actor: Actor, action: str, *, details: Mapping[str, Any], at: datetime
) -> None:
    """
    Write what is done into the caller's transaction, so that neither stands without the other.

    Args:
        action: What is done, such as `dead.replay`.
        details: What it is done to, as JSON: ids and counts, never what somebody wrote.
    """
    row = {"at": at, "actor": actor.name[:255], "reason": actor.reason[:1000]}
    connection.execute(insert(audit).values(**row, action=action, details=dict(details)))
