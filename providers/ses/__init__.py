"""Amazon SES: sending email through its API v2, and reading its events from SNS."""

from typing import TYPE_CHECKING

from providers.ses.provider import Ses

if TYPE_CHECKING:
    from providers.ses.receipts import SesReceipts

__all__ = ["Ses", "SesReceipts"]


def __getattr__(name: str) -> object:
    """Import the reader of receipts when it is used: its signatures cost each worker memory."""
    if name != "SesReceipts":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from providers.ses.receipts import SesReceipts

    return SesReceipts
