"""SMTP: sending email through a relay, and reading the mail that comes back."""

from typing import TYPE_CHECKING

from providers.smtp.provider import Smtp

if TYPE_CHECKING:
    from providers.smtp.reports import SmtpReports

__all__ = ["Smtp", "SmtpReports"]


def __getattr__(name: str) -> object:
    """Import the reader of reports when it is used: the parser of mail costs each worker memory."""
    if name != "SmtpReports":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from providers.smtp.reports import SmtpReports

    return SmtpReports
