"""
Tables of flow control, which all workers share.

Their times are seconds since 1970 by the database's clock, since the clocks of machines differ.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Integer, String, Table, Uuid

from notify.store.tables.kinds import NUMBER, metadata

# One row for each limit: the state of its schedule, and what lowered or paused it.
limits = Table(
    "limits",
    metadata,
    Column("name", String(255), primary_key=True),
    # GCRA's theoretical arrival time: when everything granted will have been sent.
    Column("tat", Double, nullable=False),
    # Units a second that were recently granted, measured at `used_at`.
    Column("used", Double, nullable=False),
    Column("used_at", Double, nullable=False),
    # The rate after the provider's last 429, the rate before it, and when.
    Column("lowered", Double),
    Column("lowered_from", Double),
    Column("lowered_at", Double),
    Column("paused_until", Double),
    # An operator's rate instead of the configured one.
    Column("set_rate", Double),
    Column("set_until", Double),
    Column("actor", String(255)),
    Column("reason", String(1000)),
)

# One row for each provider: its circuit, and the mode that an operator set.
circuits = Table(
    "circuits",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    # Raised at each change of state and each permit to probe: results of calls of an earlier
    # generation are ignored.
    Column("generation", Integer, nullable=False),
    # How often it opened since it was last closed.
    Column("trips", Integer, nullable=False),
    Column("since", Double, nullable=False),
    Column("open_until", Double),
    # A worker has a permit for one probe until then.
    Column("probe_until", Double),
    Column("passed", Integer, nullable=False),
    Column("inconclusive", Integer, nullable=False),
    Column("cause", String(255)),
    Column("mode", String(16), nullable=False),
    Column("mode_until", Double),
    Column("actor", String(255)),
    Column("reason", String(1000)),
)

# Each change of a circuit's state or mode, kept after an outage is over.
circuit_changes = Table(
    "circuit_changes",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column("provider", String(64), nullable=False),
    Column("at", Double, nullable=False, index=True),
    Column("state_before", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("mode_before", String(16), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("trips", Integer, nullable=False),
    Column("cause", String(255)),
    Column("actor", String(255)),
    Column("reason", String(1000)),
)

# The results of all workers' calls by slices of time; `bucket` is a slice's first millisecond.
circuit_calls = Table(
    "circuit_calls",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("bucket", BigInteger, primary_key=True),
    # Neutral calls, which say nothing about the provider, are not in `calls`.
    Column("calls", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("slow", Integer, nullable=False),
    Column("unreachable", Integer, nullable=False),
    Column("neutral", Integer, nullable=False),
)

# Holds by operators. A null matches anything.
holds = Table(
    "holds",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column("since", Double, nullable=False),
    Column("until", Double),
    Column("channel", String(16)),
    Column("lane", String(31)),
    Column("source", String(63)),
    Column("template", String(64)),
    Column("provider", String(64)),
    Column("actor", String(255), nullable=False),
    Column("reason", String(1000), nullable=False),
)

# The use of each cap in its current span of time.
cap_counts = Table(
    "cap_counts",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("starts", BigInteger, primary_key=True),
    Column("ends", BigInteger, nullable=False, index=True),
    Column("used", Double, nullable=False),
)

# The notifications that a cap has counted, so that none counts twice.
cap_uses = Table(
    "cap_uses",
    metadata,
    Column("notification_id", Uuid, primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("ends", BigInteger, nullable=False, index=True),
)
