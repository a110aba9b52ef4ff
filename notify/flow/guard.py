"""Refusals, by caps of number and spend and by the allowed countries."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from notify.channels import CHANNELS
from notify.message import Channel, Notification, Rendered
from notify.policies.caps import Cap, Countries, Hashed, Unit, plain_hash
from notify.store import Store
from notify.store.db import read_clock
from notify.store.flow import Charge, charge_caps, prune_caps

PRUNING = 60.0
"""Seconds between two removals of old counts."""
BATCH_SIZE = 2000
"""The most counts that one refresh removes; while there are more, each refresh removes some."""

NOWHERE = Countries(())
"""The countries of a channel for which none are configured."""

Message = tuple[Notification, Rendered]


class Guard:
    """
    Refuses notifications that may not be sent. Safe among threads.

    It accesses the record only for notifications that a cap applies to.
    """

    def __init__(
        self,
        store: Store,
        *,
        caps: Sequence[Cap] = (),
        countries: Mapping[Channel, Countries] | None = None,
        hashed: Hashed = plain_hash,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Keep the rules.

        Args:
            caps: A notification must fit in all that apply to it.
            countries: The allowed countries, by channel; a channel of phone numbers that is
                missing allows none.
            hashed: Hashes a recipient for the names of counts.
        """
        self._store = store
        self._caps = tuple(caps)
        self._countries = countries or {}
        self._hashed = hashed
        self._monotonic = monotonic
        self._pruned = -math.inf

    def change(self, *, caps: Sequence[Cap], countries: Mapping[Channel, Countries]) -> None:
        """Replace the rules; the counts under a cap's name are kept."""
        self._caps = tuple(caps)
        self._countries = countries

    def refusals(self, messages: Sequence[Message]) -> list[str | None]:
        """
        Return for each message why it must not be sent, and count those that may.

        A notification is counted once, however often it is checked, so a retry passes.

        Returns:
            A reason that names the option to change, never a recipient; None if it may be sent.

        Raises:
            StoreError: The caps cannot be counted; nothing was counted.
        """
        answers = [self._country_refusal(notification) for notification, _ in messages]
        capped = [
            (one, caps)
            for one, refused in zip(messages, answers, strict=True)
            if refused is None and (caps := self._caps_of(one[0]))
        ]
        if capped:
            full = self._count(capped)
            answers = [
                refused or full.get(notification.identity)
                for refused, (notification, _) in zip(answers, messages, strict=True)
            ]
        return answers

    def refresh(self) -> None:
        """
        Remove old counts, once a minute or while there are many.

        Raises:
            StoreError: The record cannot be used.
        """
        now = self._monotonic()
        if now < self._pruned + PRUNING:
            return
        with self._store.writing() as connection:
            done = prune_caps(connection, limit=BATCH_SIZE)
        if done < BATCH_SIZE:
            self._pruned = now

    def _country_refusal(self, notification: Notification) -> str | None:
        if not CHANNELS[notification.channel].by_country:
            return None
        return self._countries.get(notification.channel, NOWHERE).refusal(notification)

    def _caps_of(self, notification: Notification) -> list[Cap]:
        return [cap for cap in self._caps if cap.applies_to(notification)]

    def _count(self, capped: Sequence[tuple[Message, list[Cap]]]) -> dict[tuple[str, UUID], str]:
        with self._store.writing() as connection:
            now = read_clock(connection)
            charges = [
                (notification.id, [self._charge(cap, notification, message, now) for cap in caps])
                for (notification, message), caps in capped
            ]
            full = charge_caps(connection, charges)
        return {
            notification.identity: self._refusal(notification, caps, name)
            for ((notification, _), caps), name in zip(capped, full, strict=True)
            if name is not None
        }

    def _charge(
        self, cap: Cap, notification: Notification, message: Rendered, now: float
    ) -> Charge:
        starts, ends = cap.period.around(now)
        cost = self._cost(cap, notification, message)
        name = cap.counter(notification, hashed=self._hashed)
        return Charge(name, starts, ends, cost, cap.limit(notification))

    def _cost(self, cap: Cap, notification: Notification, message: Rendered) -> float:
        if cap.unit is Unit.NOTIFICATIONS:
            return 1.0
        units = CHANNELS[notification.channel].units(message)
        if cap.unit is Unit.SEGMENTS:
            return units
        return units * self._countries.get(notification.channel, NOWHERE).price(notification)

    def _refusal(self, notification: Notification, caps: Sequence[Cap], full: str) -> str:
        names = (cap.counter(notification, hashed=self._hashed) for cap in caps)
        cap = next(cap for cap, name in zip(caps, names, strict=True) if name == full)
        return cap.refusal(notification)
