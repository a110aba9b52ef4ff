"""How many database connections a worker process may open."""

from __future__ import annotations

from notify.settings import DEAD_POOL, RECEIPTS_POOL, Settings

CLAIMERS = 2
"""Batches of a queue in progress at once: while one waits for its commit, the next is prepared."""
BACKGROUND_CONNECTIONS = 8
"""Database connections of the recorder, the health check, the probe, and the five other threads."""
SPARE_CONNECTIONS = 4
"""Database connections for calls that change a circuit or a cap at the same moment."""


def database_connections(settings: Settings, pool: str) -> int:
    """Return how many database connections a worker of a pool may open under load."""
    own = {DEAD_POOL: 1, RECEIPTS_POOL: 2}
    queues = own[pool] if pool in own else len(settings.pools[pool].lanes)
    return CLAIMERS * queues + BACKGROUND_CONNECTIONS + SPARE_CONNECTIONS
