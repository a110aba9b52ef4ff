"""What ties a worker to Prometheus, which asks how it does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.metadata import version

from notify.service import open_broker, open_store
from notify.settings import Settings
from notify.telemetry.metrics import Metrics, catalog
from notify.telemetry.metrics.server import MetricsServer
from notify.worker.health import Health
from notify.worker.loop_state import LoopState


class Observation:
    """Serves one process's metrics and probes, if the settings give it a port."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        *,
        pool: str,
        number: int,
        queues: Sequence[str],
        vitals: LoopState,
    ) -> None:
        """
        Take what is told.

        Args:
            number: Which of the pool's processes on this machine it is, from 1.
            queues: Those whose messages are counted.
            vitals: How the worker's loop does.
        """
        self._health = Health(
            vitals,
            queues=queues,
            connect=partial(open_broker, settings),
            store=open_store(settings),
        )
        _watch(metrics, self._health, vitals)
        metrics.watch(catalog.WORKER, lambda: [((pool, version("notify-service")), 1.0)])
        port = settings.metrics.port(pool, number)
        self._server = None
        if port is not None:
            metrics.tell_of_process()
            self._server = MetricsServer(
                metrics,
                listen=settings.metrics.listen,
                port=port,
                alive=self._health.alive,
                unready=self._health.unready,
                remark=self._health.remark,
            )

    def start(self) -> None:
        """Begin to look and to answer; where nobody can ask, do neither."""
        if self._server is not None:
            self._health.start()
            self._server.start()

    def stop(self, *, timeout: float) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.stop(timeout=timeout)
            self._health.stop(timeout=timeout)


def _watch(metrics: Metrics, health: Health, vitals: LoopState) -> None:
    metrics.watch(catalog.READY, lambda: [((), float(health.unready() is None))])
    metrics.watch(catalog.BROKER_UP, lambda: [((), float(health.broker_up))])
    metrics.watch(catalog.RECORD_UP, lambda: [((), float(health.record_up))])
    metrics.watch(catalog.HOST_AHEAD, lambda: [((), health.host_ahead)])
    metrics.watch(catalog.IN_HAND, lambda: [((), float(vitals.in_hand))])
    metrics.watch(catalog.SETTLED, lambda: [((), float(vitals.settled))])
    metrics.watch(
        catalog.QUEUE_MESSAGES, lambda: (((name,), each.ready) for name, each in health.depths())
    )
    metrics.watch(
        catalog.QUEUE_CONSUMERS,
        lambda: (((name,), each.consumers) for name, each in health.depths()),
    )
    metrics.watch(
        catalog.QUEUE_OLDEST, lambda: (((name,), each.oldest) for name, each in health.backlogs())
    )
    metrics.watch(
        catalog.QUEUE_DRAIN,
        lambda: (
            ((name,), each.drain) for name, each in health.backlogs() if each.drain is not None
        ),
    )
