"""The frozen items of a plan: numbers of dead letters or holds, or rows of notifications."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from notify.store.tables import plan_items

ItemKey = int | UUID
"""The number of a dead letter or hold, or the row's id of a notification."""

LONGEST_REASON = 255
"""Characters that the column of a reason holds."""


class ItemState(enum.StrEnum):
    """The result of one item, or that it has none yet."""

    OPEN = "open"
    DONE = "done"
    SKIPPED = "skipped"
    """There was nothing to do for it any more."""
    REFUSED = "refused"
    """It must not be done, or cannot."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a plan."""

    position: int
    key: ItemKey
    state: ItemState = ItemState.OPEN
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ItemResult:
    """
    The result of the action on one item.

    Attributes:
        word: One of few, to count by.
        detail: More than the word says, without personal data.
    """

    state: ItemState
    word: str
    detail: str = ""

    @property
    def reason(self) -> str:
        """The word with its detail, as the record stores it."""
        text = f"{self.word}: {self.detail}" if self.detail else self.word
        return text[:LONGEST_REASON]


def insert_items(
    connection: Connection, plan_id: int, keys: Sequence[ItemKey], *, after: int
) -> None:
    """Append items to a plan, behind the position *after*."""
    rows = [
        {
            "plan_id": plan_id,
            "position": position,
            "number": key if isinstance(key, int) else None,
            "row_id": key if isinstance(key, UUID) else None,
            "state": ItemState.OPEN,
        }
        for position, key in enumerate(keys, after + 1)
    ]
    if rows:
        connection.execute(insert(plan_items), rows)


def open_items(connection: Connection, plan_id: int, *, after: int, limit: int) -> list[Item]:
    """Return the next items behind a position, in order, whatever their state."""
    columns = plan_items.c
    query = select(plan_items).where(columns.plan_id == plan_id, columns.position > after)
    query = query.order_by(columns.position).limit(limit)
    return [_item(row) for row in connection.execute(query)]


def settle_items(connection: Connection, plan_id: int, results: Mapping[int, ItemResult]) -> None:
    """Write the results of items, by their positions."""
    columns = plan_items.c
    statement = update(plan_items).where(
        columns.plan_id == plan_id, columns.position == bindparam("at_position")
    )
    statement = statement.values(state=bindparam("its_state"), reason=bindparam("its_reason"))
    rows: list[dict[str, Any]] = [
        {"at_position": position, "its_state": result.state.value, "its_reason": result.reason}
        for position, result in results.items()
    ]
    if rows:
        connection.execute(statement, rows)


def read_items(
    connection: Connection,
    plan_id: int,
    *,
    state: ItemState | None = None,
    after: int = 0,
    limit: int,
) -> list[Item]:
    """
    Return items behind a position, in order.

    Args:
        state: Only items in this state.
    """
    columns = plan_items.c
    query = select(plan_items).where(columns.plan_id == plan_id, columns.position > after)
    if state is not None:
        query = query.where(columns.state == state)
    query = query.order_by(columns.position).limit(limit)
    return [_item(row) for row in connection.execute(query)]


def _item(row: Row[Any]) -> Item:
    key = row.number if row.row_id is None else row.row_id
    return Item(row.position, key, ItemState(row.state), row.reason)
