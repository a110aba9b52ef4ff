"""
Flow control in one worker process: which messages may be sent now, by which provider, or when.

Here: limits, circuits, holds and caps in force, each refreshed from the record; and the use cases
with which operators override them (`overrides`). Not here: their rules (`policies`), their SQL
(`store.flow`), and how a message is delivered (`delivery`).
"""

from notify.flow.admission import LONGEST_WAIT, Admission, Admitted
from notify.flow.circuits import CircuitPermit, Circuits
from notify.flow.flow import Flow
from notify.flow.guard import Guard
from notify.flow.holds import Holds
from notify.flow.limiter import Limiter
from notify.flow.meter import Meter
from notify.flow.own_limits import LimitPer, OwnLimit, OwnLimits
from notify.flow.prefetch import PrefetchPolicy
from notify.flow.screening import Barred, Screening, Wait

__all__ = [
    "LONGEST_WAIT",
    "Admission",
    "Admitted",
    "Barred",
    "CircuitPermit",
    "Circuits",
    "Flow",
    "Guard",
    "Holds",
    "LimitPer",
    "Limiter",
    "Meter",
    "OwnLimit",
    "OwnLimits",
    "PrefetchPolicy",
    "Screening",
    "Wait",
]
