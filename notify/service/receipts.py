"""The application of receipts, by the settings."""

from __future__ import annotations

from datetime import timedelta

from notify.contract import FEEDBACK_KEY, OPTOUT_KEY
from notify.gateway import Gateway
from notify.message import Channel
from notify.periodic import PeriodicThread
from notify.receipts.application import ReceiptApplication
from notify.receipts.application_metrics import ApplicationMetrics
from notify.receipts.applier import ReceiptApplier
from notify.receipts.feedback import FeedbackReader
from notify.receipts.optouts import OptOutReader
from notify.receipts.tracker import ReceiptTracker
from notify.relays import OwnEvents
from notify.service.contract import contract_limits
from notify.service.unsubscribe import open_tokens
from notify.settings import Settings
from notify.store import Store
from notify.telemetry.metrics import Metrics

LOOKUP_PERIOD = 10.0
"""Seconds between two looks at the record while no message is to be looked up."""
WAITING_PERIOD = 1.0
"""Seconds between two looks at the record while no receipt waits that can be applied."""


def open_receipts(
    settings: Settings, store: Store, metrics: Metrics, own_events: OwnEvents
) -> ReceiptApplication:
    """Wire the application of receipts and feedback; its events go to *own_events*."""
    return ReceiptApplication(
        store,
        open_applier(settings),
        readers={
            FEEDBACK_KEY: FeedbackReader(contract_limits(settings)),
            OPTOUT_KEY: OptOutReader(contract_limits(settings)),
        },
        metrics=ApplicationMetrics(metrics, providers=settings.providers),
        own_events=own_events,
    )


def open_applier(settings: Settings) -> ReceiptApplier:
    """Wire the part that applies receipts in a transaction."""
    return ReceiptApplier(
        provider_channels(settings),
        bounce_lasts=timedelta(days=settings.suppression.bounce_days),
        tokens=open_tokens(settings),
        renamed={old: name for name in settings.providers for old in settings.former_names(name)},
    )


def provider_channels(settings: Settings) -> dict[str, Channel]:
    """Return the channel of each provider that a channel names."""
    return {
        name: channel
        for channel, options in settings.channels.items()
        for name in options.providers
    }


def receipt_lookups(
    settings: Settings, store: Store, gateway: Gateway, metrics: Metrics
) -> list[PeriodicThread]:
    """Wire the look-ups of a channel's messages without receipts; none if no vendor has any."""
    if not any(each.can_track for each in gateway.providers):
        return []
    tracker = ReceiptTracker(
        store,
        gateway,
        open_applier(settings),
        metrics=ApplicationMetrics(metrics, providers=[]),
        after=timedelta(seconds=settings.receipts.lookup_after),
        rate=settings.receipts.lookup_rate,
    )
    return [PeriodicThread("receipt look-ups", tracker.step, period=LOOKUP_PERIOD)]


def waiting_receipts(application: ReceiptApplication) -> PeriodicThread:
    """Wire the step that applies receipts which came before their call was recorded."""
    return PeriodicThread("waiting receipts", application.apply_waiting, period=WAITING_PERIOD)
