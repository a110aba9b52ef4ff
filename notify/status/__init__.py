"""
Read models: what the CLI, the doctor and a web console show, each with its form as JSON.

Nothing here changes anything, prints, or knows a command line.
"""

from notify.status.audit import act_as_json
from notify.status.batches import BatchProgress, read_batch, recent_batches
from notify.status.caps import CapStatus, CapUse, read_caps
from notify.status.circuits import CircuitStatus, change_as_json, read_circuits
from notify.status.dead_letters import content_as_json, letter_as_json, plan_as_json
from notify.status.events import EventHistory
from notify.status.holds import (
    Alternatives,
    HeldMessages,
    HoldStatus,
    alternatives,
    count_held,
    hold_as_json,
    read_holds,
)
from notify.status.lanes import LaneStatus, lanes_of
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
from notify.status.plans import (
    bulk_plan_as_json,
    forecast_as_json,
    item_as_json,
    seconds_left,
    waits_for_runner,
)
from notify.status.privacy import erased_as_json
from notify.status.providers import ProviderStatus, read_providers
from notify.status.qualifiers import QUALIFIERS, SearchMistake, SearchText, parse_search
from notify.status.reader import StatusReader
from notify.status.recipient_tokens import RecipientTokens, UnknownToken, is_token
from notify.status.search import (
    NoSuchPage,
    Undecided,
    key_as_text,
    parse_key,
    read_undecided,
    search_notifications,
)
from notify.status.sources import SourceStatus, read_sources
from notify.status.story import WholeStory, ids_beginning_with, read_story
from notify.status.suppressions import (
    SuppressionPage,
    read_own_suppressions,
    read_suppressions,
    stream_suppressions,
    suppression_as_json,
)
from notify.status.templates import EXAMPLE_LINK, TemplatePreview, find_template, preview_template
from notify.status.waiting import WaitReason, waits

__all__ = [
    "EXAMPLE_LINK",
    "QUALIFIERS",
    "Alternatives",
    "BatchProgress",
    "CapStatus",
    "CapUse",
    "CircuitStatus",
    "EventHistory",
    "HeldMessages",
    "HoldStatus",
    "LaneStatus",
    "LimitStatus",
    "NoSuchPage",
    "OverridesSnapshot",
    "Overview",
    "PoolStatus",
    "ProviderStatus",
    "RecipientTokens",
    "RecordStatus",
    "SearchMistake",
    "SearchText",
    "SourceStatus",
    "StatusReader",
    "SuppressionPage",
    "TemplatePreview",
    "TimelineStep",
    "Undecided",
    "UnknownToken",
    "WaitReason",
    "WholeStory",
    "act_as_json",
    "alternatives",
    "batch_as_json",
    "bulk_plan_as_json",
    "cancelled_as_json",
    "change_as_json",
    "content_as_json",
    "count_held",
    "erased_as_json",
    "find_template",
    "forecast_as_json",
    "hold_as_json",
    "ids_beginning_with",
    "is_token",
    "item_as_json",
    "key_as_text",
    "lanes_of",
    "ledger_as_json",
    "letter_as_json",
    "mask",
    "masked",
    "milliseconds",
    "parent_limit",
    "parse_key",
    "parse_search",
    "plan_as_json",
    "preview_template",
    "read_batch",
    "read_caps",
    "read_circuits",
    "read_holds",
    "read_limits",
    "read_own_suppressions",
    "read_providers",
    "read_sources",
    "read_story",
    "read_suppressions",
    "read_undecided",
    "readable",
    "recent_batches",
    "search_notifications",
    "seconds_left",
    "story_as_json",
    "stream_suppressions",
    "summary_as_json",
    "suppression_as_json",
    "timeline",
    "to_json",
    "utc",
    "waits",
    "waits_for_runner",
]
