"""The options of personal data: whether it must be sealed, and how long what is kept is kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from notify.settings.words import Section

Days = Annotated[float, Field(ge=1, le=3650, allow_inf_nan=False)]


class PrivacySettings(Section):
    """Whether a keyring must be there, and how many days is kept what is of no lane."""

    require_keyring: bool = False
    keep_dead: Days = 30
    keep_audit: Days = 730
