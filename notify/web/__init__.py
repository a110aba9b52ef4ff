"""The web processes: vendors' receipts and one-click unsubscribe, over HTTP."""
