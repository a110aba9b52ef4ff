"""Publishing a batch of rows, and which of them the broker confirmed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from notify.errors import PublishError
from notify.publisher.outgoing import Outgoing
from notify.publisher.publisher import Publisher

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class PublishResult(Generic[Row]):
    """
    The rows of a batch, by whether the broker confirmed them.

    Attributes:
        confirmed: Those that the broker has stored.
        unconfirmed: The others, which may have arrived all the same.
        error: Why the first of the others is unconfirmed; None if all are confirmed.
    """

    confirmed: Sequence[Row]
    unconfirmed: Sequence[Row]
    error: PublishError | None

    @classmethod
    def publish(
        cls, rows: Sequence[Row], publisher: Publisher, *, outgoing: Callable[[Row], Outgoing]
    ) -> PublishResult[Row]:
        """Make a message of each row and publish them all, in their order."""
        errors = list(publisher.publish_many(map(outgoing, rows)))
        ends = list(zip(rows, errors, strict=True))
        return cls(
            confirmed=[row for row, error in ends if error is None],
            unconfirmed=[row for row, error in ends if error is not None],
            error=next(filter(None, errors), None),
        )
