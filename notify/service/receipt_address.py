"""The public address of a provider's receipts."""

from __future__ import annotations

from notify.settings import Settings

RECEIPTS_PATH = "/receipts"
"""The path of the web intake, which is followed by the provider's name."""


def receipts_url(settings: Settings, name: str) -> str | None:
    """Return the public address of a provider's receipts; None if they are not configured."""
    public, provider = settings.receipts.public_url, settings.providers[name]
    if public is None or provider.receipts is None:
        return None
    return f"{public}{RECEIPTS_PATH}/{name}"
