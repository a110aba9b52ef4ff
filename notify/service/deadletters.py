"""The archive of dead letters, and their replay."""

from __future__ import annotations

from notify.deadletters import Archive, Rehearsal, Replayer
from notify.delivery import rendered
from notify.ledger import PERIOD, RecordMetrics, keep_up
from notify.message import Notification, Rendered
from notify.periodic import PeriodicThread
from notify.service.categories import exempt_categories, open_categories
from notify.service.contract import contract_limits, open_templates
from notify.service.flow import countries
from notify.settings import Settings
from notify.store import Store
from notify.telemetry.metrics import Metrics


def open_archive(settings: Settings, store: Store, metrics: Metrics) -> Archive:
    """Wire the archive of dead letters."""
    return Archive(
        store,
        metrics=metrics,
        limits=contract_limits(settings),
        delivery_limits={name: lane.delivery_limit for name, lane in settings.lanes.items()},
    )


def record_metrics(store: Store, metrics: Metrics) -> PeriodicThread:
    """Wire the metrics of the whole record, and the upkeep that makes their queries quick."""
    of_record = RecordMetrics(store, metrics)

    def step() -> None:
        keep_up(store, now=store.clock())
        of_record.refresh()

    return PeriodicThread("record metrics", step, period=PERIOD)


def open_replayer(settings: Settings, store: Store) -> Replayer:
    """
    Wire the replayer of a store's dead letters.

    Raises:
        ConfigError: The templates cannot be read.
    """
    templates, categories = open_templates(settings), open_categories(settings)

    def render(each: Notification) -> Rendered:
        return rendered(each, each.id, templates=templates, categories=categories)

    rehearsal = Rehearsal(render, countries(settings), exempt=exempt_categories(settings))
    limits = contract_limits(settings)
    return Replayer(store, limits=limits, lanes=settings.lanes, rehearsal=rehearsal)
