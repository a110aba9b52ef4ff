"""
The web processes: vendors' receipts and one-click unsubscribe, over HTTP.

Here are the application, its limits, and its server. Not here: what a request means (`receipts`,
`suppression`), and vendors' signatures (`providers`).
"""

from notify.web.app import AcceptsReceipts, receipts_app
from notify.web.body import read_body
from notify.web.limits import DEFAULT_WEB_LIMITS, WebLimits
from notify.web.unsubscribe import unsubscribe_routes

__all__ = [
    "DEFAULT_WEB_LIMITS",
    "AcceptsReceipts",
    "WebLimits",
    "read_body",
    "receipts_app",
    "unsubscribe_routes",
]
