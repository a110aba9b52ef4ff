"""What all workers share to keep providers whole.

Its times are seconds since 1970 by the database's own clock, since no two machines agree on theirs.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Integer, String, Table, Uuid

from notify.store.tables.kinds import NUMBER, metadata

# One row for each limit: where its schedule stands, and what lowered or paused it.
limits = Table(
    "limits",
    metadata,
    Column("name", String(255), primary_key=True),
    # GCRA's theoretical arrival time: when all that was granted would be through.
    Column("tat", Double, nullable=False),
    # Units a second that were granted lately, and when that was true: it fades from then on.
    Column("used", Double, nullable=False),
    Column("used_at", Double, nullable=False),
    # The rate after the provider's last complaint, the rate it was lowered from, and when.
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

# One row for each provider: its circuit, and what an operator said about it.
circuits = Table(
    "circuits",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    # Raised at each change of state and each leave to probe: what a call of an earlier one says
    # counts no more.
    Column("generation", Integer, nullable=False),
    # How often it opened since it was last closed.
    Column("trips", Integer, nullable=False),
    Column("since", Double, nullable=False),
    Column("open_until", Double),
    # A worker has leave to try one call until then.
    Column("probe_until", Double),
    Column("passed", Integer, nullable=False),
    Column("inconclusive", Integer, nullable=False),
    Column("cause", String(255)),
    Column("mode", String(16), nullable=False),
    Column("mode_until", Double),
    Column("actor", String(255)),
    Column("reason", String(1000)),
)

# Each change of a circuit's state, or of what an operator says about it: they outlive the outage.
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

# How the calls of all workers ended, by slices of time; each is named by its first millisecond.
circuit_calls = Table(
    "circuit_calls",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("bucket", BigInteger, primary_key=True),
    # Neutral ones, which say nothing about the provider, are not among the calls.
    Column("calls", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("slow", Integer, nullable=False),
    Column("unreachable", Integer, nullable=False),
    Column("neutral", Integer, nullable=False),
)

# What operators hold back. A null matches anything.
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

# How much of each cap is used in its current span of time.
cap_counts = Table(
    "cap_counts",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("starts", BigInteger, primary_key=True),
    Column("ends", BigInteger, nullable=False, index=True),
    Column("used", Double, nullable=False),
)

# Which notifications a cap has counted: none is counted twice, however often it comes.
cap_uses = Table(
    "cap_uses",
    metadata,
    Column("notification_id", Uuid, primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("ends", BigInteger, nullable=False, index=True),
)
