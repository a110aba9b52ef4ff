"""
Access to the database: engine, sessions, schema revision, its clock, and its errors.

Not here: anything about the content of the record.
"""

from notify.store.db.clock import Moment, read_clock
from notify.store.db.engine import connect
from notify.store.db.offset import ClockOffset
from notify.store.db.pool import IDLE
from notify.store.db.probe import check_writable
from notify.store.db.record_clock import CLOCK_OFF
from notify.store.db.schema import revision_problem

__all__ = [
    "CLOCK_OFF",
    "IDLE",
    "ClockOffset",
    "Moment",
    "check_writable",
    "connect",
    "read_clock",
    "revision_problem",
]
