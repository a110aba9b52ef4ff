"""`notify send --wait`: wait until the published notifications have ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

import click

from notify.cli.output import print_json
from notify.errors import NotifyError
from notify.message import Status
from notify.store import Filter, Store, Summary
from notify.store.deadletters import DeadLetter, LetterFilter, find_letters
from notify.telemetry.terminal import on_one_line

_INTERVAL = 0.5
"""Seconds between two reads of the record."""
_MOST = 1_000_000
_GOOD = frozenset({Status.SENT, Status.DELIVERED})


@dataclass(frozen=True, slots=True)
class End:
    """How one notification ended."""

    id: UUID
    status: str
    """Its status, or `dead` if it is in the dead letters and was never recorded."""
    reason: str | None

    @property
    def good(self) -> bool:
        """Whether the provider has accepted it."""
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
    Wait until a notification, or all recipients of a batch, have ended; return their ends.

    Args:
        expected: How many notifications the request contains.

    Raises:
        StoreError: The record cannot be read.
    """
    while True:
        found = _recorded(store, id_, source=source)
        if len(found) >= expected and all(_ended(each) for each in found):
            return [End(each.id, each.status.value, each.reason) for each in found]
        if not found and (letters := _dead(store, id_, source=source)):
            return [End(id_, "dead", _why(letters[0]))]
        sleep(_INTERVAL)


def wait(store: Store, id_: UUID, *, source: str, expected: int, as_json: bool) -> bool:
    """
    Print how a request's notifications end; return whether the provider has accepted all of them.

    Raises:
        NotifyError: It was interrupted; the notification is delivered without the command.
    """
    try:
        ends = ends_of(store, id_, source=source, expected=expected)
    except KeyboardInterrupt:
        raise NotifyError(f"it is delivered without this command: notify show {id_}") from None
    for end in ends:
        if as_json:
            print_json(asdict(end))
        else:
            why = f": {end.reason}" if end.reason else ""
            click.echo(on_one_line(f"{end.id} {end.status}{why}"))
    return all(end.good for end in ends)


def _recorded(store: Store, id_: UUID, *, source: str) -> Sequence[Summary]:
    stories = store.known_as(id_, source=source)
    if stories:
        return [story.summary for story in stories]
    return store.find(Filter(batch_id=id_, source=source), limit=_MOST)


def _ended(summary: Summary) -> bool:
    # An unknown outcome with a due time is still to be looked up.
    return summary.status.final and summary.due_at is None


def _dead(store: Store, id_: UUID, *, source: str) -> list[DeadLetter]:
    with store.reading() as connection:
        return find_letters(connection, LetterFilter(notification_id=id_, source=source), limit=1)


def _why(letter: DeadLetter) -> str:
    return f"{letter.cause}: {letter.reason or ''} (notify dead show {letter.id})"
