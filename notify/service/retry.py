"""The retry policy, by the settings."""

from __future__ import annotations

import random
from collections.abc import Collection
from datetime import timedelta

from notify.channels import CHANNELS
from notify.gateway import Gateway
from notify.policies.retry import RetryPolicy, RetrySettings, UnknownRules
from notify.settings import Settings


def retry_policy(settings: Settings, gateways: Collection[Gateway]) -> RetryPolicy:
    """Return the retry policy for calls through *gateways*."""
    lanes = settings.lanes
    return RetryPolicy(
        lanes={
            name: RetrySettings(
                attempts=lane.attempts,
                deadline=timedelta(seconds=lane.deadline),
                first=timedelta(seconds=lane.first_wait),
                most=timedelta(seconds=lane.longest_wait),
            )
            for name, lane in lanes.items()
        },
        unknown=UnknownRules(
            channels={name: each.unknown for name, each in CHANNELS.items()}
            | {
                channel: one.unknown
                for channel, one in settings.channels.items()
                if one.unknown is not None
            },
            lanes={
                (name, channel): rule
                for name, lane in lanes.items()
                for channel, rule in lane.unknown.items()
            },
            templates=settings.templates.unknown,
        ),
        lookups={
            gateway.channel: timedelta(seconds=settings.channels[gateway.channel].lookup_after)
            for gateway in gateways
            if gateway.can_find
        },
        rng=random.Random(),  # noqa: S311 - it spreads retries and guards nothing
    )
