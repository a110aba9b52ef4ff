"""The brake for reputation, by the settings."""

from __future__ import annotations

from notify.periodic import PeriodicThread
from notify.policies.reputation import RateThreshold, ReputationRules
from notify.receipts.brake import ReputationBrake
from notify.settings import Settings
from notify.store import Store
from notify.telemetry.metrics import Metrics

PERIOD = 60.0
"""Seconds between two judgements."""


def reputation_brake(settings: Settings, store: Store, metrics: Metrics) -> PeriodicThread:
    """Wire the brake; one worker of the receipts' pool is enough, and several do no harm."""
    wanted = settings.brake
    brake = ReputationBrake(
        store,
        metrics,
        rules=ReputationRules(
            bounces=RateThreshold(wanted.warn_bounces, wanted.hold_bounces),
            complaints=RateThreshold(wanted.warn_complaints, wanted.hold_complaints),
            minimum=wanted.minimum,
        ),
        window=wanted.hours * 3600.0,
        lanes=wanted.lanes,
    )
    return PeriodicThread("reputation brake", brake.step, period=PERIOD)
