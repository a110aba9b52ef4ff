"""
The suppression list, its sources, and categories with their unsubscribe links.

Not here: SQL (`store.suppression`), and the check of each message, which is part of its claim
(`store.delivery`).
"""
