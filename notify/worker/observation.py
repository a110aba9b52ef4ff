"""Observing one worker: Prometheus' port, the probes, and systemd's status line."""

from __future__ import annotations

from importlib.metadata import version

from notify.periodic import PeriodicThread
from notify.settings import Settings
from notify.telemetry.metrics import Metrics, catalog
from notify.telemetry.metrics.server import MetricsServer
from notify.worker.health import PERIOD, Health
from notify.worker.loop_state import LoopState
from notify.worker.status_line import StatusLine


class Observation:
    """
    Checks health every few seconds, serves metrics and probes, and writes the status line.

    It does nothing if the settings have no port for the process and systemd shows no line.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        *,
        pool: str,
        number: int,
        loop: LoopState,
        health: Health,
        line: StatusLine | None,
    ) -> None:
        """
        Prepare the thread and the server; `start` starts them.

        Args:
            number: The process's number in its pool on this machine, from 1.
            line: The status line to write; None if systemd does not show it.
        """
        self._health = health
        self._line = line
        self._thread = PeriodicThread("health", self._step, period=PERIOD)
        _watch(metrics, health, loop)
        metrics.watch(catalog.WORKER, lambda: [((pool, version("notify-service")), 1.0)])
        port = settings.metrics.port(pool, number)
        self._server = None
        if port is not None:
            metrics.watch_process()
            self._server = MetricsServer(
                metrics,
                listen=settings.metrics.listen,
                port=port,
                alive=health.alive,
                unready=health.unready,
                remark=health.remark,
            )

    def start(self) -> None:
        """Start to check and serve."""
        if self._server is not None or self._line is not None:
            self._thread.start()
        if self._server is not None:
            self._server.start()

    def stop(self, *, timeout: float) -> None:
        """Stop serving and checking."""
        if self._server is not None:
            self._server.stop(timeout=timeout)
        if self._server is not None or self._line is not None:
            self._thread.stop(timeout=timeout)

    def _step(self) -> None:
        self._health.check()
        if self._line is not None:
            self._line.write()


def _watch(metrics: Metrics, health: Health, loop: LoopState) -> None:
    metrics.watch(catalog.READY, lambda: [((), float(health.unready() is None))])
    metrics.watch(catalog.BROKER_UP, lambda: [((), float(health.broker_up))])
    metrics.watch(catalog.RECORD_UP, lambda: [((), float(health.record_up))])
    metrics.watch(catalog.HOST_AHEAD, lambda: [((), health.host_ahead)])
    metrics.watch(catalog.UNACKNOWLEDGED, lambda: [((), float(loop.unacknowledged))])
    metrics.watch(catalog.SETTLED, lambda: [((), float(loop.settled))])
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
