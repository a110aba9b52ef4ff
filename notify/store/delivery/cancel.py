"""Cancelling: what no worker has taken up yet will never be sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, or_, select

from notify.message import Status
from notify.store.ids import known_as, only_source
from notify.store.tables import notifications
from notify.store.transitions import WAITING, Transition, transition

REASON = "an operator cancelled it"


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What became of a wish to cancel; nothing in it means that the record knows no such id."""

    ids: Sequence[UUID]
    """Those that will not be sent now, in their batch's order."""
    others: dict[UUID, Status]
    """Those for which it was too late, and where they stand."""


def cancel_waiting(
    connection: Connection, id_: UUID, *, source: str | None = None, now: datetime
) -> Cancelled:
    """
    Cancel a notification, or all of a batch, as far as no worker has taken them up.

    A message of theirs that is with the broker is acknowledged unsent by the worker that gets it.
    Producers hear of each; who cancelled and why is the caller's to audit.

    Args:
        source: Whose notification or batch is meant, where several sources use the id.

    Raises:
        NotifyError: Several do, and none of them is named.
    """
    columns = notifications.c
    meant = or_(known_as([id_]), columns.batch_id == id_)
    meant = only_source(connection, meant, source=source)
    end = Transition(Status.CANCELLED, REASON)
    done = set(transition(connection, meant, end, among=WAITING, now=now))
    query = select(columns.id, columns.status).where(meant).order_by(columns.position)
    standing = {row.id: Status(row.status) for row in connection.execute(query)}
    return Cancelled(
        ids=[each for each in standing if each in done],
        others={each: status for each, status in standing.items() if each not in done},
    )
