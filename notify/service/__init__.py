"""
The composition root: settings in, wired parts out. Nothing else constructs across layers.

Each file wires one subject. Not here: decisions; a part decides by what it is given.
"""

from notify.service.broker import open_broker, open_publisher, topology_of
from notify.service.contract import contract_limits, open_templates
from notify.service.deadletters import open_archive, open_census, open_replayer
from notify.service.delivery import open_delivery, open_reconciler
from notify.service.flow import breaker_rules, limits, lines_limits, provider_limit
from notify.service.gateway import open_gateway
from notify.service.pipeline import Pipeline
from notify.service.privacy import keep_of
from notify.service.record import check_tables, open_store, opened_record
from notify.service.relays import open_announcer, open_refused_events, open_relay
from notify.service.retry import retry_policy
from notify.service.tracing import open_tracing

__all__ = [
    "Pipeline",
    "breaker_rules",
    "check_tables",
    "contract_limits",
    "keep_of",
    "limits",
    "lines_limits",
    "open_announcer",
    "open_archive",
    "open_broker",
    "open_census",
    "open_delivery",
    "open_gateway",
    "open_publisher",
    "open_reconciler",
    "open_refused_events",
    "open_relay",
    "open_replayer",
    "open_store",
    "open_templates",
    "open_tracing",
    "opened_record",
    "provider_limit",
    "retry_policy",
    "topology_of",
]
