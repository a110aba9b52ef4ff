"""
Read models: what the CLI, the doctor and a web console show, each with its form as JSON.

Nothing here changes anything, prints, or knows a command line.
"""

from notify.status.audit import act_as_json
from notify.status.circuits import CircuitStatus, change_as_json, read_circuits
from notify.status.dead_letters import content_as_json, letter_as_json, plan_as_json
from notify.status.holds import (
    Alternatives,
    HeldMessages,
    HoldStatus,
    alternatives,
    count_held,
    hold_as_json,
    read_holds,
)
from notify.status.ledger import ledger_as_json
from notify.status.letter_body import readable
from notify.status.limits import LimitStatus, parent_limit, read_limits
from notify.status.notification import (
    TimelineStep,
    batch_as_json,
    cancelled_as_json,
    mask,
    masked,
    milliseconds,
    story_as_json,
    summary_as_json,
    timeline,
)
from notify.status.overrides import OverridesSnapshot
from notify.status.overview import Overview, PoolStatus, RecordStatus
from notify.status.plain import to_json, utc
from notify.status.privacy import erased_as_json
from notify.status.reader import StatusReader
from notify.status.suppressions import read_suppressions, stream_suppressions, suppression_as_json

__all__ = [
    "Alternatives",
    "CircuitStatus",
    "HeldMessages",
    "HoldStatus",
    "LimitStatus",
    "OverridesSnapshot",
    "Overview",
    "PoolStatus",
    "RecordStatus",
    "StatusReader",
    "TimelineStep",
    "act_as_json",
    "alternatives",
    "batch_as_json",
    "cancelled_as_json",
    "change_as_json",
    "content_as_json",
    "count_held",
    "erased_as_json",
    "hold_as_json",
    "ledger_as_json",
    "letter_as_json",
    "mask",
    "masked",
    "milliseconds",
    "parent_limit",
    "plan_as_json",
    "read_circuits",
    "read_holds",
    "read_limits",
    "read_suppressions",
    "readable",
    "story_as_json",
    "stream_suppressions",
    "summary_as_json",
    "suppression_as_json",
    "timeline",
    "to_json",
    "utc",
]
