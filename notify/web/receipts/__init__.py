"""
The public face: vendors' receipts and one-click unsubscribe.

Here are their routes. Not here: what a request means (`receipts`, `suppression`), and vendors'
signatures (`providers`).
"""

from notify.web.receipts.app import receipts_app
from notify.web.receipts.batches import AcceptsReceipts
from notify.web.receipts.unsubscribe import unsubscribe_routes

__all__ = ["AcceptsReceipts", "receipts_app", "unsubscribe_routes"]
