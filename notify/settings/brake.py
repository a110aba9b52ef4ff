"""The options of the brake for reputation: the rates that warn, and those that hold bulk mail."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from notify.settings.words import Names, Section

Rate = Annotated[float, Field(gt=0, le=1)]


class BrakeSettings(Section):
    """
    The thresholds of a source's bounces and complaints at one provider.

    Attributes:
        hours: The window, in whole hours.
        minimum: The fewest reported emails from which a rate is computed.
        lanes: The lanes that are held; empty to warn only.
    """

    hours: int = Field(default=24, ge=1, le=720)
    minimum: int = Field(default=1000, ge=1, le=100_000_000)
    warn_bounces: Rate = 0.05
    hold_bounces: Rate = Field(default=0.10, validate_default=True)
    warn_complaints: Rate = 0.001
    hold_complaints: Rate = Field(default=0.003, validate_default=True)
    lanes: Names = Field(default_factory=lambda: ["bulk"])

    @field_validator("hold_bounces", "hold_complaints")
    @classmethod
    def _not_below_warn(cls, hold: float, info: ValidationInfo) -> float:
        warn = str(info.field_name).replace("hold", "warn")
        if hold < info.data.get(warn, 0):
            raise ValueError(f"is below {warn}; raise it, or lower {warn}")
        return hold
