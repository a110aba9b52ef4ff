"""The options of flow control: limits, circuit breakers, caps, countries and prices."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from notify.channels import CHANNELS
from notify.message import Channel
from notify.policies.caps import EVERYWHERE
from notify.settings.words import Names, Section, Share, SourceName, listed

Rate = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
Burst = Annotated[float, Field(ge=1, le=10_000_000, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]


def _capitals(value: Any) -> Any:
    """Return country codes in upper case, as in ISO 3166; names of variables are in lower case."""
    if isinstance(value, dict):
        return {str(code).upper(): price for code, price in value.items()}
    codes = listed(value)
    if isinstance(codes, list):
        return [code.upper() if isinstance(code, str) else code for code in codes]
    return value


def _is_country(code: str) -> bool:
    # Imported only for a configuration that names countries: its number plans are slow to import.
    from phonenumbers import SUPPORTED_REGIONS

    return code in SUPPORTED_REGIONS


def _countries(codes: list[str]) -> list[str]:
    if EVERYWHERE in codes and len(codes) > 1:
        raise ValueError('"*" allows every country; write it alone, or remove it')
    for position, code in enumerate(codes):
        if code != EVERYWHERE and not _is_country(code):
            raise ValueError(f"number {position + 1} is not an ISO 3166 country code, such as DE")
    return codes


def _one_country(code: str) -> str:
    if not _is_country(code):
        raise ValueError("is not an ISO 3166 country code, such as DE")
    return code


def _country(code: str) -> str:
    if code != EVERYWHERE and not _is_country(code):
        raise ValueError('is not an ISO 3166 country code, such as DE; "*" is for all others')
    return code


V = TypeVar("V")

Countries = Annotated[
    list[str], BeforeValidator(_capitals), Field(min_length=1), AfterValidator(_countries)
]
Prices = Annotated[
    dict[Annotated[str, AfterValidator(_country)], Amount], BeforeValidator(_capitals)
]
CountryTable = Annotated[
    dict[Annotated[str, AfterValidator(_one_country)], V], BeforeValidator(_capitals)
]


class BreakerSettings(Section):
    """When a provider's circuit opens, and when it closes again."""

    window: float = Field(default=60.0, ge=1, le=3600, allow_inf_nan=False)
    minimum_calls: int = Field(default=20, ge=1, le=1_000_000)
    failure_rate: Share = 0.5
    slow_call: Seconds = 5.0
    slow_rate: Share = 0.8
    unreachable: int = Field(default=5, ge=1, le=1_000_000)
    first_open: Seconds = 5.0
    longest_open: float = Field(
        default=120.0, gt=0, le=86_400, allow_inf_nan=False, validate_default=True
    )
    probes: int = Field(default=3, ge=1, le=1000)

    @field_validator("longest_open")
    @classmethod
    def _longest(cls, seconds: float, info: ValidationInfo) -> float:
        if seconds < info.data.get("first_open", 0):
            raise ValueError("is shorter than first_open; raise it, or lower first_open")
        return seconds


class LimitSettings(Section):
    """A rate that providers share by listing it, or that each source, recipient or country has."""

    rate: Rate
    burst: Burst | None = None
    per: Literal["source", "recipient", "country"] | None = None
    channel: Channel | None = Field(default=None, validate_default=True)
    exempt: Names = Field(default_factory=list)

    @field_validator("channel", "exempt")
    @classmethod
    def _only_with_per(cls, value: Any, info: ValidationInfo) -> Any:
        if value and info.data.get("per", "unknown") is None:
            raise ValueError("has no effect without `per`; add it, or remove this")
        return value

    @field_validator("channel")
    @classmethod
    def _has_countries(cls, channel: Channel | None, info: ValidationInfo) -> Channel | None:
        if info.data.get("per") != "country":
            return channel
        by_country = [name for name, each in CHANNELS.items() if each.by_country]
        if channel not in (None, *by_country):
            names = " or ".join(f'"{name}"' for name in by_country)
            raise ValueError(f"{channel} has no countries; write {names}, or another `per`")
        return channel if channel or len(by_country) > 1 else by_country[0]


class CapSettings(Section):
    """The most notifications in a period; those above it end `suppressed`."""

    channel: Channel | None = None
    per: Literal["source", "recipient", "all"]
    most: float = Field(gt=0, le=1e12, allow_inf_nan=False)
    period: Literal["minute", "hour", "day"]
    exempt: Names = Field(default_factory=list)
    sources: dict[SourceName, Amount] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _critical_is_exempt(cls, cap: Any) -> Any:
        """Exempt the critical lane from a recipient's cap, for login codes; not from a source's."""
        if isinstance(cap, dict) and cap.get("per") == "recipient":
            return {"exempt": ["critical"], **cap}
        return cap

    @field_validator("sources")
    @classmethod
    def _only_per_source(cls, value: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        if value and info.data.get("per", "source") != "source":
            raise ValueError('has no effect here; write per = "source", or remove it')
        return value
