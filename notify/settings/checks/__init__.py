"""
Checks of a configuration, for `notify config check` and at start.

The options themselves are in `settings.model`; nothing here changes a value.
"""

from notify.settings.checks.categories import (
    NEEDS_KEYRING,
    NEEDS_PUBLIC_URL,
    address_of,
    senders_of_others,
)
from notify.settings.checks.report import ConfigReport, check
from notify.settings.checks.validation_errors import error_of

__all__ = [
    "NEEDS_KEYRING",
    "NEEDS_PUBLIC_URL",
    "ConfigReport",
    "address_of",
    "check",
    "error_of",
    "senders_of_others",
]
