"""
Checks of a configuration, for `notify config check` and at start.

The options themselves are in `settings.model`; nothing here changes a value.
"""

from notify.settings.checks.check import ConfigReport
from notify.settings.checks.validation_errors import error_of

__all__ = ["ConfigReport", "error_of"]
