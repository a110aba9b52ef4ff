"""
The composition root: settings in, wired parts out. Nothing else constructs across layers.

Each file wires one subject. Not here: decisions; a part decides by what it is given.
"""

from notify.service.api import api_publisher, open_acceptor, open_key_limits
from notify.service.brake import reputation_brake
from notify.service.broker import open_broker, open_publisher, topology_of
from notify.service.categories import exempt_categories, list_id_of, open_categories
from notify.service.connections import CLAIMERS, database_connections
from notify.service.contract import category_names, contract_limits, open_templates
from notify.service.deadletters import open_archive, open_replayer, record_metrics
from notify.service.delivery import open_delivery, reconciliation
from notify.service.flow import (
    breaker_rules,
    caps,
    flow_refresh,
    limits,
    lines_limits,
    provider_limit,
)
from notify.service.gateway import open_gateway
from notify.service.pipeline import Pipeline
from notify.service.plans import open_acts, open_plan_runner, plan_thread
from notify.service.privacy import keep_of
from notify.service.receipt_intake import (
    RECEIPTS_PATH,
    inbox_relay,
    intake_publisher,
    open_intake,
    open_readers,
    receipts_url,
)
from notify.service.receipts import (
    open_applier,
    open_receipts,
    receipt_lookups,
    waiting_receipts,
)
from notify.service.record import check_tables, open_store, opened_record
from notify.service.relays import due_relay, event_relay, refused_relay, report_relay
from notify.service.retry import retry_policy
from notify.service.senders import sender_names
from notify.service.tracing import open_tracing
from notify.service.unsubscribe import category_titles, open_tokens, open_unsubscriber

__all__ = [
    "CLAIMERS",
    "RECEIPTS_PATH",
    "Pipeline",
    "api_publisher",
    "breaker_rules",
    "caps",
    "category_names",
    "category_titles",
    "check_tables",
    "contract_limits",
    "database_connections",
    "due_relay",
    "event_relay",
    "exempt_categories",
    "flow_refresh",
    "inbox_relay",
    "intake_publisher",
    "keep_of",
    "limits",
    "lines_limits",
    "list_id_of",
    "open_acceptor",
    "open_acts",
    "open_applier",
    "open_archive",
    "open_broker",
    "open_categories",
    "open_delivery",
    "open_gateway",
    "open_intake",
    "open_key_limits",
    "open_plan_runner",
    "open_publisher",
    "open_readers",
    "open_receipts",
    "open_replayer",
    "open_store",
    "open_templates",
    "open_tokens",
    "open_tracing",
    "open_unsubscriber",
    "opened_record",
    "plan_thread",
    "provider_limit",
    "receipt_lookups",
    "receipts_url",
    "reconciliation",
    "record_metrics",
    "refused_relay",
    "report_relay",
    "reputation_brake",
    "retry_policy",
    "sender_names",
    "topology_of",
    "waiting_receipts",
]
