"""What a message must not exceed: caps of number and spend, and the countries that are allowed."""

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
"""Seconds between two times that old counts are forgotten."""
BATCH_SIZE = 2000
"""How many are forgotten at a time; while there are more, each look forgets as many."""

NOWHERE = Countries(())
"""The countries of a channel for which none are configured."""

Asked = tuple[Notification, Rendered]


class Guard:
    """
    Refuses what no provider should be asked for. Safe among threads.

    It reads and writes the record only for what a cap concerns.
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
        Take the rules.

        Args:
            caps: What is counted, all of which a notification must fit in.
            countries: The countries that may be reached, for channels of phone numbers; nothing
                passes on such a channel that is not here.
            hashed: Makes of a recipient what stands for it in the names of counts.
        """
        self._store = store
        self._caps = tuple(caps)
        self._countries = countries or {}
        self._hashed = hashed
        self._monotonic = monotonic
        self._pruned = -math.inf

    def change(self, *, caps: Sequence[Cap], countries: Mapping[Channel, Countries]) -> None:
        """Take other rules; what was counted under a cap's name stays counted."""
        self._caps = tuple(caps)
        self._countries = countries

    def refusals(self, asked: Sequence[Asked]) -> list[str | None]:
        """
        Tell for each message why it must not be sent, and count those that may.

        A notification is counted once, however often it is asked for: a retry passes.

        Returns:
            The reason in words that name the option to change, never a recipient; None to send.

        Raises:
            StoreError: The caps cannot be counted; nothing was.
        """
        answers = [self._abroad(notification) for notification, _ in asked]
        concerned = [
            (one, caps)
            for one, refused in zip(asked, answers, strict=True)
            if refused is None and (caps := self._concerning(one[0]))
        ]
        if concerned:
            full = self._count(concerned)
            answers = [
                refused or full.get(notification.identity)
                for refused, (notification, _) in zip(answers, asked, strict=True)
            ]
        return answers

    def refresh(self) -> None:
        """
        Forget old counts, once a minute or while there are many.

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

    def _abroad(self, notification: Notification) -> str | None:
        if not CHANNELS[notification.channel].by_country:
            return None
        return self._countries.get(notification.channel, NOWHERE).refusal(notification)

    def _concerning(self, notification: Notification) -> list[Cap]:
        return [cap for cap in self._caps if cap.applies_to(notification)]

    def _count(self, concerned: Sequence[tuple[Asked, list[Cap]]]) -> dict[tuple[str, UUID], str]:
        with self._store.writing() as connection:
            now = read_clock(connection)
            charges = [
                (notification.id, [self._charge(cap, notification, message, now) for cap in caps])
                for (notification, message), caps in concerned
            ]
            full = charge_caps(connection, charges)
        return {
            notification.identity: self._refusal(notification, caps, name)
            for ((notification, _), caps), name in zip(concerned, full, strict=True)
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
