"""The options of the suppression list: how long its entries last, and how long ended ones stay."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from notify.settings.words import Section

_Days = Annotated[float, Field(ge=1, le=3650, allow_inf_nan=False)]


class SuppressionSettings(Section):
    """
    The suppression list.

    Attributes:
        bounce_days: Days for which a bounce suppresses; complaints and opt-outs have no end.
        keep: Days to keep an entry that was lifted or has ended.
    """

    bounce_days: _Days = 90
    keep: _Days = 90
