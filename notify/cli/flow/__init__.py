"""
Commands that steer delivery: `breaker`, `hold`, `release`, `limit`, each beside its tables.

A file `*_view` only prints.
"""
