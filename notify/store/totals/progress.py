"""How far the ledger's checks and the sweep of open rows are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from notify.store.tables import checks


@dataclass(frozen=True, slots=True)
class Progress:
    """
    The progress of the checks.

    Attributes:
        totals_ready: Whether each hour's totals are complete; if not, rows are counted.
        swept_until: Open rows received before then are marked `unsettled`; None if none was swept.
        events_until: The newest event whose notification was checked.
        checked_until: Notifications received before then were checked once.
    """

    totals_ready: bool = True
    swept_until: datetime | None = None
    events_until: int | None = None
    checked_until: datetime | None = None


_COLUMNS = [checks.c[name] for name in Progress.__dataclass_fields__]


def read_progress(connection: Connection, *, lock: bool = False) -> Progress:
    """Return the progress; with *lock*, other writers wait until the transaction ends."""
    query = select(*_COLUMNS)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return Progress(**row._asdict()) if row is not None else Progress()


def write_progress(connection: Connection, progress: Progress) -> None:
    """Record the progress."""
    values = asdict(progress)
    if not connection.execute(update(checks).values(values)).rowcount:
        connection.execute(insert(checks).values(id=1, **values))
