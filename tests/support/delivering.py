"""A delivery for tests: the service's own wiring, with arguments that a test controls."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from notify.contract import Limits
from notify.delivery import Delivery, Lane
from notify.delivery.recorder import Recorder
from notify.delivery.senders import Submits
from notify.flow import Flow
from notify.gateway import Gateway
from notify.message import Unknown
from notify.policies.retry import RetryPolicy, RetrySettings, UnknownRules
from notify.service.wiring import wire_delivery
from notify.store import Store
from notify.telemetry.metrics import Metrics
from notify.templating import Templates

LIMITS = Limits(max_body_bytes=100_000, max_recipients=100)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def policy_for(
    gateway: Gateway,
    lanes: Iterable[str],
    *,
    attempts: int = 3,
    unknown: Unknown = Unknown.PARK,
) -> RetryPolicy:
    """Return the rules of a channel without look-ups: retries after a second, within an hour."""
    return RetryPolicy(
        lanes={name: RetrySettings(attempts, HOUR, SECOND, SECOND) for name in lanes},
        unknown=UnknownRules({gateway.channel: unknown}),
        lookups={},
        rng=random.Random(7),
    )


def delivery_on(
    store: Store,
    gateway: Gateway,
    *,
    flow: Flow,
    policy: RetryPolicy | None = None,
    limits: Limits = LIMITS,
    templates: Templates | None = None,
    shares: Mapping[str, float] | None = None,
    concurrency: int = 4,
    batch_size: int = 1,
    senders: Submits | None = None,
    recorder: Recorder | None = None,
    clock: Callable[[], datetime] | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Delivery:
    """Wire a delivery of one lane, `normal`, unless *shares* names others."""
    shares = shares or {"normal": 1.0}
    return wire_delivery(
        store=store,
        templates=templates or Templates(),
        gateway=gateway,
        flow=flow,
        policy=policy or policy_for(gateway, shares),
        limits=limits,
        shares=shares,
        lanes={
            name: Lane(name, concurrency, batch_size=batch_size, senders=senders) for name in shares
        },
        metrics=Metrics(),
        recorder=recorder,
        clock=clock,
        monotonic=monotonic,
        sleep=sleep,
    )
