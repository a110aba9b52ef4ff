"""What a pool's delivery is made of, and what of it changes when the configuration does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from notify.delivery import Delivery
from notify.flow import Flow, PrefetchPolicy
from notify.service.flow import caps, countries, limits
from notify.settings import Settings
from notify.templating import Templates


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What a pool's delivery is made of, and what steers how much of it is in hand."""

    delivery: Delivery
    flow: Flow
    appetite: PrefetchPolicy
    templates: Templates

    def change(self, settings: Settings) -> None:
        """
        Put into force what may change under way, for what is delivered from here on.

        Raises:
            ConfigError: A template has a mistake; nothing has changed.
        """
        self.templates.reload()
        self.flow.limiter.change(limits(settings))
        self.flow.guard.change(caps=caps(settings), countries=countries(settings))
        self.appetite.change(rates(settings))


def rates(settings: Settings) -> Mapping[str, float]:
    """Give the rates that are configured, in units a second, by their limits' names."""
    return {name: limit.rate for name, limit in limits(settings).items() if limit.rate is not None}
