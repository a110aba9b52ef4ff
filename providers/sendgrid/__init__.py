"""SendGrid: sending email, and reading its Event Webhook."""

from typing import TYPE_CHECKING

from providers.sendgrid.provider import SendGrid

if TYPE_CHECKING:
    from providers.sendgrid.receipts import SendGridReceipts

__all__ = ["SendGrid", "SendGridReceipts"]


def __getattr__(name: str) -> object:
    """Import the reader of receipts when it is used: its signatures cost each worker 8 MB."""
    if name != "SendGridReceipts":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from providers.sendgrid.receipts import SendGridReceipts

    return SendGridReceipts
