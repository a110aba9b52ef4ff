"""The options of personal data: whether it must be sealed, and how long it is kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from notify.settings.words import Section

Days = Annotated[float, Field(ge=1, le=3650, allow_inf_nan=False)]


class PrivacySettings(Section):
    """Whether a keyring is required, and the days to keep what belongs to no lane."""

    require_keyring: bool = False
    keep_dead: Days = 30
    keep_audit: Days = 730
    keep_plans: Days = 90
