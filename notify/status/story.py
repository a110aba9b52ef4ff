"""One notification's whole story: its calls, receipts, events, dead letters, and why it waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from notify.settings import Settings
from notify.status.overrides import OverridesSnapshot
from notify.status.waiting import WaitReason, waits
from notify.store import Store, Story, ids_with_prefix
from notify.store.deadletters import DeadLetter, LetterFilter, find_letters
from notify.store.status import PublishedChange, read_changes

_LETTERS = 20
_PREFIXES = 20


@dataclass(frozen=True, slots=True)
class WholeStory:
    """Everything that the record has of one notification."""

    story: Story
    changes: Sequence[PublishedChange]
    """The changes of its status, with those whose event is not published yet."""
    letters: Sequence[DeadLetter]
    """The dead letters that request it, newest first."""
    waits: Sequence[WaitReason]
    at: datetime
    """The time of the record's clock at which it was read."""


def read_story(store: Store, settings: Settings, row_id: UUID) -> WholeStory | None:
    """
    Return the whole story of a row; None if there is no such row.

    Raises:
        StoreError: The record cannot be read.
    """
    story = store.get(row_id)
    if story is None:
        return None
    summary = story.summary
    at = store.clock()
    overrides = OverridesSnapshot.read(store, settings)
    with store.reading() as connection:
        wanted = LetterFilter(notification_id=summary.public_id, source=summary.source)
        letters = find_letters(connection, wanted, limit=_LETTERS)
        changes = read_changes(connection, row_id)
    return WholeStory(story, changes, letters, waits(summary, settings, overrides, now=at), at)


def ids_beginning_with(store: Store, digits: str) -> list[UUID]:
    """
    Return the ids of notifications, batches and dead letters that begin so, at most 20.

    Args:
        digits: 4 hexadecimal digits or more; hyphens are ignored.

    Raises:
        StoreError: The record cannot be read.
    """
    with store.reading() as connection:
        plain = digits.replace("-", "").lower()
        return ids_with_prefix(connection, plain, limit=_PREFIXES)
