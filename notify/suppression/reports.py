"""The log lines on changes of the list."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from notify.store.suppression import Added, by_reason

log = structlog.get_logger("notify.suppression")


def log_added(added: Sequence[Added]) -> None:
    """Log how many entries were added, one line for each channel and reason."""
    for (channel, reason), count in sorted(by_reason(added).items()):
        log.info("notify.suppression_added", channel=channel, reason=reason, count=count)
