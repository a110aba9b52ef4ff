"""Flow control for tests: real parts on a real record, with a test's own limits."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence

from notify.channels import country_of
from notify.flow import Flow
from notify.flow.circuits import Circuits
from notify.flow.guard import Guard
from notify.flow.holds import Holds
from notify.flow.limiter import Limiter
from notify.flow.own_limits import OwnLimit, OwnLimits
from notify.message import Channel
from notify.policies.breaker import Rules
from notify.policies.caps import Cap, Countries
from notify.policies.ratelimit import Limit
from notify.store import Store


def flow_on(
    store: Store,
    *,
    providers: Sequence[str] = ("memory",),
    rules: Rules | None = None,
    limits: Mapping[str, Limit] | None = None,
    own: Sequence[OwnLimit] = (),
    caps: Sequence[Cap] = (),
    monotonic: Callable[[], float] = time.monotonic,
) -> Flow:
    """Wire one process's flow control; by default nothing is limited."""
    return Flow(
        store=store,
        circuits=Circuits(
            store,
            {name: rules or Rules() for name in providers},
            rng=random.Random(7),
            monotonic=monotonic,
        ),
        limiter=Limiter(store, limits or {}, monotonic=monotonic),
        holds=Holds(store, monotonic=monotonic),
        guard=Guard(store, caps=caps, countries={Channel.SMS: Countries(["*"])}),
        own_limits=OwnLimits(own, country=country_of),
    )
