"""
Checks of a configuration, for `notify config check` and at start.

The options themselves are in `settings.model`; nothing here changes a value.
"""

from notify.settings.checks.report import ConfigReport, check
from notify.settings.checks.validation_errors import error_of

__all__ = ["ConfigReport", "check", "error_of"]
