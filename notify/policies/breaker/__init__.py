"""When a provider is called no more, and how it is tried again: the rules, and no more than that.

A circuit is closed while all is well. It opens when too many calls fail or crawl, lets a single
probe through when its time is over, and closes after some probes went well. Nothing here reads a
clock or a database: times are seconds by whichever clock the caller keeps to.
"""

from __future__ import annotations

from notify.policies.breaker.circuit import INCONCLUSIVE, Circuit, CircuitState, Mode
from notify.policies.breaker.kind import Kind, kind_of
from notify.policies.breaker.rules import Counts, Rules

__all__ = ["INCONCLUSIVE", "Circuit", "CircuitState", "Counts", "Kind", "Mode", "Rules", "kind_of"]
