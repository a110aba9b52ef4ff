"""The brake for reputation: hold a source's bulk mail while too many of its emails bounce."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import structlog
from sqlalchemy import Connection

from notify.flow import overrides
from notify.policies.holds import Scope
from notify.policies.reputation import Judgement, Level, Reports, ReputationRules
from notify.store import Actor, Store
from notify.store.db import read_clock
from notify.store.flow import placed_by
from notify.store.receipts import Sender, delete_reports, lock_reports, read_reports
from notify.telemetry.metrics import Metrics, Reading, catalog

ACTOR = "notify: reputation brake"
"""The actor of the brake's holds, in the audit and in `notify hold ls`."""
REMINDER = 3600.0
"""Seconds between two warnings about one rate."""

log = structlog.get_logger("notify.reputation")


class ReputationBrake:
    """
    Judges each source's bounces and complaints, warns, and holds its bulk lanes.

    A hold lasts until an operator releases it. From then on only later reports count, so a release
    is not undone by the numbers that caused the hold.
    """

    def __init__(
        self,
        store: Store,
        metrics: Metrics,
        *,
        rules: ReputationRules,
        window: float,
        lanes: Sequence[str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Prepare the brake; `step` runs it once.

        Args:
            window: Seconds of reports that count, by whole hours.
            lanes: The lanes to hold; none if the brake only warns.
        """
        self._store = store
        self._rules = rules
        self._window = window
        self._lanes = lanes
        self._monotonic = monotonic
        self._reports: Mapping[Sender, Reports] = {}
        self._warned: dict[tuple[Sender, str], float] = {}
        metrics.watch(catalog.REPUTATION, self._shares)

    def step(self) -> None:
        """
        Judge all senders once, and place holds where a rate demands it.

        Raises:
            StoreError: The record cannot be used.
        """
        with self._store.reading() as connection:
            since = read_clock(connection) - self._window
            self._reports = read_reports(connection, since=since)
        for sender, reports in self._reports.items():
            for judged in self._rules.judge(reports):
                if judged.level is Level.HOLD:
                    self._hold(sender)
                if judged.level is not Level.GOOD:
                    self._warn(sender, judged)
        with self._store.writing() as connection:
            delete_reports(connection, before=since - self._window)

    def _hold(self, sender: Sender) -> None:
        """Hold the sender's lanes, unless one is held already or the reports are not bad enough."""
        for lane in self._lanes:
            scope = Scope(channel=sender.channel, lane=lane, source=sender.source)
            with self._store.writing() as connection:
                lock_reports(connection, sender)
                worst = self._worst_since_release(connection, sender, scope)
                if worst is None:
                    continue
                actor = Actor(ACTOR, f"{worst} through {sender.provider}")
                at = self._store.clock()
                hold = overrides.place_hold_within(connection, scope, actor, seconds=None, at=at)
            log.error(
                "notify.reputation_held",
                hold_id=hold.id,
                scope=str(scope),
                provider=sender.provider,
                reason=str(worst),
            )

    def _worst_since_release(
        self, connection: Connection, sender: Sender, scope: Scope
    ) -> Judgement | None:
        active, released = placed_by(connection, scope, actor=ACTOR)
        if active:
            return None
        since = max(read_clock(connection) - self._window, released)
        reports = read_reports(connection, since=since).get(sender, Reports())
        holding = (each for each in self._rules.judge(reports) if each.level is Level.HOLD)
        return next(holding, None)

    def _warn(self, sender: Sender, judged: Judgement) -> None:
        now = self._monotonic()
        if now < self._warned.get((sender, judged.kind), -REMINDER) + REMINDER:
            return
        self._warned[sender, judged.kind] = now
        log.warning(
            "notify.reputation_low",
            scope=str(Scope(channel=sender.channel, source=sender.source)),
            provider=sender.provider,
            kind=judged.kind,
            share=round(judged.share, 5),
            ended=judged.ended,
        )

    def _shares(self) -> Iterator[Reading]:
        for sender, reports in self._reports.items():
            for judged in self._rules.judge(reports):
                yield (sender.source, sender.provider, judged.kind), judged.share
