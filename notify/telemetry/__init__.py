"""
Logs, metrics and traces: what the service reports about itself, and how it is kept free of secrets.

Nothing here knows the store or the broker. Other packages log and count through it.
"""
