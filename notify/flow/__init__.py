"""
Flow control in one worker process: what may be sent now, through whom, and how long to wait.

Here: limits, circuits, holds and caps in force, each refreshed from the record. Not here: their
rules (`policies`), their SQL (`store.flow`), and how a message is delivered (`delivery`).
"""

from notify.flow.admission import LONG, Admission, Leave, Refused, Wait
from notify.flow.appetite import Appetite
from notify.flow.circuits import Circuits, Pass
from notify.flow.flow import Flow
from notify.flow.guard import Guard
from notify.flow.holds import Holds
from notify.flow.limiter import Limiter
from notify.flow.meter import Meter
from notify.flow.own_limits import OwnLimit, OwnLimits, Per
from notify.flow.refreshing import Refreshing

__all__ = [
    "LONG",
    "Admission",
    "Appetite",
    "Circuits",
    "Flow",
    "Guard",
    "Holds",
    "Leave",
    "Limiter",
    "Meter",
    "OwnLimit",
    "OwnLimits",
    "Pass",
    "Per",
    "Refreshing",
    "Refused",
    "Wait",
]
