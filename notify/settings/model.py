"""Every option of the service with its default; config/notify.toml describes each."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from notify.errors import ConfigError
from notify.message import Channel, Unknown
from notify.settings.api import ApiSettings
from notify.settings.backends import AmqpSettings, StoreSettings
from notify.settings.brake import BrakeSettings
from notify.settings.categories import CategorySettings
from notify.settings.console import ConsoleSettings
from notify.settings.contract import ContractSettings
from notify.settings.deliverability import DeliverabilitySettings
from notify.settings.flow import (
    Amount,
    BreakerSettings,
    Burst,
    CapSettings,
    Countries,
    LimitSettings,
    Prices,
    Rate,
)
from notify.settings.metrics import MetricsSettings
from notify.settings.privacy import Days, PrivacySettings
from notify.settings.receipts import ReaderSettings, ReceiptsSettings
from notify.settings.senders import SenderSettings
from notify.settings.suppression import SuppressionSettings
from notify.settings.tracing import TracingSettings
from notify.settings.words import (
    LaneName,
    LimitName,
    Name,
    Names,
    Place,
    PlainOptions,
    PoolName,
    SecretName,
    Section,
    Share,
    SomeNames,
)

LONGEST_TIMEOUT = 25.0
"""
Seconds: the highest value of a provider's option `timeout`. A call may take twice as long if it
first fetches a token, and must have ended and be recorded before its claim ends.
"""


class TemplateSettings(Section):
    """The folder of templates, and the default language."""

    folder: Path | None = None
    unknown: dict[str, Unknown] = Field(default_factory=dict)
    default_locale: str = Field(default="en", pattern=r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*$")


class LaneSettings(Section):
    """One lane: a queue of each channel."""

    max_length: int = Field(default=1_000_000, ge=1)
    delivery_limit: int = Field(default=20, ge=1)
    share: Share = 0.8
    batch_size: int = Field(default=100, ge=1, le=1000)
    keep: Days = 30
    attempts: int = Field(default=8, ge=1, le=100)
    deadline: float = Field(default=21_600, gt=0, le=2_592_000, allow_inf_nan=False)
    first_wait: float = Field(default=2, gt=0, le=3600, allow_inf_nan=False)
    longest_wait: float = Field(
        default=600, gt=0, le=86_400, allow_inf_nan=False, validate_default=True
    )
    unknown: dict[Channel, Unknown] = Field(default_factory=dict)

    @field_validator("longest_wait")
    @classmethod
    def _longest(cls, wait: float, info: ValidationInfo) -> float:
        if wait < info.data.get("first_wait", 0):
            raise ValueError("is shorter than first_wait; raise it, or lower first_wait")
        return wait


class PoolSettings(Section):
    """One kind of worker: which channel and lanes it consumes, and how much at a time."""

    channel: Channel
    lanes: SomeNames = Field(default_factory=list)
    concurrency: int = Field(default=32, ge=1, le=1000)
    prefetch: int | None = Field(default=None, ge=1, le=65_535)


class ChannelSettings(Section):
    """The providers of one channel, in the order in which they are tried, and its cost limits."""

    providers: SomeNames
    weights: dict[str, Amount] = Field(default_factory=dict)
    failover_share: Share = 1.0
    countries: Countries = Field(default_factory=list)
    prices: Prices = Field(default_factory=dict)
    daily_spend: float | None = Field(default=None, gt=0, le=1e12, allow_inf_nan=False)
    unknown: Unknown | None = None
    lookup_after: float = Field(default=30, gt=0, le=3600, allow_inf_nan=False)


class ProviderSettings(Section):
    """One provider: its class, its options, the names of its secrets, and its limits."""

    use: Place
    options: PlainOptions = Field(default_factory=dict)
    secrets: dict[str, SecretName] = Field(default_factory=dict)
    rate: Rate | None = None
    burst: Burst | None = None
    limits: Names = Field(default_factory=list)
    receipts: ReaderSettings | None = None
    breaker: BreakerSettings = Field(default_factory=BreakerSettings)

    @field_validator("burst")
    @classmethod
    def _only_with_rate(cls, burst: float | None, info: ValidationInfo) -> float | None:
        if burst is not None and info.data.get("rate", 1) is None:
            raise ValueError("has no effect without `rate`; add it, or remove this")
        return burst


class LogSettings(Section):
    """The level and format of the log."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


DEFAULT_LANES: Mapping[str, Mapping[str, Any]] = {
    "critical": {"share": 1.0, "batch_size": 1, "keep": 7, "deadline": 900, "longest_wait": 60},
    "normal": {},
    "bulk": {"share": 0.6, "batch_size": 1000, "deadline": 86_400},
}
"""The default lanes, with the options in which they differ from other lanes."""

DEFAULT_POOLS: Mapping[str, Mapping[str, Any]] = {
    channel.value: {"channel": channel.value} for channel in Channel
}
"""The default pools."""


def _default_lanes() -> dict[str, LaneSettings]:
    return {name: LaneSettings(**options) for name, options in DEFAULT_LANES.items()}


def _default_pools() -> dict[str, PoolSettings]:
    return {name: PoolSettings(**options) for name, options in DEFAULT_POOLS.items()}


class Settings(Section):
    """The whole configuration, valid in itself. Read it with `load`."""

    amqp: AmqpSettings = Field(default_factory=AmqpSettings)
    store: StoreSettings = Field(default_factory=StoreSettings)
    templates: TemplateSettings = Field(default_factory=TemplateSettings)
    contract: ContractSettings = Field(default_factory=ContractSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    privacy: PrivacySettings = Field(default_factory=PrivacySettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    tracing: TracingSettings = Field(default_factory=TracingSettings)
    receipts: ReceiptsSettings = Field(default_factory=ReceiptsSettings)
    console: ConsoleSettings = Field(default_factory=ConsoleSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    deliverability: DeliverabilitySettings = Field(default_factory=DeliverabilitySettings)
    brake: BrakeSettings = Field(default_factory=BrakeSettings)
    suppression: SuppressionSettings = Field(default_factory=SuppressionSettings)
    lanes: dict[LaneName, LaneSettings] = Field(default_factory=_default_lanes, min_length=1)
    pools: dict[PoolName, PoolSettings] = Field(default_factory=_default_pools)
    channels: dict[Channel, ChannelSettings] = Field(default_factory=dict)
    providers: dict[Name, ProviderSettings] = Field(default_factory=dict)
    limits: dict[LimitName, LimitSettings] = Field(default_factory=dict)
    caps: dict[Name, CapSettings] = Field(default_factory=dict)
    categories: dict[Name, CategorySettings] = Field(default_factory=dict)
    senders: dict[Name, SenderSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _pools_default_to_all_lanes(self) -> Settings:
        for name, pool in self.pools.items():
            if not pool.lanes:
                self.pools[name] = pool.model_copy(update={"lanes": list(self.lanes)})
        return self

    @model_validator(mode="after")
    def _former_names_are_free(self) -> Settings:
        taken = set(self.providers)
        for name in self.providers:
            for former in self.former_names(name):
                if former in taken:
                    raise ValueError(
                        f"providers.{name}.receipts.formerly: {former!r} is another provider's name"
                    )
                taken.add(former)
        return self

    def former_names(self, provider: str) -> list[str]:
        """Return the earlier names of a provider, under which its receipts may still arrive."""
        reader = self.providers[provider].receipts
        return [] if reader is None else reader.formerly

    def pool(self, name: str) -> PoolSettings:
        """
        Return the pool of this name.

        Raises:
            ConfigError: There is no such pool, or its channel has no provider.
        """
        pool = self.pools.get(name)
        if pool is None:
            near = difflib.get_close_matches(name, self.pools, n=1)
            known = ", ".join(self.pools) or "none"
            hint = f"did you mean {near[0]}?" if near else f"configured: {known}"
            raise ConfigError(f"there is no pool {name!r}; {hint}")
        if pool.channel not in self.channels:
            raise ConfigError(
                f"pool {name} has no provider to send through: "
                f"set channels.{pool.channel}.providers in the configuration"
            )
        return pool
