"""SendGrid: sending email, and reading its Event Webhook."""

from providers.sendgrid.provider import SendGrid
from providers.sendgrid.receipts import SendGridReceipts

__all__ = ["SendGrid", "SendGridReceipts"]
