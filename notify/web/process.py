"""The frame of every web process in the foreground, from its listener to its exit."""

from __future__ import annotations

import faulthandler
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import structlog
from starlette.types import ASGIApp

from notify.periodic import PeriodicThread
from notify.settings import Settings
from notify.telemetry.metrics import Metrics, catalog
from notify.telemetry.metrics.server import MetricsServer
from notify.telemetry.systemd import Systemd
from notify.web.health import PERIOD, Backends, WebHealth
from notify.web.limits import WebLimits
from notify.web.server import WebServer, listening, listening_at
from notify.web.tls import TlsFiles

COMPONENTS_TIMEOUT = 10.0
"""Seconds that a stop waits for the background threads, after the requests in flight."""

log = structlog.get_logger("notify.web")


class WebComponent(Protocol):
    """A background thread or server of a process."""

    def start(self) -> None:
        """Start it."""
        ...

    def stop(self, *, timeout: float) -> None:
        """Stop it, within *timeout* seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Address:
    """
    Where a web process listens.

    Attributes:
        table: The settings' table, which an error names.
        listen: An IP address of this machine.
        port: The port; 0 for any.
        socket: A Unix socket instead, for a reverse proxy on this machine.
    """

    table: str
    listen: str
    port: int
    socket: Path | None = None


@contextmanager
def web_frame(name: str, address: Address) -> Iterator[WebFrame]:
    """
    Listen, and yield the frame of a web process.

    Args:
        name: The name under which the process serves its metrics, such as `web`.
        address: Where it listens.

    Raises:
        ConfigError: The port is in use.
    """
    # The watchdog kills a hung process by a signal: then the log shows where each thread was.
    faulthandler.enable()
    with _listener(address) as listener:
        yield WebFrame(name, listener)


class WebFrame:
    """
    Runs one application: health, metrics, probes, systemd, background threads, start and stop.

    Attributes:
        metrics: The metrics of the process.
        systemd: The service manager.
    """

    def __init__(self, name: str, listener: socket.socket) -> None:
        """Prepare a process that serves its metrics under *name*."""
        self.metrics = Metrics()
        self.systemd = Systemd()
        self._name = name
        self._listener = listener

    @property
    def port(self) -> int:
        """The port that it listens on; 0 for a Unix socket."""
        name = self._listener.getsockname()
        return 0 if isinstance(name, str) else int(name[1])

    def health(self, backends: Backends) -> WebHealth:
        """Return the health of the process, which resets the watchdog timer."""
        return WebHealth(backends, alive=self.systemd.alive, watchdog=self.systemd.watchdog)

    def serve(
        self,
        app: ASGIApp,
        *,
        health: WebHealth,
        settings: Settings,
        limits: WebLimits,
        components: Sequence[WebComponent],
        ready: Callable[[], None],
        tls: TlsFiles | None = None,
    ) -> None:
        """
        Serve until SIGTERM or SIGINT, then answer the requests in flight and stop the components.

        Args:
            app: The application.
            health: What `health` returned.
            settings: The configuration; it says where metrics are served.
            limits: The limits of requests.
            components: Background threads, started before the first request.
            ready: Called once requests are accepted.
            tls: The certificate; None if a reverse proxy has it.
        """

        def started() -> None:
            name = self._listener.getsockname()
            listen = name if isinstance(name, str) else name[0]
            log.info("notify.web_started", listen=listen, port=self.port)
            ready()
            self.systemd.ready()

        def stopping() -> None:
            health.stopping = True
            self.systemd.stopping()

        server = WebServer(
            app, limits=limits, turn=health.turn, ready=started, stopping=stopping, tls=tls
        )
        with _running([*self._observation(settings, health), *components]):
            server.serve_on(self._listener)
        log.info("notify.web_stopped")

    def _observation(self, settings: Settings, health: WebHealth) -> list[WebComponent]:
        """Return the health thread and the server of metrics and probes, if settings want one."""
        name = self._name
        self.metrics.watch(catalog.WORKER, lambda: [((name, version("notify-service")), 1.0)])
        self.metrics.watch(catalog.READY, lambda: [((), float(health.unready() is None))])

        def step() -> None:
            health.check()
            self.systemd.status(health.line())

        thread = PeriodicThread("health", step, period=PERIOD)
        port = settings.metrics.port(name, 1)
        if port is None:
            return [thread]
        self.metrics.watch_process()
        server = MetricsServer(
            self.metrics,
            listen=settings.metrics.listen,
            port=port,
            alive=health.alive,
            unready=health.unready,
            remark=health.remark,
        )
        return [thread, server]


def _listener(address: Address) -> AbstractContextManager[socket.socket]:
    if address.socket is not None:
        return listening_at(address.socket, table=address.table)
    return listening(address.listen, address.port, table=address.table)


def _running(components: Sequence[WebComponent]) -> ExitStack:
    """Start components, and return what stops them in reverse order."""
    running = ExitStack()
    for component in components:
        component.start()
        running.callback(component.stop, timeout=COMPONENTS_TIMEOUT)
    return running
