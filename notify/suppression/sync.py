"""Synchronising with a vendor's own lists: what is there comes here, what was lifted here goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from notify.errors import Throttled
from notify.message import Channel
from notify.provider import KeepsSuppressions
from notify.receipt import DeliveryReceipt
from notify.store import Actor, Store, write_audit
from notify.store.suppression import Suppression, clear_vendor_lifts, pending_vendor_lifts, suppress
from notify.suppression.rules import BOUNCE_LASTS, consequence

_T = TypeVar("_T")

PAUSE = 0.2
"""Seconds between two requests: the vendor's limit is for all of the account's programs."""
LONGEST_WAIT = 60.0
"""The longest wait that a throttled request accepts."""


@dataclass(frozen=True, slots=True)
class SyncStep:
    """
    One page of one list.

    Attributes:
        added: Entries that the list here lacked.
        removed: Recipients that were lifted here, and deleted there.
    """

    name: str
    read: int
    added: int
    removed: int


class ListSync:
    """Reads a vendor's lists page by page; each page is a transaction, and a repeat is harmless."""

    def __init__(
        self,
        store: Store,
        vendor: KeepsSuppressions,
        *,
        provider: str,
        channel: Channel,
        bounce_lasts: timedelta = BOUNCE_LASTS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._vendor = vendor
        self.provider = provider
        self._channel = channel
        self._bounce_lasts = bounce_lasts
        self._sleep = sleep

    def run(self, actor: Actor) -> Iterator[SyncStep]:
        """
        Synchronise all lists of this vendor, and yield after each page.

        Raises:
            ProviderError: The vendor could not be asked; earlier pages are done.
            StoreError: The record cannot be used.
        """
        added = removed = 0
        begun = self._store.clock()
        for name in self._vendor.lists():
            for step in self._list(name):
                added, removed = added + step.added, removed + step.removed
                yield step
        with self._store.writing() as connection:
            details = {"provider": self.provider, "added": added, "removed": removed}
            write_audit(connection, actor, "suppress.sync", details=details, at=begun)

    def _list(self, name: str) -> Iterator[SyncStep]:
        offset = 0
        before: Sequence[DeliveryReceipt] = ()
        while page := self._patiently(partial(self._vendor.listed, name, offset=offset)):
            if page == before:
                # This list has no pages: the vendor returned all of it again.
                return
            before = page
            step = self._page(name, page)
            # Deleted entries move the following ones up.
            offset += step.read - step.removed
            yield step
            self._sleep(PAUSE)

    def _page(self, name: str, page: Sequence[DeliveryReceipt]) -> SyncStep:
        now = self._store.clock()
        items = [found for each in page if (found := self._suppression(each, now=now))]
        with self._store.reading() as connection:
            lifted = pending_vendor_lifts(connection, items)
        for each in page:
            found = self._suppression(each, now=now)
            if found is not None and found.recipient in lifted:
                self._patiently(partial(self._vendor.unlist, name, each))
                self._sleep(PAUSE)
        rest = [each for each in items if each.recipient not in lifted]
        with self._store.writing() as connection:
            added = suppress(connection, rest, now=now)
        return SyncStep(name, len(page), len(added), len(items) - len(rest))

    def _suppression(self, receipt: DeliveryReceipt, *, now: datetime) -> Suppression | None:
        found = consequence(
            receipt,
            channel=self._channel,
            provider=self.provider,
            now=now,
            bounce_lasts=self._bounce_lasts,
        )
        return found if isinstance(found, Suppression) else None

    def _patiently(self, ask: Callable[[], _T]) -> _T:
        """Ask, and wait once if the vendor asks to slow down."""
        try:
            return ask()
        except Throttled as error:
            self._sleep(min(error.retry_after or PAUSE, LONGEST_WAIT))
            return ask()


def sync_lists(
    store: Store,
    channel: Channel,
    vendors: Sequence[ListSync],
    actor: Actor,
    *,
    only: str | None = None,
) -> Iterator[SyncStep]:
    """
    Synchronise the lists of one channel's vendors, one vendor after the other.

    Args:
        vendors: All of the channel that keep lists.
        only: The provider to synchronise; if the others keep lists too, the entries that were
            lifted here remain marked, since those lists still have to lose them.

    Raises:
        ProviderError: A vendor could not be asked; earlier pages are done.
        StoreError: The record cannot be used.
    """
    begun = store.clock()
    chosen = [each for each in vendors if only in (None, each.provider)]
    for each in chosen:
        yield from each.run(actor)
    if chosen and len(chosen) == len(vendors):
        with store.writing() as connection:
            # Lifted before the lists were read to their ends: no vendor has them any more.
            clear_vendor_lifts(connection, channel, before=begun)
