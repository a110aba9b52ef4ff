"""Every option of the service with its default. config/notify.toml tells what each is for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from notify.errors import ConfigError
from notify.message import Channel
from notify.retry import Unknown
from notify.settings.urls import broker_url, store_url


def _lane_name(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name):
        raise ValueError("a lane's name is a-z, 0-9 and -, begins with a letter, at most 31 long")
    return name


def _name(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,30}", name):
        raise ValueError("a name is a-z, 0-9, - and _, begins with a letter, at most 31 long")
    return name


def _pool_name(name: str) -> str:
    if name == DEAD_POOL:
        raise ValueError(f"`notify worker {DEAD_POOL}` archives dead letters: choose another name")
    return _name(name)


def _secret_name(name: str) -> str:
    if not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
        raise ValueError(
            "write the secret's name (capital letters, digits and _), never the secret itself"
        )
    if name.startswith("NOTIFY_"):
        raise ValueError("names that begin with NOTIFY_ are the service's options: choose another")
    return name


def _place(use: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", use):
        raise ValueError("write module:Class, such as providers.sendgrid:SendGrid")
    return use


def _not_secret(options: dict[str, Any]) -> dict[str, Any]:
    told = ", ".join(sorted(SECRET_OPTIONS & options.keys()))
    if told:
        raise ValueError(f"{told}: never in the file; name it under `secrets` instead")
    return options


def _listed(value: Any) -> Any:
    """Let an environment variable hold a list, separated by commas."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


SECRET_OPTIONS = frozenset(
    {"api_key", "auth_token", "password", "private_key", "secret", "service_account", "token"}
)
"""Names of provider options that hold secrets and are therefore refused under `options`."""

DEAD_POOL = "dead"
"""The pool that drains the dead queue; it needs no configuration."""

LONGEST_TIMEOUT = 25.0
"""
Seconds: the most that a provider's option `timeout` may say. A call may take twice as long, where
it first fetches a token, and must be over and on record before its claim ends.
"""

LaneName = Annotated[str, AfterValidator(_lane_name)]
Name = Annotated[str, AfterValidator(_name)]
PoolName = Annotated[str, AfterValidator(_pool_name)]
Names = Annotated[list[str], BeforeValidator(_listed), Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class AmqpSettings(_Section):
    """How to reach RabbitMQ."""

    url: Annotated[SecretStr, AfterValidator(broker_url)] = SecretStr(
        "pyamqp://guest:guest@127.0.0.1:5672//"
    )
    confirm_timeout: float = Field(default=5.0, gt=0, le=300, allow_inf_nan=False)
    heartbeat: int = Field(default=30, ge=1, le=600)
    tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    @property
    def user(self) -> str:
        """The name of the service's own login, as `url` says."""
        return unquote(urlsplit(self.url.get_secret_value()).username or "guest")


class StoreSettings(_Section):
    """Where notifications are recorded."""

    url: Annotated[SecretStr, AfterValidator(store_url)] = SecretStr(
        "sqlite:////var/lib/notify/notify.db"
    )


class TemplateSettings(_Section):
    """Where templates are found, and the language of last resort."""

    folder: Path | None = None
    unknown: dict[str, Unknown] = Field(default_factory=dict)
    default_locale: str = Field(default="en", pattern=r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*$")


class ContractSettings(_Section):
    """What a producer may send."""

    max_body_bytes: int = Field(default=1_048_576, ge=1, le=134_217_728)
    max_recipients: int = Field(default=1000, ge=1, le=100_000)
    require_user_id: bool = False


class LaneSettings(_Section):
    """One lane: a queue of each channel."""

    max_length: int = Field(default=1_000_000, ge=1)
    delivery_limit: int = Field(default=20, ge=1)
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


class PoolSettings(_Section):
    """One kind of worker: which channel and lanes it consumes, and how much at a time."""

    channel: Channel
    lanes: Names = Field(default_factory=list)
    concurrency: int = Field(default=32, ge=1, le=1000)
    prefetch: int | None = Field(default=None, ge=1, le=65_535)

    @property
    def prefetch_count(self) -> int:
        """How many messages a process takes in hand: `prefetch`, or twice the concurrency."""
        return self.prefetch or 2 * self.concurrency


class ChannelSettings(_Section):
    """The providers of one channel, in the order in which they are tried."""

    providers: Names
    unknown: Unknown | None = None
    lookup_after: float = Field(default=30, gt=0, le=3600, allow_inf_nan=False)


class ProviderSettings(_Section):
    """One provider: its class, its options, and the names of its secrets."""

    use: Annotated[str, AfterValidator(_place)]
    options: Annotated[dict[str, Any], AfterValidator(_not_secret)] = Field(default_factory=dict)
    secrets: dict[str, Annotated[str, AfterValidator(_secret_name)]] = Field(default_factory=dict)


class LogSettings(_Section):
    """How much is logged, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


DEFAULT_LANES: Mapping[str, Mapping[str, Any]] = {
    "critical": {"deadline": 900, "longest_wait": 60},
    "normal": {},
    "bulk": {"deadline": 86_400},
}
"""The lanes that exist if nothing is said, and in what they differ from any other lane."""

DEFAULT_POOLS: Mapping[str, Mapping[str, Any]] = {
    channel.value: {"channel": channel.value} for channel in Channel
}
"""The pools that exist if nothing is said."""


def _default_lanes() -> dict[str, LaneSettings]:
    return {name: LaneSettings(**options) for name, options in DEFAULT_LANES.items()}


def _default_pools() -> dict[str, PoolSettings]:
    return {name: PoolSettings(**options) for name, options in DEFAULT_POOLS.items()}


class Settings(_Section):
    """The whole configuration, valid in itself. Read it with `load`."""

    amqp: AmqpSettings = Field(default_factory=AmqpSettings)
    store: StoreSettings = Field(default_factory=StoreSettings)
    templates: TemplateSettings = Field(default_factory=TemplateSettings)
    contract: ContractSettings = Field(default_factory=ContractSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    lanes: dict[LaneName, LaneSettings] = Field(default_factory=_default_lanes, min_length=1)
    pools: dict[PoolName, PoolSettings] = Field(default_factory=_default_pools)
    channels: dict[Channel, ChannelSettings] = Field(default_factory=dict)
    providers: dict[Name, ProviderSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _pools_take_all_lanes(self) -> Settings:
        for name, pool in self.pools.items():
            if not pool.lanes:
                self.pools[name] = pool.model_copy(update={"lanes": list(self.lanes)})
        return self

    def pool(self, name: str) -> PoolSettings:
        """
        Return the pool of this name, ready to be served.

        Raises:
            ConfigError: There is no such pool, or its channel has no provider.
        """
        pool = self.pools.get(name)
        if pool is None:
            near = difflib.get_close_matches(name, self.pools, n=1)
            known = ", ".join(self.pools) or "none"
            hint = f"did you mean {near[0]}?" if near else f"configured: {known}"
            raise ConfigError(f"no pool is named {name!r}; {hint}")
        if pool.channel not in self.channels:
            raise ConfigError(
                f"pool {name} has nobody to send through: "
                f"set channels.{pool.channel}.providers in the configuration"
            )
        return pool
