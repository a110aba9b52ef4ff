"""`notify send --wait`: staying until what was published has ended."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import click

from notify.errors import NotifyError
from notify.message import Status
from notify.store import Filter, Store, Summary
from notify.store.deadletters import DeadLetter, LetterFilter, search
from notify.telemetry.terminal import on_one_line

_LOOK = 0.5
_MOST = 1_000_000
_GOOD = frozenset({Status.SENT, Status.DELIVERED})


@dataclass(frozen=True, slots=True)
class End:
    """How one notification ended."""

    id: UUID
    status: str
    """Its status, or `dead` where it lies in the dead letters and was never recorded."""
    reason: str | None

    @property
    def good(self) -> bool:
        """Whether the provider has taken it."""
        return self.status in _GOOD


def ends_of(
    store: Store,
    id_: UUID,
    *,
    source: str,
    expected: int,
    sleep: Callable[[float], None] = time.sleep,
) -> list[End]:
    """
    Wait until a notification, or all recipients of a batch, have ended; return how.

    Args:
        expected: How many notifications the request asks for.

    Raises:
        StoreError: The record cannot be read.
    """
    while True:
        found = _recorded(store, id_, source=source)
        if len(found) >= expected and all(_over(each) for each in found):
            return [End(each.id, each.status.value, each.reason) for each in found]
        if not found and (letters := _dead(store, id_, source=source)):
            return [End(id_, "dead", _why(letters[0]))]
        sleep(_LOOK)


def wait(store: Store, id_: UUID, *, source: str, expected: int, as_json: bool) -> bool:
    """
    Print how a request's notifications end; return whether the provider has taken all of them.

    Raises:
        NotifyError: It was interrupted; the notification goes on without the command.
    """
    try:
        ends = ends_of(store, id_, source=source, expected=expected)
    except KeyboardInterrupt:
        raise NotifyError(f"it goes on without this command: notify show {id_}") from None
    for end in ends:
        if as_json:
            told = {"id": str(end.id), "status": end.status, "reason": end.reason}
            click.echo(json.dumps(told, ensure_ascii=False))
        else:
            why = f": {end.reason}" if end.reason else ""
            click.echo(on_one_line(f"{end.id} {end.status}{why}"))
    return all(end.good for end in ends)


def _recorded(store: Store, id_: UUID, *, source: str) -> Sequence[Summary]:
    stories = store.known_as(id_, source=source)
    if stories:
        return [story.summary for story in stories]
    return store.find(Filter(batch_id=id_, source=source), limit=_MOST)


def _over(summary: Summary) -> bool:
    # What is unknown and has a time is still to be looked up.
    return summary.status.final and summary.due_at is None


def _dead(store: Store, id_: UUID, *, source: str) -> list[DeadLetter]:
    with store.reading() as connection:
        return search.find_letters(
            connection, LetterFilter(notification_id=id_, source=source), limit=1
        )


def _why(letter: DeadLetter) -> str:
    return f"{letter.cause}: {letter.reason or ''} (notify dead show {letter.id})"
