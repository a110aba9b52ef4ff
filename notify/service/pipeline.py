"""One pool's delivery with its flow control, and the parts that a reload changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from notify.delivery import Delivery
from notify.flow import Flow, PrefetchPolicy
from notify.relays import OwnEvents
from notify.service.flow import caps, countries, limits
from notify.settings import Settings
from notify.templating import Templates


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One pool's delivery, its flow control, its prefetch policy, its templates and its events."""

    delivery: Delivery
    flow: Flow
    prefetch: PrefetchPolicy
    templates: Templates
    own_events: OwnEvents

    def change(self, settings: Settings) -> None:
        """
        Put templates, limits and caps into force for all later deliveries.

        Raises:
            ConfigError: A template has a mistake; nothing has changed.
        """
        self.templates.reload()
        self.flow.limiter.change(limits(settings))
        self.flow.guard.change(caps=caps(settings), countries=countries(settings))
        self.prefetch.change(rates(settings))


def rates(settings: Settings) -> Mapping[str, float]:
    """Return the configured rates in units a second, by limit."""
    return {name: limit.rate for name, limit in limits(settings).items() if limit.rate is not None}
