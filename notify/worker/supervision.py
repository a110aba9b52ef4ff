"""What ties a worker to systemd, which hears how it does and asks it to read its options anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from notify.service import open_broker
from notify.settings import Settings, load
from notify.telemetry.logs import Threshold
from notify.worker.loop_state import LoopState
from notify.worker.reload import Reload
from notify.worker.status_line import StatusLine
from notify.worker.systemd import Systemd

REFUSED = "the configuration has mistakes, see the log: what was in force before still is"


class Supervision:
    """
    Tells systemd of one worker's readiness, life and work, and has it reload at a signal.

    Attributes:
        vitals: Where the worker's event loop notes how it does.
    """

    def __init__(
        self,
        systemd: Systemd,
        settings: Settings,
        *,
        queues: Sequence[str],
        change: Callable[[Settings], None],
        logged: Threshold,
    ) -> None:
        """
        Take what is told, and what changes.

        Args:
            queues: Those that the worker consumes.
            change: Puts a changed configuration into force, or raises `ConfigError`.
            logged: Where to change the log's level.
        """
        self._systemd = systemd
        self.vitals = LoopState(alive=systemd.alive, watchdog=systemd.watchdog)
        self._line = StatusLine(
            systemd.status, self.vitals, queues=queues, connect=partial(open_broker, settings)
        )
        self._change = change
        self._logged = logged
        self._reload = Reload(
            settings,
            read=load,
            change=self._put,
            begun=systemd.reloading,
            ended=self._reloaded,
        )

    def start(self) -> None:
        """Begin to tell of the work, if anybody listens, and to heed `reload`."""
        self._reload.start()
        if self._systemd.listens:
            self._line.start()

    def stop(self, *, timeout: float) -> None:
        """Finish a reload in hand and tell no more, waiting *timeout* seconds at most for each."""
        self._reload.stop(timeout=timeout)
        if self._systemd.listens:
            self._line.stop(timeout=timeout)

    def ready(self) -> None:
        """Tell that consumption has begun."""
        self._systemd.ready()

    def stopping(self) -> None:
        """Tell that the worker begins to stop; may be called in a signal's handler."""
        self._systemd.stopping()

    def reload(self) -> None:
        """Have the configuration read anew; may be called in a signal's handler."""
        self._reload.ask()

    def _put(self, settings: Settings) -> None:
        self._change(settings)
        self._logged.set(settings.log.level)

    def _reloaded(self, worked: bool) -> None:
        self._line.remark = None if worked else REFUSED
        self._systemd.ready()
