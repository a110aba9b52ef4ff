"""Searching notifications page by page, and the place of a page as text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from notify.errors import NotifyError
from notify.ledger import GRACE
from notify.message import Status
from notify.store import RecordedAttempt, Store
from notify.store.status import Matches, PageKey, RowSearch, find_matches, last_calls

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEY = re.compile(r"(\d{1,17})\.(\d{1,10})\.([0-9a-f]{32})")


class NoSuchPage(NotifyError):
    """The place of a page cannot be read."""


def key_as_text(key: PageKey) -> str:
    """Return the place of a page as text for a URL."""
    micros = (key.received_at - _EPOCH) // timedelta(microseconds=1)
    return f"{micros}.{key.position}.{key.id.hex}"


def parse_key(text: str) -> PageKey:
    """
    Return the place that `key_as_text` has written.

    Raises:
        NoSuchPage: It is not one.
    """
    match = _KEY.fullmatch(text)
    if match is None or int(match[2]) > 2**31 - 1:
        raise NoSuchPage("this is not the place of a page: begin at the first page")
    at = _EPOCH + timedelta(microseconds=int(match[1]))
    return PageKey(at, int(match[2]), UUID(match[3]))


def search_notifications(
    store: Store,
    wanted: RowSearch,
    *,
    after: PageKey | None = None,
    limit: int,
    seconds: float | None = None,
) -> Matches:
    """
    Return one page of the notifications that match, newest first.

    Args:
        after: The place of the page.
        seconds: See `notify.store.status.find_matches`.

    Raises:
        StoreError: The record cannot be read.
    """
    with store.reading() as connection:
        return find_matches(connection, wanted, after=after, limit=limit, seconds=seconds)


@dataclass(frozen=True, slots=True)
class Undecided:
    """One page of the notifications that an operator may have to decide on."""

    unknown: Matches
    """Their outcome is unknown; those with a `due_at` are looked up at the provider first."""
    lapsed: Matches
    """No worker will record their call: its lease ended more than five minutes ago."""
    calls: Mapping[UUID, RecordedAttempt]
    """The newest call of each."""


def read_undecided(
    store: Store,
    wanted: RowSearch,
    *,
    after: PageKey | None = None,
    limit: int,
    seconds: float | None = None,
) -> Undecided:
    """
    Return one page of the notifications with an unknown outcome, newest first.

    Args:
        wanted: Which of them; its status is replaced.
        after: The place of the page; the lapsed ones are on the first one only.
        seconds: For each of both searches; see `notify.store.status.find_matches`.

    Raises:
        StoreError: The record cannot be read.
    """
    long_ago = store.clock() - GRACE
    sending = replace(wanted, status=Status.SENDING, lease_ended=long_ago)
    with store.reading() as connection:
        unknown = find_matches(
            connection,
            replace(wanted, status=Status.UNKNOWN),
            after=after,
            limit=limit,
            seconds=seconds,
        )
        lapsed = (
            find_matches(connection, sending, limit=limit, seconds=seconds)
            if after is None
            else Matches([], 0, None, full=False)
        )
        ids = [each.id for each in (*unknown.rows, *lapsed.rows)]
        return Undecided(unknown, lapsed, last_calls(connection, ids))
