"""
The circuit breaker: the rules by which calls to a provider stop and start again.

A circuit is closed while all is well. It opens when too many calls fail or are slow, admits a
single probe when its time is over, and closes after some good probes. Nothing here reads a clock
or a database: times are seconds by the caller's clock.
"""

from __future__ import annotations

from notify.policies.breaker.circuit import INCONCLUSIVE, Circuit, CircuitState, Mode
from notify.policies.breaker.kind import Kind, kind_of
from notify.policies.breaker.rules import Counts, Rules

__all__ = ["INCONCLUSIVE", "Circuit", "CircuitState", "Counts", "Kind", "Mode", "Rules", "kind_of"]
