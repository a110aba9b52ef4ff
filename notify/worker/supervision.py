"""A worker's interface to systemd: readiness, stop and reload."""

from __future__ import annotations

from collections.abc import Callable

from notify.settings import Settings, load
from notify.telemetry.logs import Threshold
from notify.telemetry.systemd import Systemd
from notify.worker.reload import Reload
from notify.worker.status_line import StatusLine

REFUSED = "the configuration has mistakes, see the log: the previous one stays in force"


class Supervision:
    """Reports one worker's readiness to systemd, and reloads the configuration at a signal."""

    def __init__(
        self,
        systemd: Systemd,
        settings: Settings,
        *,
        line: StatusLine,
        change: Callable[[Settings], None],
        threshold: Threshold,
    ) -> None:
        """
        Prepare the reloading thread; `start` starts it.

        Args:
            line: The status line, which shows that a reload was refused.
            change: Applies a changed configuration, or raises `ConfigError`.
            threshold: The log's level, which a reload changes.
        """
        self._systemd = systemd
        self._line = line
        self._change = change
        self._threshold = threshold
        self._reload = Reload(
            settings,
            read=load,
            change=self._apply,
            started=systemd.reloading,
            finished=self._reloaded,
        )

    def start(self) -> None:
        """Start the thread that reloads."""
        self._reload.start()

    def stop(self, *, timeout: float) -> None:
        """Finish a reload that is running, waiting *timeout* seconds at most."""
        self._reload.stop(timeout=timeout)

    def ready(self) -> None:
        """Report that consumption has started."""
        self._systemd.ready()

    def stopping(self) -> None:
        """Report that the worker is stopping; may be called in a signal handler."""
        self._systemd.stopping()

    def reload(self) -> None:
        """Request a reload of the configuration; may be called in a signal handler."""
        self._reload.request()

    def _apply(self, settings: Settings) -> None:
        self._change(settings)
        self._threshold.set(settings.log.level)

    def _reloaded(self, worked: bool) -> None:
        self._line.remark = None if worked else REFUSED
        self._systemd.ready()
